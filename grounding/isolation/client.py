"""What is done with untrusted files in a worker process, for callers who need not know that there is one.

Everywhere `check` is called while the worker is waited for, many times a second: whatever it raises ends the work and
kills the worker at once, even one that hangs.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from grounding.files import make_preview_name, remove_parts_on_error
from grounding.isolation.protocol import Message
from grounding.isolation.worker_pool import Check, get_pool
from grounding.video.damage import Span
from grounding.video.media_info import MediaInfo
from grounding.video.probe import VideoInfo
from grounding.video.reader import SHORT_SIDE, Frame, check_rate

Progress = Callable[..., None]


class IsolatedReader:
    """A FrameReader whose decoder runs in a worker; it decodes up to worker_pool.MAX_QUEUED frames in advance.

    Whoever stops iterating stops the decoder. Attributes, arguments and errors are FrameReader's; on top of these,
    VideoError is raised where the limits of `DecodeLimits` are reached and where the decoder crashes.

    Args:
        first: seconds of places of interest, the most wanted first: blocks of frames around them come before the
            others, see BlockReader. None: all frames come in order of time.
        size: frames in such a block.

    Attributes:
        is_exact: whether the frames are those that come in order of time, known once the iteration is over; always
            true without `first`.
    """

    def __init__(
        self,
        path: str | Path,
        rate: float,
        short_side: int = SHORT_SIDE,
        check: Check | None = None,
        first: Sequence[float] | None = None,
        size: int = 1,
    ) -> None:
        check_rate(rate)
        self.path, self.rate, self.short_side, self._check = Path(path), rate, short_side, check
        self._blocks = {} if first is None else {"first": list(first), "size": size}
        self.duration, self.is_exact = 0.0, first is None
        self.skipped: tuple[Span, ...] = ()
        self._messages: Iterator[Message] | None = self._start()
        self.info = VideoInfo(**next(self._messages).fields["info"])

    def __iter__(self) -> Iterator[Frame]:
        with closing(self.read_indexed()) as frames:
            for _, frame in frames:
                yield frame

    def read_indexed(self) -> Iterator[tuple[int, Frame]]:
        """Each frame with its index in order of time."""
        messages, self._messages = self._messages, None
        if messages is None:  # once more
            messages = self._start()
            next(messages)
        index = -1
        with closing(messages):
            for fields, payload in messages:
                self.duration = fields["duration"]
                if "end" in fields:
                    self.skipped = tuple(map(tuple, fields["skipped"]))
                    self.is_exact = fields.get("is_exact", True)
                    return
                if "shape" in fields:  # otherwise the last picture stands still
                    image = np.frombuffer(payload, np.uint8).reshape(fields["shape"])
                index = fields.get("index", index + 1)
                yield index, Frame(fields["timestamp"], image)

    def _start(self) -> Generator[Message, None, None]:
        arguments = {"path": str(self.path.absolute()), "rate": self.rate, "short_side": self.short_side}
        job = "blocks" if self._blocks else "frames"
        return get_pool().run(job, self.path.name, arguments | self._blocks, self._check)


def read_key_frames(
    path: str | Path, count: int, short_side: int = SHORT_SIDE, check: Check | None = None
) -> Iterator[Frame]:
    """About `count` key frames from all over a video, in order, each found by seeking: a quick look at all of it."""
    return _receive_frames("key_frames", Path(path), {"count": count, "short_side": short_side}, check)


def read_frame_at(path: str | Path, seconds: float, short_side: int = SHORT_SIDE) -> Frame:
    """The frame on screen at a time, found by seeking, with its own time. Raises VideoError."""
    [frame] = _receive_frames("frame_at", Path(path), {"seconds": seconds, "short_side": short_side})  # to its end
    return frame


def _receive_frames(job: str, path: Path, arguments: dict[str, Any], check: Check | None = None) -> Iterator[Frame]:
    with closing(get_pool().run(job, path.name, {"path": str(path.absolute()), **arguments}, check)) as messages:
        for fields, payload in messages:
            if "end" not in fields:
                yield Frame(fields["timestamp"], np.frombuffer(payload, np.uint8).reshape(fields["shape"]))


def probe_video(path: str | Path, check: Check | None = None) -> VideoInfo:
    """What one look at a video tells, see probe.probe_video, in a worker."""
    path = Path(path)
    return VideoInfo(**_run("probe", path, {"path": str(path.absolute())}, check=check)["info"])


def read_media_info(path: str | Path, check: Check | None = None) -> MediaInfo:
    """As media_info.read_media_info, in a worker."""
    path = Path(path)
    info = _run("media_info", path, {"path": str(path.absolute())}, check=check)["info"]
    return MediaInfo(**{**info, "rate": Fraction(info["rate"])})


def make_preview(
    path: str | Path, folder: str | Path, progress: Progress | None = None, check: Check | None = None
) -> Path:
    """As clips.make_preview, in a worker. Whatever ends the work, nothing unfinished is left in `folder`."""
    path, folder = Path(path), Path(folder)
    arguments = {"path": str(path.absolute()), "folder": str(folder.absolute())}
    with remove_parts_on_error(folder / make_preview_name(path)):
        return Path(_run("preview", path, arguments, progress, check)["path"])


def cut_clip(
    path: str | Path,
    start: float,
    end: float,
    out: str | Path,
    progress: Progress | None = None,
    check: Check | None = None,
) -> Path:
    """As clips.cut_clip, in a worker. Whatever ends the work, nothing unfinished is left beside `out`."""
    path, out = Path(path), Path(out)
    arguments = {"path": str(path.absolute()), "start": start, "end": end, "out": str(out.absolute())}
    with remove_parts_on_error(out):
        _run("cut", path, arguments, progress, check)
    return out


def _run(
    job: str, path: Path, arguments: dict[str, Any], progress: Progress | None = None, check: Check | None = None
) -> dict[str, Any]:
    """Waits for the end of a job, and returns what it found."""
    with closing(get_pool().run(job, path.name, arguments, check)) as messages:
        for fields, _ in messages:
            if "end" in fields:
                break
            if progress:
                progress(*fields["progress"])
    return fields
