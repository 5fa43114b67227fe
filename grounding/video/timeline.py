"""Decoded frames on the clock that every answer uses, from any point of a file: for cuts, previews and key frames."""

import math
from collections.abc import Iterator
from itertools import chain, dropwhile
from typing import TYPE_CHECKING

import numpy as np

from grounding.video.container import open_container
from grounding.video.probe import Probe
from grounding.video.pyav_decoder import Frames, decode_frames, decode_key_frame

if TYPE_CHECKING:
    import av

PREROLL = 5.0  # seconds decoded before the point asked for, since a container may seek to a frame that is no key frame

TimedFrames = Iterator[tuple[float, "av.VideoFrame"]]


def read_frames_from(probe: Probe, start: float = 0.0) -> TimedFrames:
    """Frames with their seconds, as FrameReader counts; the first is not after `start`, unless it is the film's.

    Seeks where the container can, and otherwise decodes from the beginning. Raises VideoError.
    """
    if start > PREROLL:
        frames = _read_from_key_frame(probe, start - PREROLL)
        head = next(frames, None)
        if head is not None and head[0] <= start:
            yield from chain([head], frames)
            return
        frames.close()
    yield from _read_from_key_frame(probe, 0.0)


def _read_from_key_frame(probe: Probe, early: float) -> TimedFrames:
    """All frames from the key frame before `early` seconds on."""
    with open_container(probe.path) as container:
        frames = decode_frames(probe, container)
        if early and probe.first is not None and seek(probe, container, probe.origin + early):
            frames = dropwhile(lambda frame: not frame[1].key_frame, frames)
        yield from drop_backward(frames, probe.origin, 1 / (probe.info.fps or 25.0))


def read_key_frames(probe: Probe, count: int) -> TimedFrames:
    """About `count` key frames from all over a video, in order, with their seconds, each found by seeking.

    Fewer where there are fewer, and the first alone where the container cannot seek.
    """
    keys, first = probe.packets.keys, probe.first
    if not len(keys) or first is None:
        return
    # The key frame nearest to the middle of each of `count` equal parts, once each.
    middles = first + (np.arange(count) + 0.5) / count * (probe.packets.end - first)  # (C,)
    nearest = np.searchsorted((keys[1:] + keys[:-1]) / 2, middles)  # (C,)
    last = -math.inf
    with open_container(probe.path) as container:
        for raw in keys[np.unique(nearest)].tolist():
            if raw > first and not seek(probe, container, raw):
                return
            found = decode_key_frame(probe, container)
            if found and found[0] is not None and found[0] > last:
                last = found[0]
                yield found[0] - probe.origin, found[1]


def seek(probe: Probe, container: "av.container.InputContainer", raw_seconds: float) -> bool:
    """Goes to the key frame before a time, as seconds_from_stamp counts it; whether the container could."""
    import av

    stream = container.streams[probe.track]
    try:
        container.seek(round(raw_seconds / stream.time_base) + (stream.start_time or 0), stream=stream)
    except av.FFmpegError:
        return False
    return True


def drop_backward(frames: Frames, origin: float, step: float) -> TimedFrames:
    """Drops frames that go back in time, which no player shows; a frame without a timestamp follows the last one."""
    last = -math.inf
    for raw, frame in frames:
        timestamp = (last + step if last > -math.inf else 0.0) if raw is None else raw - origin
        if timestamp > last:
            last = timestamp
            yield timestamp, frame
