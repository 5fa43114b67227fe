"""Frames of a video, sampled by each frame's own timestamp, as a stream.

Times are as a player shows them: seconds since the first frame. Neither the frame rate nor the frame count that a
container claims is used to place a frame: both are wrong for variable frame rates and live recordings.
"""

import math
from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from grounding.errors import VideoError
from grounding.video.container import (
    Picture,
    check_file,
    claimed,
    opencv_frames,
    packet_times,
    pyav_frames,
    undecodable,
)
from grounding.video.damage import Patches, Span, skipped
from grounding.video.sampling_plan import SAME, Grid, Plan, make_plan

SHORT_SIDE = 336  # pixels; encoders read 224 to 336, so larger frames only cost memory
SLACK = 0.5  # seconds between the last frame and the last packet before a decoder counts as stopped early
MAX_BACKWARD = 10  # frames in a row that go back in time: fewer are a glitch, more are a clock that was set back


class Frame(NamedTuple):
    """A sampled frame: seconds since the first frame, and (H, W, 3) uint8 RGB, upright."""

    timestamp: float
    image: np.ndarray


def check_rate(rate: float) -> None:
    """Raises ValueError for what is no sampling rate."""
    if not 0 < rate < math.inf:
        raise ValueError(f"The sampling rate is {rate}: give a positive number of frames a second.")


class FrameReader:
    """Iterates over the sampled frames of a video; holds one frame at a time.

    The frame sampled for each point k / rate is the first one whose timestamp reaches it. Where the packets tell which
    these are, PyAV decodes them and what they are predicted from. Otherwise, or when another frame comes than they
    promise, OpenCV decodes everything; where it stops before the last packet (at once for AV1 in most builds, midway
    in a damaged file), PyAV goes on. Interlaced videos are left to PyAV: OpenCV from 4.13 on returns their frames black
    or stale, and says that all is well.

    Args:
        path: the video file.
        rate: frames sampled a second.
        short_side: pixels; larger frames are scaled down by a whole factor, to no less than it but for very long ones.
        beat: called for every frame that is decoded, sampled or not.

    Attributes:
        info: what the container claims.
        duration: seconds until the last frame that was decoded ends; that of the video once the iteration is over.
        skipped: spans of seconds that could not be decoded in full, known once the iteration is over.

    Raises:
        VideoError: the file is missing, empty, no video, holds no frame that can be decoded, or (while iterating)
            its timestamps go backwards for good.
    """

    def __init__(
        self, path: str | Path, rate: float, short_side: int = SHORT_SIDE, beat: Callable[[], None] = lambda: None
    ) -> None:
        check_rate(rate)
        self.path, self.rate, self.short_side, self._beat = Path(path), rate, short_side, beat
        check_file(self.path)
        self.info, self._opencv_fails = claimed(self.path)
        self.duration = 0.0
        self.skipped: tuple[Span, ...] = ()
        self._patches = Patches()

    def __iter__(self) -> Iterator[Frame]:
        plan, self._patches = None if self._opencv_fails else make_plan(self.path, self.rate), Patches()
        last, count = -math.inf, 0
        for last, picture in self._planned(plan) if plan else ():
            count += 1
            yield Frame(last, picture())
        if plan and count == len(plan.seconds):
            self.duration = plan.duration
            self.skipped = skipped(self.path, plan.packets, plan.packets, self._patches)
        else:
            yield from (
                Frame(timestamp, picture()) for timestamp, picture in self._sampled() if timestamp > last + SAME
            )
        if not self.duration:
            raise VideoError(undecodable(self.path))

    def _planned(self, plan: Plan) -> Iterator[tuple[float, Picture]]:
        """The sampled frames, hardly any other decoded; ends early where they are not those that the packets say."""
        frames = pyav_frames(self.path, self.short_side, plan.wanted, see=self._patches.see)
        for (raw, picture), timestamp in zip(frames, plan.seconds.tolist(), strict=False):
            if raw is None or abs(raw - plan.first - timestamp) > SAME:
                return
            self.duration = timestamp + plan.step
            yield timestamp, picture

    def _sampled(self) -> Iterator[tuple[float, Picture]]:
        """The sampled frames, all others decoded too."""
        grid = Grid(self.rate)
        return ((timestamp, picture) for timestamp, picture in self.timed() if grid.reached(timestamp))

    def timed(self) -> Iterator[tuple[float, Picture]]:
        """All frames in order, times from 0 and increasing, each with a way to get its picture. Sets `duration`."""
        first, last, shortest, backward, seen = None, -math.inf, math.inf, 0, array("d")
        step = 1 / (self.info.fps or 25.0)  # how long a frame is shown where the file does not say
        for raw, picture in self._decoded():
            first = (raw or 0.0) if first is None else first
            timestamp = last + step if raw is None else raw - first
            seen.append(first + timestamp)
            if timestamp <= last:  # a player would not show this frame
                backward += 1
                self._check_clock(backward)
                continue
            shortest = min(shortest, timestamp - last)
            step = shortest if shortest < math.inf else step
            last, backward = timestamp, 0
            self.duration = timestamp + step
            yield timestamp, picture
        packets, end = self._packets
        if self.duration and end[1] and abs(end[0] - first - last) < SLACK:
            self.duration = last + end[1]
        self.skipped = skipped(self.path, packets, seen, self._patches)

    def _decoded(self) -> Iterator[tuple[float | None, Picture]]:
        """Raw timestamps (None where a frame has none), each with a way to get the picture, paid for when called."""
        last, silent = -math.inf, self._opencv_fails or bool(self._patches)  # OpenCV says nothing of patches
        self._patches = Patches()
        for raw, picture in () if silent else opencv_frames(self.path, self.short_side):
            self._beat()
            last = last if raw is None else raw
            yield raw, picture
        if self._packets[1][0] > last + SLACK:
            for raw, picture in pyav_frames(self.path, self.short_side, see=self._patches.see):
                self._beat()
                if raw is None or raw > last:
                    yield raw, picture

    @cached_property
    def _packets(self) -> tuple[array, tuple[float, float]]:
        return packet_times(self.path)

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
