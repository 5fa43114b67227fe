"""Frames of a video, sampled by each frame's own timestamp, as a stream.

Times are as a player shows them: seconds since the first frame. Neither the frame rate nor the frame count that a
container claims is used to place a frame: both are wrong for variable frame rates and live recordings.
"""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from grounding.errors import VideoError

if TYPE_CHECKING:
    import av

SHORT_SIDE = 448  # pixels; encoders read 224 to 336, so larger frames only cost memory
SAME = 1e-3  # seconds; mkv and webm round timestamps to milliseconds
SLACK = 0.5  # seconds between the last frame and the last packet before a decoder counts as stopped early
MAX_BACKWARD = 10  # frames in a row that go back in time: fewer are a glitch, more are a clock that was set back
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,ogg,asf"  # ffmpeg's names; no playlist is one
MAGIC = (b"\x1aE\xdf\xa3", b"RIFF", b"OggS", b"FLV", b"0&\xb2u", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3")
MP4_BOXES = (b"ftyp", b"styp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
BROADCAST = ("mpegts", "mpeg")  # formats in which a progressive stream may turn interlaced
TS_PACKET = 188  # bytes; every packet of a transport stream begins with "G"

Picture = Callable[[], np.ndarray]


class Frame(NamedTuple):
    """A sampled frame: seconds since the first frame, and (H, W, 3) uint8 RGB, upright."""

    timestamp: float
    image: np.ndarray


@dataclass(frozen=True)
class VideoInfo:
    """What the container claims: pixels as shown, frames a second and seconds (None where it does not say), decoder."""

    width: int
    height: int
    fps: float | None
    duration: float | None
    codec: str


def probe(path: str | Path) -> VideoInfo:
    """Opens a video and decodes its first frame. Raises VideoError, as FrameReader does."""
    return FrameReader(path, rate=1.0).info


class FrameReader:
    """Iterates over the sampled frames of a video; holds one frame at a time.

    The frame sampled for each point k / rate is the first one whose timestamp reaches it. OpenCV decodes; where it
    stops before the last packet (at once for AV1 in most builds, midway in a damaged file), PyAV goes on. Interlaced
    videos are left to PyAV: OpenCV from 4.13 on returns their frames black or stale, and says that all is well.

    Args:
        path: the video file.
        rate: frames sampled a second.
        short_side: pixels; larger frames are scaled down to it.

    Attributes:
        info: what the container claims.
        duration: seconds until the last frame ends; known once the iteration is over.

    Raises:
        VideoError: the file is missing, empty, no video, holds no frame that can be decoded, or (while iterating)
            its timestamps go backwards for good.
    """

    def __init__(self, path: str | Path, rate: float, short_side: int = SHORT_SIDE) -> None:
        if not 0 < rate < math.inf:
            raise ValueError(f"The sampling rate is {rate}: give a positive number of frames a second.")
        self.path, self.rate, self.short_side = Path(path), rate, short_side
        check_file(self.path)
        self.info, self._opencv_fails = _claimed(self.path)
        self.duration = 0.0

    def __iter__(self) -> Iterator[Frame]:
        point = 0
        for timestamp, picture in self.timed():
            if timestamp >= point / self.rate - SAME:
                point = math.floor((timestamp + SAME) * self.rate) + 1
                yield Frame(timestamp, picture())
        if not self.duration:
            raise VideoError(_undecodable(self.path))

    def timed(self) -> Iterator[tuple[float, Picture]]:
        """All frames in order, times from 0 and increasing, each with a way to get its picture. Sets `duration`."""
        first, last, shortest, backward = None, -math.inf, math.inf, 0
        step = 1 / (self.info.fps or 25.0)  # how long a frame is shown where the file does not say
        for raw, picture in self._decoded():
            first = (raw or 0.0) if first is None else first
            timestamp = last + step if raw is None else raw - first
            if timestamp <= last:  # a player would not show this frame
                backward += 1
                self._check_clock(backward)
                continue
            shortest = min(shortest, timestamp - last)
            step = shortest if shortest < math.inf else step
            last, backward = timestamp, 0
            self.duration = timestamp + step
            yield timestamp, lambda picture=picture: _shrink(picture(), self.short_side)
        if self.duration and self._end[1] and abs(self._end[0] - first - last) < SLACK:
            self.duration = last + self._end[1]

    def _decoded(self) -> Iterator[tuple[float | None, Picture]]:
        """Raw timestamps (None where a frame has none), each with a way to get the picture, paid for when called."""
        last = -math.inf
        for raw, picture in () if self._opencv_fails else _opencv_frames(self.path):
            last = last if raw is None else raw
            yield raw, picture
        if self._end[0] > last + SLACK:
            yield from ((raw, picture) for raw, picture in _pyav_frames(self.path) if raw is None or raw > last)

    @cached_property
    def _end(self) -> tuple[float, float]:
        return _last_packet(self.path)

    def _check_clock(self, backward: int) -> None:
        if backward > MAX_BACKWARD:
            raise VideoError(
                f"The timestamps of {self.path.name!r} jump backwards after {self.duration:.1f} s, so its moments have "
                "no certain time: convert it to a new mp4 and try again."
            )


def read_frames(path: str | Path, timestamps: Sequence[float], short_side: int = SHORT_SIDE) -> list[np.ndarray]:
    """The frames on screen at `timestamps` (seconds, any order), each (H, W, 3) uint8 RGB.

    One pass over the file for timestamps that are those of frames, as sampled ones are; a second pass for others,
    since whether a frame was still on screen is known when the next one comes. Raises VideoError, as FrameReader
    does, and for a time after the end.
    """
    reader = FrameReader(path, rate=1.0, short_side=short_side)
    images: dict[float, np.ndarray] = {}
    shown: dict[float, float] = {}  # time asked for -> timestamp of the frame on screen
    waiting, last = sorted(set(timestamps)), 0.0
    for timestamp, picture in reader.timed():
        while waiting and waiting[0] < timestamp - SAME:
            shown[waiting.pop(0)] = last
        while waiting and waiting[0] <= timestamp + SAME:
            images[waiting.pop(0)] = picture()
        last = timestamp
        if not waiting:
            break
    if waiting and waiting[-1] > reader.duration + SAME:
        raise VideoError(f"{reader.path.name!r} ends at {reader.duration:.2f} s: ask for earlier frames.")
    shown |= dict.fromkeys(waiting, last)
    if shown:
        images |= zip(shown, read_frames(path, list(shown.values()), short_side), strict=True)
    return [images[timestamp] for timestamp in timestamps]


def check_file(path: Path) -> None:
    """Raises VideoError unless `path` is a file that begins like a video container."""
    name = path.name
    try:
        str(path).encode()  # OpenCV crashes on a name that is not UTF-8
        if not path.exists():
            raise VideoError(f"There is no file {name!r}: check the path.")
        if not path.is_file():
            raise VideoError(f"{name!r} is not a file: give a video file, such as an mp4.")
        with path.open("rb") as file:
            head = file.read(2 * TS_PACKET)
    except UnicodeEncodeError as error:
        raise VideoError(f"The name of {name!r} cannot be read as text: rename the file.") from error
    except OSError as error:
        raise VideoError(f"{name!r} cannot be read ({error.strerror}): check its name and its permissions.") from error
    if not head:
        raise VideoError(f"The file {name!r} is empty: upload or copy it again.")
    if not _begins_like_a_video(head):
        raise VideoError(f"The file {name!r} is not a video: give an mp4, mov, mkv, webm or avi file.")


def _begins_like_a_video(head: bytes) -> bool:
    packets = (head[start : start + TS_PACKET + 1] for start in (0, 4))  # 4: with time codes, as cameras write
    return (
        head.startswith(MAGIC)
        or head.startswith(MP4_BOXES, 4)
        or any(len(packet) > TS_PACKET and packet[0] == packet[-1] == ord("G") for packet in packets)
    )


def _claimed(path: Path) -> tuple[VideoInfo, bool]:
    """What the container claims, and whether its frames may be interlaced."""
    with _opened(path) as (container, stream):
        frame = next((frame for _, frame in _tolerant(container, stream)), None)
        if frame is None:
            raise VideoError(_undecodable(path))
        size = (frame.width, frame.height) if _quarter_turns(frame) % 2 == 0 else (frame.height, frame.width)
        fps = float(stream.average_rate or 0)
        seconds = float(stream.duration * stream.time_base) if stream.duration else (container.duration or 0) / 1e6
        name = stream.codec_context.name
        interlaced = frame.interlaced_frame or container.format.name in BROADCAST
    return VideoInfo(*size, fps if 0 < fps < 1000 else None, seconds if seconds > 0 else None, name), interlaced


def _undecodable(path: Path) -> str:
    return f"No frame of {path.name!r} can be decoded: convert it to an h264 mp4 and try again."


def _opencv_frames(path: Path) -> Iterator[tuple[float | None, Picture]]:
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # our message says what is wrong, once
    log = cv2.utils.logging if hasattr(cv2.utils, "logging") else cv2  # its place in OpenCV 5, and in 4
    log.setLogLevel(0)
    capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG)  # absolute: "concat:a" is a protocol otherwise

    def picture() -> np.ndarray:
        found, image = capture.retrieve()
        if not found:
            raise VideoError(_undecodable(path))
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)  # (H, W, 3), rotated upright by OpenCV

    try:
        first = True
        while capture.grab():
            seconds = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            yield (seconds if seconds or first else None), picture  # 0 is also OpenCV's word for no timestamp
            first = False
    finally:
        capture.release()


