"""What is done with untrusted files in a child process, for callers who need not know that there is one."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from grounding.files import preview_name, swept
from grounding.isolation.protocol import Message
from grounding.isolation.worker_pool import children
from grounding.video.container import VideoInfo
from grounding.video.damage import Span
from grounding.video.media_info import MediaInfo
from grounding.video.reader import SHORT_SIDE, Frame, check_rate

Progress = Callable[..., None]


class ApartReader:
    """A FrameReader whose decoder runs in a child process; it decodes up to children.AHEAD frames in advance.

    Whoever stops iterating stops the decoder. Attributes, arguments and errors are FrameReader's; on top of these,
    VideoError is raised where the limits of `Patience` are reached and where the decoder crashes.
    """

    def __init__(self, path: str | Path, rate: float, short_side: int = SHORT_SIDE) -> None:
        check_rate(rate)
        self.path, self.rate, self.short_side = Path(path), rate, short_side
        self.duration = 0.0
        self.skipped: tuple[Span, ...] = ()
        self._messages: Iterator[Message] | None = self._started()
        self.info = VideoInfo(**next(self._messages).said["info"])

    def __iter__(self) -> Iterator[Frame]:
        messages, self._messages = self._messages, None
        if messages is None:  # once more
            messages = self._started()
            next(messages)
        with closing(messages):
            for said, carried in messages:
                self.duration = said["duration"]
                if "end" in said:
                    self.skipped = tuple(map(tuple, said["skipped"]))
                else:
                    yield Frame(said["timestamp"], np.frombuffer(carried, np.uint8).reshape(said["shape"]))

    def _started(self) -> Generator[Message, None, None]:
        arguments = {"path": str(self.path.absolute()), "rate": self.rate, "short_side": self.short_side}
        return children().do("frames", self.path.name, arguments)


def length(path: Path) -> float:
    """As clock.length, in a child process."""
    return _last("length", path, {"path": str(path.absolute())})["length"]


def read_media_info(path: str | Path) -> MediaInfo:
    """As media_info.read_media_info, in a child process."""
    path = Path(path)
    info = _last("media_info", path, {"path": str(path.absolute())})["info"]
    return MediaInfo(**{**info, "rate": Fraction(info["rate"])})


def preview(path: str | Path, folder: str | Path, progress: Progress | None = None) -> Path:
    """As preview.preview, in a child process. Whatever ends the work, nothing unfinished is left in `folder`."""
    path, folder = Path(path), Path(folder)
    arguments = {"path": str(path.absolute()), "folder": str(folder.absolute())}
    with swept(folder / preview_name(path)):
        return Path(_last("preview", path, arguments, progress)["path"])


def cut(path: str | Path, start: float, end: float, out: str | Path, progress: Progress | None = None) -> Path:
    """As cutting.cut, in a child process. Whatever ends the work, nothing unfinished is left beside `out`."""
    path, out = Path(path), Path(out)
    arguments = {"path": str(path.absolute()), "start": start, "end": end, "out": str(out.absolute())}
    with swept(out):
        _last("cut", path, arguments, progress)
    return out


def _last(job: str, path: Path, arguments: dict[str, Any], progress: Progress | None = None) -> dict[str, Any]:
    with closing(children().do(job, path.name, arguments)) as messages:
        for said, _ in messages:
            if "end" in said:
                break
            if progress:
                progress(*said["progress"])
    return said
