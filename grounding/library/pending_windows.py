"""Windows that wait to be indexed together, since each write makes a new version of the table."""

import time

from filelock import FileLock

from grounding.library.window_index import WindowIndex
from grounding.library.windows import Windows

MAX_VIDEOS, MAX_SECONDS = 64, 30.0  # as many or as long at most until what was encoded can be found


class PendingWindows:
    """The windows of some videos, and the stamps of what they were made of.

    Args:
        index: where they go.
        lock: held while it is written to.
    """

    def __init__(self, index: WindowIndex, lock: FileLock) -> None:
        self._index, self._lock = index, lock
        self._clear()

    def put(self, video: str, windows: Windows, stamp: str) -> None:
        """Takes the windows of one more video."""
        self._windows[video], self._stamps[video] = windows, stamp

    def flush_in_time(self) -> None:
        """Writes if much waits, or for long."""
        if len(self._windows) >= MAX_VIDEOS or time.monotonic() - self._since > MAX_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Writes all that waits."""
        if self._windows:
            with self._lock:
                self._index.add(self._windows, self._stamps)
        self._clear()

    def _clear(self) -> None:
        self._windows: dict[str, Windows] = {}
        self._stamps: dict[str, str] = {}
        self._since = time.monotonic()
