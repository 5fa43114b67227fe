"""Which frames of a video a sampling rate asks for, told from its packets before anything is decoded."""

import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from grounding.video.packets import MAX_HELD, TIME_TOLERANCE
from grounding.video.probe import Probe

CODECS = ("h264", "hevc")  # whose decoders can leave out the frames that no other frame is predicted from


class SamplingGrid:
    """Tells of frames in order at which times they are sampled: what is on screen at every k / rate counts.

    Where frames come at least as often as samples, the first one that reaches k / rate is sampled for it, at its own
    time. A frame that is held longer than that is sampled at every k / rate for as long as it is on screen.
    """

    def __init__(self, rate: float) -> None:
        self._rate, self._next, self._held = rate, 0, 0.0

    def take(self, start: float, end: float) -> list[float]:
        """Seconds at which a frame is sampled that is on screen from `start` to `end`."""
        times = []
        if start >= self._next / self._rate - TIME_TOLERANCE:
            times.append(start)
            self._next = math.floor((start + TIME_TOLERANCE) * self._rate) + 1
        if end - start > 1 / self._rate + TIME_TOLERANCE and self._held + end - start < MAX_HELD:
            self._held += end - start
            while self._next / self._rate < end - TIME_TOLERANCE:
                times.append(self._next / self._rate)
                self._next += 1
        return times


@dataclass(frozen=True)
class SamplingPlan:
    """What to decode of a video.

    Attributes:
        stamps: (T,) timestamp of the frame that each sample shows, in the track's unit, not decreasing.
        seconds: (T,) the samples' times, seconds, increasing.
        origin: raw seconds of second 0.
    """

    stamps: np.ndarray
    seconds: np.ndarray
    origin: float

    def list_frames(self) -> Iterator[tuple[int, list[float]]]:
        """Each frame to decode, by its timestamp, with the times at which it is sampled."""
        pairs = zip(self.stamps.tolist(), self.seconds.tolist(), strict=True)
        for stamp, group in groupby(pairs, key=lambda pair: pair[0]):
            yield stamp, [seconds for _, seconds in group]


def make_plan(probe: Probe, rate: float) -> SamplingPlan | None:
    """None where the packets do not tell: another codec, an avi, a timestamp that is missing or there twice, a file
    that breaks off."""
    packets = probe.packets
    if probe.info.codec not in CODECS or not packets.is_exact:
        return None
    grid, origin = SamplingGrid(rate), probe.origin
    starts = packets.seconds - origin  # (N,)
    ends = np.append(starts[1:], packets.end - origin)  # (N,)
    stamps, seconds = array("q"), array("d")  # no list of all frames, which would take 30 MB for two hours
    for stamp, start, end in zip(*map(memoryview, (packets.stamps, starts, ends)), strict=True):
        times = grid.take(start, end)
        stamps.extend([stamp] * len(times))
        seconds.extend(times)
    return SamplingPlan(np.array(stamps), np.array(seconds), origin)  # (T,) each
