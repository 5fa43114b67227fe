"""Workers open untrusted files: child processes in which a decoder may crash, hang or take all memory, alone.

A worker does one job after another (see worker.py). It is killed when it sends nothing for too long, when a job takes
too long, when the job is cancelled, and when nobody wants the rest of it. One is kept in reserve, so that nobody waits
for a start. A process pool of Python's own would unpickle what comes from the process that parses hostile bytes.
"""

import atexit
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from queue import Empty, Queue
from threading import Event, Lock, Thread
from typing import Any

from grounding.errors import GroundingError, VideoError
from grounding.isolation.protocol import Message, receive, send
from grounding.text import escape_unprintable
from grounding.video.limits import DecodeLimits, limits_from_env, make_crash_error, make_failure_error

MAX_QUEUED = 8  # messages that wait to be taken: a worker decodes while the frames before are encoded
PIPE_SIZE = 2**20  # bytes, the most that Linux grants: a whole frame, so that the worker need not wait for a reader
MAX_IDLE = 2  # workers that wait for a job
POLL = 0.1  # seconds between two looks whether a silent worker is still there and its job still wanted
ROOT = Path(__file__).parents[2]

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

Check = Callable[[], None]  # called while a job is waited for; whatever it raises ends the job and its worker

log = logging.getLogger(__name__)


class Worker:
    """A child process that does one job at a time, and a thread that listens to it.

    Attributes:
        is_free: whether it waits for a job.
    """

    def __init__(self, limits: DecodeLimits) -> None:
        self._limits, self.is_free, self._stop = limits, True, Event()
        self._messages: Queue[Message | None] = Queue(MAX_QUEUED)
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "grounding.isolation.worker", str(limits.megabytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
        )
        with suppress(AttributeError, OSError):  # another system, or no more is granted
            fcntl.fcntl(self._process.stdout, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
        self._thread = Thread(target=self._listen, name=f"worker {self._process.pid}", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def run(self, job: str, name: str, arguments: dict[str, Any], check: Check | None = None) -> Iterator[Message]:
        """The messages of a job, the last of which tells its end.

        `name` is the file's, for errors. `check` is called at least every POLL seconds while a message is waited for,
        and what it raises comes out here. Raises VideoError where the job does, a limit is reached, or the worker dies.
        """
        self.is_free, left = False, self._limits.seconds
        with suppress(OSError):  # it is dead, as its answer will show
            send(self._process.stdin, {"job": job, "arguments": arguments})
        while True:
            # Only waiting counts: what the caller does with a message takes its own time.
            begin = time.monotonic()
            message = self._wait_for_message(name, left, check)
            left -= time.monotonic() - begin
            # A job that ended, well or with an error of the file, leaves a worker that can do the next.
            end = message.fields.get("end")
            self.is_free = end in ("done", "error")
            self._raise_error(message, name)
            if "alive" not in message.fields:
                yield message
            if end:
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

    def _wait_for_message(self, name: str, left: float, check: Check | None) -> Message:
        until = time.monotonic() + min(self._limits.stall, left)
        while time.monotonic() < until:
            if check:
                check()
            with suppress(Empty):
                message = self._messages.get(timeout=min(POLL, max(until - time.monotonic(), 0.001)))
                if message is not None:
                    return message
                break
            if not self.is_alive:  # and its end of the pipe is held open by a fork
                break
        else:
            raise (
                self._limits.make_stall_error(name) if left > self._limits.stall else self._limits.make_time_error(name)
            )
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        raise make_crash_error(name, self._process.returncode)

    def _raise_error(self, message: Message, name: str) -> None:
        end, why = message.fields.get("end"), message.fields.get("why")
        if end == "error":
            kinds = {kind.__name__: kind for kind in GroundingError.__subclasses__()}
            raise kinds.get(message.fields["kind"], VideoError)(why)
        if end == "memory":
            raise self._limits.make_memory_error(name)
        if end == "failed":
            log.warning("%s: %s", escape_unprintable(name), escape_unprintable(message.fields["log"]))
            raise make_failure_error(name, why)

    def _listen(self) -> None:
        with self._process.stdout as pipe, suppress(OSError, ValueError):  # ValueError: what came is no message
            while not self._stop.is_set() and (message := receive(pipe)) is not None:
                self._messages.put(message)
        self._messages.put(None)


class WorkerPool:
    """The workers of this process, lent to one job at a time each."""

    def __init__(self, limits: DecodeLimits) -> None:
        self.limits, self._lock, self._idle = limits, Lock(), list[Worker]()

    def warm_up(self) -> None:
        """Starts a worker if none waits for a job."""
        with self._lock:
            self._idle = self._idle or [self._start()]

    def run(
        self, job: str, name: str, arguments: dict[str, Any], check: Check | None = None
    ) -> Generator[Message, None, None]:
        """See `Worker.run`. Whoever stops iterating kills the worker."""
        worker = self._borrow()
        try:
            yield from worker.run(job, name, arguments, check)
        finally:
            self._give_back(worker)

    def kill(self) -> None:
        """Ends all that wait for a job."""
        with self._lock:
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.kill()

    def _borrow(self) -> Worker:
        with self._lock:
            while self._idle:
                worker = self._idle.pop()
                if worker.is_alive:
                    return worker
                worker.kill()
        return self._start()

    def _start(self) -> Worker:
        try:
            return Worker(self.limits)
        except OSError as error:
            raise VideoError(
                f"No process that decodes could be started ({error.strerror}): free memory and try again."
            ) from error

    def _give_back(self, worker: Worker) -> None:
        with self._lock:
            keep = worker.is_free and len(self._idle) < MAX_IDLE
            if keep:
                self._idle.append(worker)
        if not keep:
            worker.kill()
            with suppress(VideoError, RuntimeError):  # hides nothing; RuntimeError: Python shuts down
                self.warm_up()


def get_pool() -> WorkerPool:
    """That of this process."""
    return _make_pool(os.getpid())  # after a fork, the parent's workers are not one's own


@cache
def _make_pool(process: int) -> WorkerPool:
    pool = WorkerPool(limits_from_env())
    atexit.register(pool.kill)
    return pool
