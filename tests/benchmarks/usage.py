"""What a process and its children take together: decoding runs in a child."""

import resource
from contextlib import suppress
from threading import Event, Thread

import psutil

PERIOD = 0.05  # seconds between two looks at the memory


class Peak:
    """Watches memory while its block runs.

    The sum of the resident memory of this process and its children, looked at every PERIOD, and never less than the
    system's own record of this process alone. Pages that they share, such as libraries, count for each: it is an upper
    bound.
    """

    def __enter__(self) -> "Peak":
        self._highest, self._stop = 0.0, Event()
        self._thread = Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def megabytes(self) -> float:
        """The highest so far, in units of 2**20 bytes."""
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux counts in KB
        return max(self._highest, own)

    def _watch(self) -> None:
        while not self._stop.wait(PERIOD):
            self._highest = max(self._highest, resident())


def resident() -> float:
    """Memory now, of this process and its children, in units of 2**20 bytes."""
    total = 0
    for process in _family():
        with suppress(psutil.Error):  # it has ended
            total += process.memory_info().rss
    return total / 2**20


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
