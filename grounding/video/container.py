"""What counts as a video file, and how one is opened: as a local file, in a container that points to nothing else."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import cache
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from grounding.errors import VideoError
from grounding.text import describe_type
from grounding.video.limits import DecodeLimits, limits_from_env
from grounding.video.transport_stream import HEAD_BYTES, is_transport_stream

if TYPE_CHECKING:
    import av

# ffmpeg's names of what may be opened; no playlist is one.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,ogg,asf,mxf,dv"
OPEN_OPTIONS = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
MAGIC = (
    b"\x1aE\xdf\xa3",  # matroska, webm
    b"OggS",
    b"FLV",
    b"0&\xb2u",  # asf
    b"\x00\x00\x01\xba",  # mpeg, packed
    b"\x00\x00\x01\xb3",  # mpeg, a picture track alone
    b"\x06\x0e+4\x02\x05\x01\x01",  # mxf
    b"\x1f\x07\x00",  # dv, a tape
)
MP4_BOXES = (b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"wide", b"free", b"skip", b"pnot", b"uuid", b"sidx")
BROADCAST = ("mpegts", "mpeg")  # formats in which a progressive stream may turn interlaced
ADDRESS = re.compile(r"\w{2,}:/")  # as a Path writes it; one letter is a drive


def check_file(path: Path) -> None:
    """Raises VideoError unless `path` is a file that begins like a video container, whatever its name."""
    name = path.name or str(path)
    try:
        str(path).encode()  # OpenCV crashes on a name that is not UTF-8
        if not path.exists():
            is_address = ADDRESS.match(str(path))
            download = "an address is not read, so download the video first and give the path of the file"
            raise VideoError(f"There is no file {name!r}: {download if is_address else 'check the path'}.")
        if not path.is_file():
            raise VideoError(f"{name!r} is not a file: give a video file, such as an mp4.")
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except UnicodeEncodeError as error:
        raise VideoError(f"The name of {name!r} cannot be read as text: rename the file.") from error
    except OSError as error:
        raise VideoError(f"{name!r} cannot be read ({error.strerror}): check its name and its permissions.") from error
    if not head:
        raise VideoError(f"The file {name!r} is empty: upload or copy it again.")
    if not is_video_head(head):
        raise make_no_video_error(path)


def make_no_video_error(path: Path, reason: str = "") -> VideoError:
    """A file is none, for a reason that begins with a comma where it is known."""
    return VideoError(
        f"The file {path.name!r} is not a video{reason}: give a video file, such as an mp4, mov, mkv or webm."
    )


def is_video_head(head: bytes) -> bool:
    """Whether the first HEAD_BYTES bytes of a file are those of a video container."""
    return (
        head.startswith(MAGIC)
        or head.startswith(MP4_BOXES, 4)
        or (head.startswith(b"RIFF") and head.startswith(b"AVI", 8))  # pictures and sound come as RIFF too
        or is_transport_stream(head)
    )


@contextmanager
def open_container(path: Path) -> Iterator["av.container.InputContainer"]:
    """A format that can point to other files or addresses is refused. Raises VideoError."""
    import av

    av.logging.set_level(None)  # older torchvisions turn it on: then a decoder's thread that logs may wait for ever
    try:
        container = av.open(str(path.absolute()), container_options=OPEN_OPTIONS, metadata_errors="replace")
    except av.FFmpegError as error:
        raise VideoError(
            f"The file {path.name!r} is damaged or cut off: its container cannot be opened. Save or upload it again."
        ) from error
    with container:
        yield container


@contextmanager
def forgive_damage() -> Iterator[None]:
    """Forgives an error of the decoder or the container, but no lack of memory."""
    import av

    try:
        yield
    except av.FFmpegError as error:
        if isinstance(error, MemoryError):
            raise


def make_undecodable_error(path: Path) -> VideoError:
    """No frame can be decoded."""
    return VideoError(f"No frame of {path.name!r} can be decoded: convert it to an h264 mp4 and try again.")


def seconds_from_stamp(stream: "av.VideoStream", pts: int | None) -> float | None:
    """From the start that the stream states, which is how OpenCV counts too."""
    return None if pts is None else scale_stamp(pts - (stream.start_time or 0), stream.time_base)


def scale_stamp(stamp: int, base: Fraction) -> float:
    """`stamp` times `base`, rounded once, as the product of fractions is, in a tenth of its time."""
    return stamp * base.numerator / base.denominator


@cache
def get_limits() -> DecodeLimits:
    """Those of this process, read from the environment once."""
    return limits_from_env()


def check_path(path: str | Path) -> Path:
    """The path of a readable file. Raises VideoError, also for what is no path."""
    if not isinstance(path, str | PathLike):
        raise VideoError(f"A video is given by the path of its file, a str or a Path, not by {describe_type(path)}.")
    if not os.fspath(path):
        raise VideoError("The path of the video is empty: give that of a video file, such as clip.mp4.")
    check_file(Path(path))
    return Path(path)
