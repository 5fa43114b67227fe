"""Turns at the model, in the order of asking, and jobs that their visitor cancels.

Gradio's own queue stays in front of this one and cannot take its place: an event that Gradio cancels is closed without
a last word (tests/app/test_job_queue.py shows it), so a curve that grew would stay on the page and nothing would say
that it stopped. One that waits there has not begun, so it cannot tell its visitor how many others come before.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

LOOK = 1.0  # seconds between two looks whether whoever waits is still there


class JobCancelledError(Exception):
    """Nobody wants the rest of a job.

    Attributes:
        silent: whether nothing is to be said of it, since its clip or its visitor left, or something else was asked.
    """

    def __init__(self, silent: bool) -> None:
        super().__init__("cancelled")
        self.silent = silent


class Job:
    """What a visitor asked for, as long as it is under way.

    Attributes:
        session: the visitor's.
        clip: what it is about.
        at_model: whether it waits for a turn at the model.
        background: whether it goes on beside what is asked, so that only whoever leaves ends it.
        cancelled: whether it was.
        silent: see JobCancelledError.
    """

    def __init__(
        self, queue: "JobQueue", session: str | None, clip: str | None, at_model: bool, background: bool
    ) -> None:
        self.session, self.clip, self.at_model, self.background = session, clip, at_model, background
        self.cancelled = self.silent = False
        self._queue = queue

    def raise_if_cancelled(self) -> None:
        """Raises JobCancelledError where it was."""
        if self.cancelled:
            raise JobCancelledError(self.silent)

    def wait_for_turn(self) -> Iterator[int]:
        """How many other visitors come before it, again at every move and every second, until its turn.

        Raises JobCancelledError.
        """
        while not self.cancelled and (before := self._queue.jobs_before(self)):
            yield sum(other.session != self.session for other in before)
            self._queue.wait_for_move(self, len(before))
        self.raise_if_cancelled()

    def wrap_progress(self, report: Callable[..., Any]) -> Callable[..., None]:
        """`report`, which is told of progress; the next call of it raises JobCancelledError where the job was."""

        def report_or_raise(*progress: Any) -> None:
            self.raise_if_cancelled()
            report(*progress)

        return report_or_raise


class JobQueue:
    """All jobs that are under way: `jobs`, in the order of asking."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self._moved = threading.Condition()

    @contextmanager
    def start(
        self, session: str | None, clip: str | None, at_model: bool = False, background: bool = False
    ) -> Iterator[Job]:
        """A visitor's job from its beginning to its end; see Job."""
        job = Job(self, session, clip, at_model, background)
        with self._moved:
            self.jobs.append(job)
        try:
            yield job
        finally:
            with self._moved:
                self.jobs.remove(job)
                self._moved.notify_all()

    def cancel(
        self, session: str | None, silent: bool = False, background: bool = False, except_clip: str | None = None
    ) -> None:
        """Ends what a visitor has under way, as soon as it looks: after the frames or the progress at hand.

        Args:
            session: the visitor's.
            silent: see JobCancelledError.
            background: whether what goes on beside what is asked ends too.
            except_clip: what is about it goes on.
        """
        with self._moved:
            for job in self.jobs:
                of_visitor = job.session == session and (background or not job.background)
                if of_visitor and (except_clip is None or job.clip != except_clip):
                    job.cancelled, job.silent = True, job.silent or silent
            self._moved.notify_all()

    def jobs_before(self, job: Job) -> list[Job]:
        """Those at the model or waiting for it before `job`, which is under way, does."""
        with self._moved:
            return [other for other in self.jobs[: self.jobs.index(job)] if other.at_model]

    def has_job(self, session: str | None, besides: Job | None = None) -> bool:
        """Whether a visitor is at the model with a clip, or waits for it, `besides` that job."""
        with self._moved:
            others = [job for job in self.jobs if job is not besides]
            return any(job.at_model and job.clip and job.session == session for job in others)

    def wait_for_move(self, job: Job, before: int) -> None:
        """Until `job` moves up from behind `before` others or is cancelled, or a while has passed."""
        with self._moved:
            self._moved.wait_for(lambda: job.cancelled or len(self.jobs_before(job)) < before, LOOK)


@cache
def job_queue() -> JobQueue:
    """That of this process."""
    return JobQueue()
