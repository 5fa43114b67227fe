"""Frames of a video, sampled by each frame's own timestamp, as a stream.

Times are as a player shows them: seconds since the first frame. Neither the frame rate nor the frame count that a
container claims is used to place a frame: both are wrong for variable frame rates and live recordings.
"""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from grounding.errors import VideoError

SHORT_SIDE = 448  # pixels; encoders read 224 to 336, so larger frames only cost memory
MAGIC = {  # containers by offset and first bytes; playlists and scripts that name other files are none of them
    0: (b"\x1aE\xdf\xa3", b"RIFF", b"OggS", b"FLV", b"0&\xb2u", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3", b"G"),
    4: (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"G"),
}

Picture = Callable[[], np.ndarray]


class Frame(NamedTuple):
    """A sampled frame: seconds since the first frame, and (H, W, 3) uint8 RGB, upright."""

    timestamp: float
    image: np.ndarray


@dataclass(frozen=True)
class VideoInfo:
    """What the container claims: size in pixels as shown, frames a second and seconds, None where it does not say."""

    width: int
    height: int
    fps: float | None
    duration: float | None


def probe(path: str | Path) -> VideoInfo:
    """Opens a video without decoding it to the end. Raises VideoError, as FrameReader does."""
    return FrameReader(path, rate=1.0).info


class FrameReader:
    """Iterates over the sampled frames of a video; holds one frame at a time.

    The frame sampled for each point k / rate is the first one whose timestamp reaches it. OpenCV decodes; where it
    yields no frame (AV1 in most builds), PyAV does.

    Args:
        path: the video file.
        rate: frames sampled a second.

    Attributes:
        info: what the container claims.
        duration: seconds until the last frame ends; known once the iteration is over.

    Raises:
        VideoError: the file is missing, empty, no video, or holds no frame that can be decoded.
    """

    def __init__(self, path: str | Path, rate: float) -> None:
        self.path, self.rate = Path(path), rate
        check_file(self.path)
        self.info = _claimed(self.path)
        self.duration = 0.0

    def __iter__(self) -> Iterator[Frame]:
        point = 0
        for timestamp, picture in self.timed():
            if timestamp * self.rate >= point - 1e-6:
                point = math.floor(timestamp * self.rate + 1e-6) + 1
                yield Frame(timestamp, _shrink(picture()))
        if not self.duration:
            raise VideoError(_no_picture(self.path))

    def timed(self) -> Iterator[tuple[float, Picture]]:
        """All frames in order, times from 0 and increasing, each with a way to get its picture. Sets `duration`."""
        first, last, step = None, -math.inf, 1 / (self.info.fps or 25.0)
        for raw, picture in _decoded(self.path):
            first = raw if first is None else first
            timestamp = raw - first
            if timestamp <= last:
                continue  # a repeated or backward timestamp: the player would not show this frame
            step = timestamp - last if last >= 0 else step
            last = timestamp
            self.duration = timestamp + step
            yield timestamp, picture


def read_frames(path: str | Path, timestamps: Sequence[float]) -> list[np.ndarray]:
    """The first frame that reaches each of `timestamps` (seconds, any order), (H, W, 3) uint8 RGB, in one pass.

    Given a sampled frame's own timestamp, that is the sampled frame. Raises VideoError, as FrameReader does, and for
    a time after the last frame.
    """
    waiting = sorted(range(len(timestamps)), key=lambda index: timestamps[index])
    found: dict[int, np.ndarray] = {}
    reader = FrameReader(path, rate=1.0)
    for timestamp, picture in reader.timed():
        while waiting and timestamp >= timestamps[waiting[0]] - 1e-3:
            found[waiting.pop(0)] = _shrink(picture())
        if not waiting:
            return [found[index] for index in range(len(timestamps))]
    raise VideoError(f"{reader.path.name!r} ends at {reader.duration:.2f} s: ask for earlier frames.")


def check_file(path: Path) -> None:
    """Raises VideoError unless `path` is a file that begins like a video container."""
    name = path.name
    if not path.exists():
        raise VideoError(f"There is no file {name!r}: check the path.")
    if not path.is_file():
        raise VideoError(f"{name!r} is not a file: give a video file, such as an mp4.")
    with path.open("rb") as file:
        head = file.read(16)
    if not head:
        raise VideoError(f"The file {name!r} is empty: upload or copy it again.")
    if not any(head.startswith(magic, offset) for offset, magics in MAGIC.items() for magic in magics):
        raise VideoError(f"The file {name!r} is not a video: give an mp4, mov, mkv, webm or avi file.")


def _claimed(path: Path) -> VideoInfo:
    capture = _open(path)
    fps, count = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
    size = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    opened = capture.isOpened()
    capture.release()
    if not opened:
        raise VideoError(_no_picture(path))
    fps = fps if math.isfinite(fps) and 0 < fps < 1000 else None
    return VideoInfo(*size, fps, count / fps if fps and 0 < count < 1e9 else None)


def _open(path: Path) -> cv2.VideoCapture:
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # our message says what is wrong, once
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)


def _decoded(path: Path) -> Iterator[tuple[float, Picture]]:
    """Timestamps as the file has them, each with a way to get the picture, which skipped frames never pay for."""
    empty = True
    for frame in _opencv_frames(path):
        empty = False
        yield frame
    if empty:
        yield from _pyav_frames(path)


def _opencv_frames(path: Path) -> Iterator[tuple[float, Picture]]:
    capture = _open(path)

    def picture() -> np.ndarray:
        return cv2.cvtColor(capture.retrieve()[1], cv2.COLOR_BGR2RGB)  # (H, W, 3), rotated upright by OpenCV

    try:
        while capture.grab():
            yield capture.get(cv2.CAP_PROP_POS_MSEC) / 1000, picture
    finally:
        capture.release()


def _pyav_frames(path: Path) -> Iterator[tuple[float, Picture]]:
    import av

    try:
        with av.open(str(path)) as container:
            for frame in container.decode(container.streams.video[0]):
                if frame.time is not None:
                    yield frame.time, lambda frame=frame: _upright(frame)
    except (av.FFmpegError, IndexError):
        return  # what was decoded before the fault counts; nothing at all is reported by the reader


def _upright(frame: "av.VideoFrame") -> np.ndarray:  # noqa: F821
    turns = round(getattr(frame, "rotation", 0) / 90) % 4  # counter-clockwise, as the display matrix says
    return np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), turns))  # (H, W, 3)


def _shrink(image: np.ndarray) -> np.ndarray:
    scale = SHORT_SIDE / min(image.shape[:2])
    return image if scale >= 1 else cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def _no_picture(path: Path) -> str:
    """Why no frame could be decoded, and what to do."""
    import av

    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                return f"The file {path.name!r} holds sound but no picture: give a file with a video stream."
    except (av.FFmpegError, OSError):
        return f"The file {path.name!r} is damaged or cut off: its container cannot be opened. Save or upload it again."
    return f"No frame of {path.name!r} can be decoded: convert it to an h264 mp4 and try again."
