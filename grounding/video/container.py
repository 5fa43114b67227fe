"""What a video file is, and its frames as OpenCV and PyAV decode them."""

import math
import os
import re
from array import array
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from grounding.errors import VideoError
from grounding.video.limits import limits_from_env

if TYPE_CHECKING:
    import av

FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,ogg,asf"  # ffmpeg's names; no playlist is one
ONLY = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}  # ffmpeg's options
MAGIC = (b"\x1aE\xdf\xa3", b"OggS", b"FLV", b"0&\xb2u", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3")
MP4_BOXES = (b"ftyp", b"styp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
BROADCAST = ("mpegts", "mpeg")  # formats in which a progressive stream may turn interlaced
LONGEST = 4096  # pixels; pictures six times as long as high reach it, and many of them wait for the encoder
ADDRESS = re.compile(r"\w{2,}:/")  # as a Path writes it; one letter is a drive
FETCH = "an address is not read, so download the video first and give the path of the file"
TS_PACKET = 188  # bytes; every packet of a transport stream begins with "G"

Picture = Callable[[], np.ndarray]


@dataclass(frozen=True)
class VideoInfo:
    """What the container claims: pixels as shown, frames a second and seconds (None where it does not say), decoder."""

    width: int
    height: int
    fps: float | None
    duration: float | None
    codec: str


def check_file(path: Path) -> None:
    """Raises VideoError unless `path` is a file that begins like a video container."""
    name = path.name
    try:
        str(path).encode()  # OpenCV crashes on a name that is not UTF-8
        if not path.exists():
            raise VideoError(f"There is no file {name!r}: {FETCH if ADDRESS.match(str(path)) else 'check the path'}.")
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
        or (head.startswith(b"RIFF") and head.startswith(b"AVI", 8))  # pictures and sound come as RIFF too
        or any(len(packet) > TS_PACKET and packet[0] == packet[-1] == ord("G") for packet in packets)
    )


def claimed(path: Path) -> tuple[VideoInfo, bool]:
    """What the container claims, and whether its frames may be interlaced."""
    with opened(path) as (container, stream):
        frame = next((frame for _, frame in tolerant(container, stream)), None)
        if frame is None:
            raise VideoError(undecodable(path))
        size = (frame.width, frame.height) if quarter_turns(frame) % 2 == 0 else (frame.height, frame.width)
        fps = float(stream.average_rate or 0)
        seconds = float(stream.duration * stream.time_base) if stream.duration else (container.duration or 0) / 1e6
        name = stream.codec_context.name
        interlaced = frame.interlaced_frame or container.format.name in BROADCAST
    return VideoInfo(*size, fps if 0 < fps < 1000 else None, seconds if seconds > 0 else None, name), interlaced


def undecodable(path: Path) -> str:
    """Says that no frame can be decoded, and what to do."""
    return f"No frame of {path.name!r} can be decoded: convert it to an h264 mp4 and try again."


def opencv_frames(path: Path, short_side: int) -> Iterator[tuple[float | None, Picture]]:
    """Raw timestamps in seconds, None where a frame has none, each with a way to get the picture until the next.

    Pictures are scaled down as `shrunk` does.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # our message says what is wrong, once
    log = cv2.utils.logging if hasattr(cv2.utils, "logging") else cv2  # its place in OpenCV 5, and in 4
    log.setLogLevel(0)
    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = "|".join(f"{name};{value}" for name, value in ONLY.items())
    patience = limits_from_env()
    capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG)  # absolute: "concat:a" is a protocol otherwise

    def picture() -> np.ndarray:
        found, image = capture.retrieve()
        if not found:
            raise VideoError(undecodable(path))
        patience.check_size(path.name, image.shape[1], image.shape[0])  # a stream may change it midway
        return cv2.cvtColor(shrunk(image, short_side), cv2.COLOR_BGR2RGB)  # (H, W, 3), rotated upright by OpenCV

    try:
        first = True
        while capture.grab():
            seconds = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            yield (seconds if seconds or first else None), picture  # 0 is also OpenCV's word for no timestamp
            first = False
    finally:
        capture.release()


@contextmanager
def opened(path: Path) -> Iterator[tuple["av.container.InputContainer", "av.VideoStream"]]:
    """The container and its video stream. A format that can point to other files or addresses is refused."""
    import av

    av.logging.set_level(None)  # older torchvisions turn it on: then a decoder's thread that logs may wait for ever
    try:
        container = av.open(str(path.absolute()), container_options=ONLY, metadata_errors="replace")
    except av.FFmpegError as error:
        raise VideoError(
            f"The file {path.name!r} is damaged or cut off: its container cannot be opened. Save or upload it again."
        ) from error
    with container:
        cover = av.stream.Disposition.attached_pic
        stream = next((stream for stream in container.streams.video if not stream.disposition & cover), None)
        if stream is None:
            raise VideoError(f"The file {path.name!r} holds sound but no picture: give a file with a video stream.")
        if stream.codec_context is None:  # a codec that nobody knows, or a damaged name of one
            raise VideoError(undecodable(path))
        limits_from_env().check_size(path.name, stream.codec_context.width, stream.codec_context.height)
        yield container, stream


def pyav_frames(
    path: Path,
    short_side: int,
    wanted: Set[int] | None = None,
    see: Callable[[float | None, "av.VideoFrame"], None] = lambda seconds, frame: None,
) -> Iterator[tuple[float | None, Picture]]:
    """As `opencv_frames`, on the same clock; only the frames with `wanted` timestamps, where they are given.

    `see` is called for every frame that is decoded, with its raw timestamp.
    """
    with opened(path) as (container, stream):
        stream.thread_type = "AUTO"
        for seconds, frame in tolerant(container, stream, wanted):
            see(seconds, frame)
            if wanted is None or frame.pts in wanted:
                yield seconds, lambda frame=frame: upright(frame, short_side)


def tolerant(
    container: "av.container.InputContainer", stream: "av.VideoStream", wanted: Set[int] | None = None
) -> Iterator[tuple[float | None, "av.VideoFrame"]]:
    """Frames with their raw timestamps; one broken packet does not end the video.

    With `wanted` (timestamps in the stream's unit) the decoder may leave out others that no frame is predicted from.
    """
    import av

    patience, name = limits_from_env(), Path(container.name).name
    stream.codec_context.flags |= av.codec.context.Flags.output_corrupt  # else HEVC waits for the next key frame
    with damage():  # the file itself breaks off: what was read before counts
        for packet in container.demux(stream):
            if wanted is not None:
                stream.codec_context.skip_frame = "DEFAULT" if packet.pts in wanted else "NONREF"
            frames: list[av.VideoFrame] = []
            with damage():
                frames = packet.decode()
            for frame in frames:
                patience.check_size(name, frame.width, frame.height)
                yield raw_seconds(stream, frame.pts), frame


@contextmanager
def damage() -> Iterator[None]:
    """Forgives an error of the decoder or the container, but no lack of memory."""
    import av

    try:
        yield
    except av.FFmpegError as error:
        if isinstance(error, MemoryError):
            raise


def packet_times(path: Path) -> tuple[array, tuple[float, float]]:
    """Raw timestamps of all packets whose frames are shown, and raw timestamp and length of the last of all packets,
    in seconds, read without decoding; infinity as the last where none has one."""
    times, last = array("d"), (-math.inf, 0.0)
    with opened(path) as (container, stream), damage():
        for packet in container.demux(stream):
            seconds = raw_seconds(stream, packet.dts if packet.pts is None else packet.pts)
            if seconds is not None:
                last = max(last, (seconds, float((packet.duration or 0) * stream.time_base)))
                if packet.size and not packet.is_discard:  # an edit list discards
                    times.append(seconds)
    return times, last if last[0] > -math.inf else (math.inf, 0.0)


def raw_seconds(stream: "av.VideoStream", pts: int | None) -> float | None:
    """From the start that the stream states, which is how OpenCV counts too."""
    return None if pts is None else float((pts - (stream.start_time or 0)) * stream.time_base)


def quarter_turns(frame: "av.VideoFrame") -> int:
    return round(frame.rotation / 90) % 4  # counter-clockwise, as the display matrix says


def upright(frame: "av.VideoFrame", short_side: int | None = None) -> np.ndarray:
    """(H, W, 3) uint8 RGB, scaled down as `shrunk` does if `short_side` is given."""
    image = frame.to_ndarray(format="rgb24")
    image = shrunk(image, short_side) if short_side else image
    return np.ascontiguousarray(np.rot90(image, quarter_turns(frame)))  # (H, W, 3)


def shrunk(image: np.ndarray, short_side: int) -> np.ndarray:
    """The means of square blocks, as large as leave at least `short_side` pixels, and larger where the long side has
    more than LONGEST; a whole factor is quick."""
    short, long = sorted(image.shape[:2])
    factor = max(short // short_side, min(math.ceil(long / LONGEST), short), 1)
    if factor == 1:
        return image
    return cv2.resize(image, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
