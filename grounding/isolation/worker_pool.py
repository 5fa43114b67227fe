"""Child processes that open untrusted files: there a decoder may crash, hang or take all memory, and nothing else does.

A child does one job after another (see worker.py). It is killed when it says nothing for too long, when a job takes
too long, and when nobody wants the rest of one. One is kept in reserve, so that nobody waits for a start.
"""

import atexit
import logging
import os
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from queue import Empty, Queue
from threading import Event, Lock, Thread
from typing import Any

from grounding.errors import GroundingError, VideoError
from grounding.isolation.protocol import Message, receive, send
from grounding.text import printable
from grounding.video.limits import Patience, crashed, failed

AHEAD = 32  # messages that wait to be taken: a child decodes while the frames before are encoded
RESERVE = 2  # children that wait for a job
LOOK = 0.2  # seconds between two looks whether a silent child is still there
ROOT = Path(__file__).parents[2]

log = logging.getLogger(__name__)


class Child:
    """A process that does one job at a time, and a thread that listens to it.

    Attributes:
        free: whether it waits for a job.
    """

    def __init__(self, patience: Patience) -> None:
        self._patience, self.free, self._stop = patience, True, Event()
        self._messages: Queue[Message | None] = Queue(AHEAD)
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "grounding.isolation.worker", str(patience.megabytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
        )
        self._thread = Thread(target=self._listen, name=f"child {self._process.pid}", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, job: str, name: str, arguments: dict[str, Any]) -> Iterator[Message]:
        """The messages of a job, the last of which tells its end.

        Raises VideoError where the job does, or the child's patience ends, or it dies; `name` is the file's.
        """
        self.free, left = False, self._patience.seconds
        with suppress(OSError):  # it is dead, as its answer will show
            send(self._process.stdin, {"job": job, "arguments": arguments})
        while True:
            begin = time.monotonic()
            message = self._next(name, left)
            left -= time.monotonic() - begin
            ended = message.said.get("end")
            self.free = ended in ("done", "error")
            self._check(message, name)
            if "alive" not in message.said:
                yield message
            if ended:
                return

    def kill(self) -> None:
        """Ends it, whatever it does."""
        self._stop.set()
        self._process.kill()
        with suppress(Empty):  # the listener may wait for room
            while True:
                self._messages.get_nowait()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        self._thread.join(timeout=5)
        with suppress(OSError):
            self._process.stdin.close()

    def _next(self, name: str, left: float) -> Message:
        until = time.monotonic() + min(self._patience.stall, left)
        while time.monotonic() < until:
            with suppress(Empty):
                message = self._messages.get(timeout=min(LOOK, max(until - time.monotonic(), 0.001)))
                if message is not None:
                    return message
                break
            if not self.alive:  # and its end of the pipe is held open by a fork
                break
        else:
            raise self._patience.stalled(name) if left > self._patience.stall else self._patience.too_long(name)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        raise crashed(name, self._process.returncode)

    def _check(self, message: Message, name: str) -> None:
        end, why = message.said.get("end"), message.said.get("why")
        if end == "error":
            kinds = {kind.__name__: kind for kind in GroundingError.__subclasses__()}
            raise kinds.get(message.said["kind"], VideoError)(why)
        if end == "memory":
            raise self._patience.too_large(name)
        if end == "failed":
            log.warning("%s: %s", printable(name), printable(message.said["log"]))
            raise failed(name, why)

    def _listen(self) -> None:
        with self._process.stdout as pipe, suppress(OSError, ValueError):  # ValueError: it said what is no message
            while not self._stop.is_set() and (message := receive(pipe)) is not None:
                self._messages.put(message)
        self._messages.put(None)


class Children:
    """The children of this process, lent to one job at a time each."""

    def __init__(self, patience: Patience) -> None:
        self.patience, self._lock, self._idle = patience, Lock(), list[Child]()

    def warm(self) -> None:
        """Starts a child if none waits for a job."""
        with self._lock:
            self._idle = self._idle or [self._new()]

    def do(self, job: str, name: str, arguments: dict[str, Any]) -> Generator[Message, None, None]:
        """See `Child.ask`. Whoever stops iterating kills the child."""
        child = self._borrow()
        try:
            yield from child.ask(job, name, arguments)
        finally:
            self._give_back(child)

    def kill(self) -> None:
        """Ends all that wait for a job."""
        with self._lock:
            idle, self._idle = self._idle, []
        for child in idle:
            child.kill()

    def _borrow(self) -> Child:
        with self._lock:
            while self._idle:
                child = self._idle.pop()
                if child.alive:
                    return child
                child.kill()
        return self._new()

    def _new(self) -> Child:
        try:
            return Child(self.patience)
        except OSError as error:
            raise VideoError(
                f"No process that decodes could be started ({error.strerror}): free memory and try again."
            ) from error

    def _give_back(self, child: Child) -> None:
        with self._lock:
            keep = child.free and len(self._idle) < RESERVE
            if keep:
                self._idle.append(child)
        if not keep:
            child.kill()
            with suppress(VideoError, RuntimeError):  # hides nothing; RuntimeError: Python shuts down
                self.warm()


def children() -> Children:
    """Those of this process."""
    return _of(os.getpid())  # after a fork, those of the parent are not one's own


@cache
def _of(process: int) -> Children:
    ours = Children(Patience.told())
    atexit.register(ours.kill)
    return ours
