"""What a worker says to its parent, and when it says that it takes too much memory."""

import math
import re
import sys
import time
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

from grounding.isolation.protocol import send

try:
    import resource
except ImportError:  # Windows
    resource = None

HEARTBEAT = 1.0  # seconds between two signs of life while nothing else is sent
MEMORY_CHECK = 0.05  # seconds between two looks at how much memory is taken
PROGRESS_STEP = 0.1  # seconds between two messages on how far a job is


class ParentChannel:
    """Sends messages to the parent, from any thread, unless the process has taken more than `megabytes`: then
    MemoryError is raised.

    Decoders take a lack of memory for damage of the file, so they are stopped before there is one.
    """

    def __init__(self, stream: BinaryIO, megabytes: float = math.inf) -> None:
        self._stream, self._megabytes, self._lock = stream, megabytes, Lock()
        self._last_sent, self._last_checked = time.monotonic(), 0.0

    def send(self, payload: memoryview | bytes = b"", **fields: Any) -> None:
        """Sends one message."""
        self._check_memory()
        with self._lock:
            send(self._stream, fields, payload)
        self._last_sent = time.monotonic()

    def heartbeat(self) -> None:
        """To be called while work goes on: sends a sign of life now and then."""
        self._check_memory()
        if time.monotonic() - self._last_sent > HEARTBEAT:
            self.send(alive=True)

    def report_progress(self, fraction: float, *message: str) -> None:
        """Sends how far a job is, now and then."""
        self._check_memory()
        if fraction == 1 or time.monotonic() - self._last_sent > PROGRESS_STEP:
            self.send(progress=[fraction, *message])

    def end(self, **fields: Any) -> None:
        """Sends the last message of a job."""
        with self._lock:
            send(self._stream, fields)

    def _check_memory(self) -> None:
        if time.monotonic() - self._last_checked > MEMORY_CHECK:
            self._last_checked = time.monotonic()
            if peak_megabytes() > self._megabytes:
                raise MemoryError


def peak_megabytes() -> float:
    """Memory that this process held at most; 0 where the system does not say. Not ru_maxrss on Linux: there it begins
    with what the parent holds."""
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    with suppress(OSError):
        found = re.search(r"Vm(?:HWM|RSS):\s+(\d+) kB", Path("/proc/self/status").read_text())
        return int(found[1]) * 1024 / 1e6 if found else 0.0
    return 0.0
