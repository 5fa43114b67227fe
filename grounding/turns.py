"""Turns at the model, in the order of asking, and work that its visitor calls off.

Gradio's own cancel is not used: it drops what a visitor asks while it is still under way, and may end in a bare error.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

LOOK = 1.0  # seconds between two looks whether whoever waits is still there


class CalledOffError(Exception):
    """Nobody wants the rest of the work.

    Attributes:
        left: whether the clip or its visitor left, so that nothing is to be said of it.
    """

    def __init__(self, left: bool) -> None:
        super().__init__("called off")
        self.left = left


class Work:
    """What a visitor asked for, as long as it is under way."""

    def __init__(self, desk: "Desk", session: str | None, at_model: bool) -> None:
        self.session, self.at_model = session, at_model
        self.off = self.left = False
        self._desk = desk

    def check(self) -> None:
        """Raises CalledOffError where it was."""
        if self.off:
            raise CalledOffError(self.left)

    def queue(self) -> Iterator[int]:
        """How many come before it, again at every move and every second, until its turn. Raises CalledOffError."""
        while not self.off and (before := self._desk.before(self)):
            yield before
            self._desk.wait(self, before)
        self.check()

    def watched(self, report: Callable[..., Any]) -> Callable[..., None]:
        """`report`, which is told of progress; the next call of it raises CalledOffError where the work was."""

        def told(*progress: Any) -> None:
            self.check()
            report(*progress)

        return told


class Desk:
    """All work that is under way."""

    def __init__(self) -> None:
        self._works: list[Work] = []
        self._moved = threading.Condition()

    @contextmanager
    def work(self, session: str | None, at_model: bool = False) -> Iterator[Work]:
        """Work of a visitor from its beginning to its end; `at_model`: it waits for a turn, see Work.queue."""
        work = Work(self, session, at_model)
        with self._moved:
            self._works.append(work)
        try:
            yield work
        finally:
            with self._moved:
                self._works.remove(work)
                self._moved.notify_all()

    def call_off(self, session: str | None, left: bool = False) -> None:
        """Ends what a visitor has under way, as soon as it looks: after the frames or the progress at hand."""
        with self._moved:
            for work in self._works:
                if work.session == session:
                    work.off, work.left = True, left
            self._moved.notify_all()

    def before(self, work: Work) -> int:
        """How many are at the model or wait for it before `work` does."""
        with self._moved:
            return sum(other.at_model for other in self._works[: self._works.index(work)])

    def wait(self, work: Work, before: int) -> None:
        """Until `work` moves up or is called off, or a while has passed."""
        with self._moved:
            self._moved.wait_for(lambda: work.off or self.before(work) < before, LOOK)


@cache
def desk() -> Desk:
    """That of this process."""
    return Desk()
