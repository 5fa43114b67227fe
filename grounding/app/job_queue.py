"""Turns at the model, in the order of asking, and work that its visitor calls off.

Gradio's own cancel is not used: it may end in a bare error, and what a visitor asks while it is under way is lost.
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
        quiet: whether nothing is to be said of it, since its clip or its visitor left, or something else was asked.
    """

    def __init__(self, quiet: bool) -> None:
        super().__init__("called off")
        self.quiet = quiet


class Work:
    """What a visitor asked for, as long as it is under way.

    Attributes:
        session: the visitor's.
        clip: what it is about.
        at_model: whether it waits for a turn at the model.
        beside: whether it goes on beside what is asked, so that only whoever leaves ends it.
        off: whether it was called off.
    """

    def __init__(self, desk: "Desk", session: str | None, clip: str | None, at_model: bool, beside: bool) -> None:
        self.session, self.clip, self.at_model, self.beside = session, clip, at_model, beside
        self.off = self.quiet = False
        self._desk = desk

    def check(self) -> None:
        """Raises CalledOffError where it was."""
        if self.off:
            raise CalledOffError(self.quiet)

    def queue(self) -> Iterator[int]:
        """How many other visitors come before it, again at every move and every second, until its turn.

        Raises CalledOffError.
        """
        while not self.off and (before := self._desk.before(self)):
            yield sum(other.session != self.session for other in before)
            self._desk.wait(self, len(before))
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
    def work(
        self, session: str | None, clip: str | None, at_model: bool = False, beside: bool = False
    ) -> Iterator[Work]:
        """Work of a visitor from its beginning to its end; see Work."""
        work = Work(self, session, clip, at_model, beside)
        with self._moved:
            self._works.append(work)
        try:
            yield work
        finally:
            with self._moved:
                self._works.remove(work)
                self._moved.notify_all()

    def call_off(self, session: str | None, quiet: bool = False, beside: bool = False, but: str | None = None) -> None:
        """Ends what a visitor has under way, as soon as it looks: after the frames or the progress at hand.

        Args:
            quiet: see CalledOffError.
            beside: whether what goes on beside what is asked ends too.
            but: a clip; what is about it goes on.
        """
        with self._moved:
            for work in self._works:
                if work.session == session and beside >= work.beside and (but is None or work.clip != but):
                    work.off, work.quiet = True, work.quiet or quiet
            self._moved.notify_all()

    def before(self, work: Work) -> list[Work]:
        """Those at the model or waiting for it before `work`, which is under way, does."""
        with self._moved:
            return [other for other in self._works[: self._works.index(work)] if other.at_model]

    def asked(self, session: str | None) -> bool:
        """Whether a visitor is at the model or waits for it."""
        with self._moved:
            return any(work.at_model and work.session == session for work in self._works)

    def wait(self, work: Work, before: int) -> None:
        """Until `work` moves up from behind `before` others or is called off, or a while has passed."""
        with self._moved:
            self._moved.wait_for(lambda: work.off or len(self.before(work)) < before, LOOK)


@cache
def desk() -> Desk:
    """That of this process."""
    return Desk()
