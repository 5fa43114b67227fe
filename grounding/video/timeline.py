"""Decoded frames on the clock that every answer uses, from any point of a file: for cuts and previews."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, dropwhile
from pathlib import Path
from typing import TYPE_CHECKING

from grounding.errors import VideoError
from grounding.video.container import check_file, claimed, opened, packet_times, tolerant, undecodable

if TYPE_CHECKING:
    import av

PREROLL = 5.0  # seconds decoded before the point asked for, since a container may seek to a frame that is no key frame

Timed = tuple[float, "av.VideoFrame"]


def frames_from(path: Path, start: float = 0.0) -> Iterator[Timed]:
    """Frames with their seconds since the first frame, as FrameReader counts; the first is not after `start`.

    Seeks where the container can, and otherwise decodes from the beginning. Raises VideoError.
    """
    check_file(path)
    if start > PREROLL:
        frames = _clocked(path, start - PREROLL)
        head = next(frames, None)
        if head is not None and head[0] <= start:
            yield from chain([head], frames)
            return
        frames.close()
    yield from _clocked(path, 0.0)


@dataclass(frozen=True)
class Beginning:
    """Of the first frame: seconds on the container's own clock, which sound shares, and a pixel's width / height."""

    seconds: float
    pixel_shape: float


def beginning(path: Path) -> Beginning:
    """What has to be known of a file before its frames and its sound can be copied. Raises VideoError."""
    with opened(path) as (container, stream):
        first = next((frame.time or 0.0 for _, frame in tolerant(container, stream)), 0.0)
        return Beginning(first, float(stream.sample_aspect_ratio or 1) or 1.0)


def read_length(path: Path) -> float:
    """Seconds from the first frame to the end of the last, without decoding what lies between.

    Where packets have no timestamps, what the container claims; infinity where it claims nothing.
    """
    last, seconds = packet_times(path)[1]
    if last < math.inf:
        with opened(path) as (container, stream):
            first = next((raw or 0.0 for raw, _ in tolerant(container, stream)), 0.0)
        return last + seconds - first
    return claimed(path)[0].duration or math.inf


def _clocked(path: Path, early: float) -> Iterator[Timed]:
    """All frames from the key frame before `early` seconds on."""
    with opened(path) as (container, stream):
        stream.thread_type = "AUTO"
        frames = tolerant(container, stream)
        first = next(frames, None)
        if first is None:
            raise VideoError(undecodable(path))
        origin = first[0]
        if early and origin is not None and _sought(container, stream, origin + early):
            frames = dropwhile(lambda frame: not frame[1].key_frame, tolerant(container, stream))
        else:
            frames = chain([first], frames)
        yield from _increasing(frames, origin or 0.0, 1 / float(stream.average_rate or 25))


def _sought(container: "av.container.InputContainer", stream: "av.VideoStream", seconds: float) -> bool:
    import av

    try:
        container.seek(round(seconds / stream.time_base) + (stream.start_time or 0), stream=stream)
    except av.FFmpegError:
        return False
    return True


def _increasing(frames: Iterator[tuple[float | None, "av.VideoFrame"]], origin: float, step: float) -> Iterator[Timed]:
    """Drops frames that go back in time, which no player shows; a frame without a timestamp follows the last one."""
    last = -math.inf
    for raw, frame in frames:
        timestamp = (last + step if last > -math.inf else 0.0) if raw is None else raw - origin
        if timestamp > last:
            last = timestamp
            yield timestamp, frame
