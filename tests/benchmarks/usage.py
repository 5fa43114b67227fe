"""What a process and its children take together: decoding runs in a child."""

import resource
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

import psutil

PERIOD = 0.05  # seconds between two looks at the memory


class Peak:
    """Watches memory while its block runs.

    The sum over this process and its children, looked at every PERIOD. Of a file that both have mapped, such as a
    library, a child counts what it alone has written to, where the system tells (Linux).
    """

    def __enter__(self) -> "Peak":
        self._highest = self._highest_sum = 0.0
        self._stop = Event()
        self._thread = Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def megabytes(self) -> float:
        """The highest so far, in units of 10**6 bytes."""
        return self._highest

    def _watch(self) -> None:
        own = psutil.Process()
        while not self._stop.wait(PERIOD):
            now = sum(map(read_resident, [own, *own.children(recursive=True)]))
            if now > self._highest_sum:
                self._highest_sum, mapped = now, list_mapped(own)
                children = own.children(recursive=True)
                total = read_resident(own) + sum(read_beside(child, mapped) for child in children)
                self._highest = max(self._highest, total / 1e6)


def read_resident(process: psutil.Process) -> int:
    """Bytes of memory that a process has now, 0 of one that has ended."""
    with suppress(psutil.Error):
        return process.memory_info().rss
    return 0


def list_mapped(process: psutil.Process) -> set[str]:
    """Files that a process has mapped; none where the system does not tell."""
    path = Path(f"/proc/{process.pid}/maps")
    return (
        {line.split(maxsplit=5)[5] for line in path.read_text().splitlines() if "/" in line} if path.exists() else set()
    )


def read_beside(child: psutil.Process, mapped: set[str]) -> int:
    """As `read_resident`, but of `mapped` files only what the child has written to."""
    with suppress(OSError):
        total, field = 0, "Rss:"
        for line in Path(f"/proc/{child.pid}/smaps").read_text().splitlines():
            words = line.split(maxsplit=5)
            if not words[0].endswith(":"):  # the head of a mapping
                field = "Private_Dirty:" if words[-1] in mapped else "Rss:"
            elif words[0] == field:
                total += 1024 * int(words[1])
        return total
    return read_resident(child)


def cpu() -> float:
    """CPU seconds so far of this process and of all its children, also those that have ended."""
    seconds = 0.0
    for process in _family():
        with suppress(psutil.Error):
            times = process.cpu_times()
            seconds += times.user + times.system
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds + ended.ru_utime + ended.ru_stime


def _family() -> list[psutil.Process]:
    own = psutil.Process()
    return [own, *own.children(recursive=True)]