@contextmanager
def _opened(path: Path) -> Iterator[tuple["av.container.InputContainer", "av.VideoStream"]]:
    """The container and its video stream. A format that can point to other files or addresses is refused."""
    import av

    only = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
    try:
        container = av.open(str(path.absolute()), container_options=only, metadata_errors="replace")
    except av.FFmpegError as error:
        raise VideoError(
            f"The file {path.name!r} is damaged or cut off: its container cannot be opened. Save or upload it again."
        ) from error
    with container:
        cover = av.stream.Disposition.attached_pic
        stream = next((stream for stream in container.streams.video if not stream.disposition & cover), None)
        if stream is None:
            raise VideoError(f"The file {path.name!r} holds sound but no picture: give a file with a video stream.")
        yield container, stream


def _pyav_frames(path: Path) -> Iterator[tuple[float | None, Picture]]:
    with _opened(path) as (container, stream):
        stream.thread_type = "AUTO"
        for seconds, frame in _tolerant(container, stream):
            yield seconds, lambda frame=frame: _upright(frame)


def _tolerant(
    container: "av.container.InputContainer", stream: "av.VideoStream"
) -> Iterator[tuple[float | None, "av.VideoFrame"]]:
    """Frames with their raw timestamps; one broken packet does not end the video."""
    import av

    stream.codec_context.flags |= av.codec.context.Flags.output_corrupt  # else HEVC waits for the next key frame
    with suppress(av.FFmpegError):  # the file itself breaks off: what was read before counts
        for packet in container.demux(stream):
            frames: list[av.VideoFrame] = []
            with suppress(av.FFmpegError):
                frames = packet.decode()
            for frame in frames:
                yield _seconds(stream, frame.pts), frame


def _last_packet(path: Path) -> tuple[float, float]:
    """Raw timestamp and length of the last packet, in seconds, read without decoding; infinity if none has one."""
    import av

    last = (-math.inf, 0.0)
    with _opened(path) as (container, stream), suppress(av.FFmpegError):
        for packet in container.demux(stream):
            seconds = _seconds(stream, packet.dts if packet.pts is None else packet.pts)
            if seconds is not None:
                last = max(last, (seconds, float((packet.duration or 0) * stream.time_base)))
    return last if last[0] > -math.inf else (math.inf, 0.0)


def _seconds(stream: "av.VideoStream", pts: int | None) -> float | None:
    """From the start that the stream states, which is how OpenCV counts too."""
    return None if pts is None else float((pts - (stream.start_time or 0)) * stream.time_base)


def _quarter_turns(frame: "av.VideoFrame") -> int:
    return round(frame.rotation / 90) % 4  # counter-clockwise, as the display matrix says


def _upright(frame: "av.VideoFrame") -> np.ndarray:
    return np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), _quarter_turns(frame)))  # (H, W, 3)


def _shrink(image: np.ndarray, short_side: int) -> np.ndarray:
    scale = short_side / min(image.shape[:2])
    return image if scale >= 1 else cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
