"""How many threads torch computes with while a video is decoded beside it."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock

import torch


class Sharing:
    """Lowers torch's number of threads while at least one video is on its way, and sets it back afterwards.

    Threads of torch that wait for one another keep their cores busy, so beside a decoder that needs the same cores
    all of them take half as long again as half of them. torch has one setting for the process and one for each thread
    that has used it: what was set before is remembered once, however many videos overlap.
    """

    def __init__(self) -> None:
        self._lock, self._videos, self._before = Lock(), 0, torch.get_num_threads()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            self._videos += 1
        torch.set_num_threads(max(self._before // 2, 1))
        try:
            yield
        finally:
            with self._lock:
                self._videos -= 1
                torch.set_num_threads(self._before)


@cache
def sharing() -> Sharing:
    """The one of this process."""
    return Sharing()
