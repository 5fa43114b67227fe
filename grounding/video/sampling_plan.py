"""Which frames of a video a sampling rate asks for, told from its packets before anything is decoded."""

import math
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from grounding.video.container import opened, raw_seconds

if TYPE_CHECKING:
    import av

SAME = 1e-3  # seconds; mkv and webm round timestamps to milliseconds
CODECS = ("h264", "hevc")  # whose decoders can leave out the frames that no other frame is predicted from


@dataclass(frozen=True)
class Plan:
    """What to decode of a video.

    Attributes:
        wanted: timestamps of the sampled frames, in the stream's unit.
        seconds: (T,) the same in seconds since the first frame, increasing.
        first: raw seconds of the first frame.
        step: seconds that the last frame is shown.
        duration: seconds until the last frame ends.
        packets: (N,) raw seconds of all frames.
    """

    wanted: frozenset[int]
    seconds: np.ndarray
    first: float
    step: float
    duration: float
    packets: np.ndarray


class Grid:
    """Tells of increasing timestamps from 0 which are the first to reach a point k / rate."""

    def __init__(self, rate: float) -> None:
        self._rate, self._point = rate, 0

    def reached(self, timestamp: float) -> bool:
        reached = timestamp >= self._point / self._rate - SAME
        if reached:
            self._point = math.floor((timestamp + SAME) * self._rate) + 1
        return reached


def make_plan(path: Path, rate: float) -> Plan | None:
    """Reads all packets and decodes none. None where the packets do not tell: another codec, an avi, a timestamp that
    is missing or there twice, a file that breaks off."""
    with opened(path) as (container, stream):
        tells = stream.codec_context.name in CODECS and container.format.name != "avi"  # an avi has no timestamps
        stamps, length = _packets(container, stream) if tells else (np.empty(0, np.int64), 0)
        if len(stamps) < 2 or np.diff(stamps).min() == 0:
            return None
        raw = np.fromiter((raw_seconds(stream, stamp) for stamp in map(int, stamps)), np.float64, len(stamps))  # (N,)
        step = float(length * stream.time_base) or float(np.diff(raw).min())
    seconds = raw - raw[0]  # (N,)
    grid = Grid(rate)
    sampled = [index for index, timestamp in enumerate(map(float, seconds)) if grid.reached(timestamp)]  # (T,)
    wanted = frozenset(stamps[sampled].tolist())
    return Plan(wanted, seconds[sampled], float(raw[0]), step, float(seconds[-1]) + step, raw)


def _packets(container: "av.container.InputContainer", stream: "av.VideoStream") -> tuple[np.ndarray, int]:
    """(N,) sorted timestamps of all frames that are shown, and the length of the last; none if one lacks its timestamp.

    In arrays: as objects, those of two hours would leave 25 MB behind that the process does not give back.
    """
    import av

    stamps, lengths = array("q"), array("q")
    try:
        for packet in container.demux(stream):
            if packet.size and not packet.is_discard:  # an edit list discards; the last packet is empty
                stamps.append(packet.pts)
                lengths.append(packet.duration or 0)
    except (av.FFmpegError, TypeError):  # TypeError: None among the timestamps
        return np.empty(0, np.int64), 0
    found = np.array(stamps, np.int64)  # (N,)
    return np.sort(found), lengths[int(found.argmax())] if lengths else 0
