"""The child process that opens files which nobody trusts: python -m grounding.worker MEGABYTES

It does one job after another, as its parent asks on stdin (see children.py), and ends when stdin does.
"""

import math
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, BinaryIO

from grounding.errors import GroundingError
from grounding.isolation.protocol import Message, receive, send

try:
    import resource
except ImportError:  # Windows
    resource = None

BEAT = 1.0  # seconds between two signs of life while nothing else is said
LOOK = 0.05  # seconds between two looks at how much memory is taken
ROOM = 1000  # megabytes that threads and libraries may reserve beside
STEP = 0.1  # seconds between two words on how far a job is

Said = dict[str, Any]  # a JSON object


class Mouth:
    """Says things to the parent, unless the process has taken more than `megabytes`: then MemoryError is raised.

    Decoders take a lack of memory for damage of the file, so they are stopped before there is one.
    """

    def __init__(self, stream: BinaryIO, megabytes: float = math.inf) -> None:
        self._stream, self._megabytes, self._said, self._looked = stream, megabytes, 0.0, 0.0

    def say(self, carried: memoryview | bytes = b"", **said: Any) -> None:
        """Sends one message."""
        self._check_memory()
        send(self._stream, said, carried)
        self._said = time.monotonic()

    def beat(self) -> None:
        """To be called while work goes on: says so now and then."""
        self._check_memory()
        if time.monotonic() - self._said > BEAT:
            self.say(alive=True)

    def progress(self, fraction: float, *message: str) -> None:
        """Says how far a job is, now and then."""
        self._check_memory()
        if fraction == 1 or time.monotonic() - self._said > STEP:
            self.say(progress=[fraction, *message])

    def end(self, **said: Any) -> None:
        """Sends the last message of a job."""
        send(self._stream, said)

    def _check_memory(self) -> None:
        if time.monotonic() - self._looked > LOOK:
            self._looked = time.monotonic()
            if peak() > self._megabytes:
                raise MemoryError


def frames(mouth: Mouth, path: str, rate: float, short_side: int) -> Said:
    """Sends what a FrameReader finds: its info, then frame by frame, and what is known at the end."""
    from grounding.video.reader import FrameReader

    reader = FrameReader(path, rate, short_side, mouth.beat)
    mouth.say(info=asdict(reader.info))
    for timestamp, image in reader:
        mouth.say(image.data, timestamp=timestamp, duration=reader.duration, shape=image.shape)
    return {"duration": reader.duration, "skipped": reader.skipped}


def length(mouth: Mouth, path: str) -> Said:
    """See clock.length."""
    from grounding.video import timeline as clock

    return {"length": clock.length(Path(path))}


def media_info(mouth: Mouth, path: str) -> Said:
    """See media_info.read_media_info."""
    from grounding.video.media_info import read_media_info

    info = asdict(read_media_info(path))
    return {"info": {**info, "rate": str(info["rate"])}}


def preview(mouth: Mouth, path: str, folder: str) -> Said:
    """See preview.preview."""
    from grounding.video.clips import preview

    return {"path": str(preview(path, folder, mouth.progress))}


def cut(mouth: Mouth, path: str, start: float, end: float, out: str) -> Said:
    """See cutting.cut."""
    from grounding.video.cutting import cut

    return {"path": str(cut(path, start, end, out, mouth.progress))}


def jobs() -> dict[str, Callable[..., Said]]:
    """What the parent may ask for, by name."""
    return {"frames": frames, "length": length, "media_info": media_info, "preview": preview, "cut": cut}


def answer(request: Message, mouth: Mouth) -> None:
    """Does a job and says how it ended."""
    try:
        found = jobs()[request.said["job"]](mouth, **request.said["arguments"])
    except GroundingError as error:
        mouth.end(end="error", kind=type(error).__name__, why=str(error))
    except Exception as error:
        if lacks_memory(error):
            mouth.end(end="memory")
        else:  # its text may hold a path of the server, so that is for the log
            why = getattr(error, "strerror", None) or type(error).__name__
            mouth.end(end="failed", why=why, log=f"{type(error).__name__}: {error}")
    else:
        mouth.end(end="done", **found)


def lacks_memory(error: Exception) -> bool:
    """Whether an error says so; BlockingIOError is that of a thread that cannot be started, -4 is OpenCV's code."""
    return isinstance(error, MemoryError | BlockingIOError) or getattr(error, "code", None) == -4


def listen(requests: SimpleQueue) -> None:
    """Passes on what the parent asks. Ends the process when the parent closes the pipe, be it by its own end."""
    while (request := receive(sys.stdin.buffer)) is not None:
        requests.put(request)
    os._exit(0)


def peak() -> float:
    """Megabytes of memory that this process held at most; 0 where the system does not say.

    Not ru_maxrss on Linux: there it begins with what the parent holds.
    """
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    with suppress(OSError):
        found = re.search(r"Vm(?:HWM|RSS):\s+(\d+) kB", Path("/proc/self/status").read_text())
        return int(found[1]) * 1024 / 1e6 if found else 0.0
    return 0.0


def bound_memory(megabytes: float) -> None:
    """Far above that allocations fail, for what is taken at once."""
    if resource:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # what a crash leaves would hold a visitor's clip
            hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
            resource.setrlimit(resource.RLIMIT_DATA, (round((2 * megabytes + ROOM) * 1e6), hard))


def own_stdout() -> BinaryIO:
    """The pipe to the parent, out of reach of whatever else prints."""
    pipe = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return pipe


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which stops its children
    megabytes = float(sys.argv[1])
    bound_memory(megabytes)
    mouth, requests = Mouth(own_stdout(), megabytes), SimpleQueue()
    Thread(target=listen, args=(requests,), daemon=True).start()
    with suppress(ImportError):  # the first job says so
        for decoder in ("grounding.video.reader", "av"):  # which takes a while, and that job may not be there yet
            import_module(decoder)
    while True:
        answer(requests.get(), mouth)


if __name__ == "__main__":
    main()
