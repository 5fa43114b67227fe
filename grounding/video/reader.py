"""Frames of a video, sampled by each frame's own timestamp, as a stream.

Times are as a player shows them: seconds from where the first track of the file begins, see probe. Neither the frame
rate nor the frame count that a container claims is used to place a frame: both are wrong for variable frame rates and
live recordings.
"""

import math
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from grounding.errors import VideoError
from grounding.video.container import make_undecodable_error
from grounding.video.damage import PatchedFrames, Span, find_skipped
from grounding.video.decoder import DecodedFrame
from grounding.video.opencv_decoder import OpenCVDecoder
from grounding.video.packets import TIME_TOLERANCE
from grounding.video.probe import Probe, probe_video
from grounding.video.pyav_decoder import PyAVDecoder
from grounding.video.sampling_plan import SamplingGrid, SamplingPlan, make_plan

if TYPE_CHECKING:
    import av

SHORT_SIDE = 336  # pixels; encoders read 224 to 336, so larger frames only cost memory
EARLY_END = 0.5  # seconds between the last frame and the last packet before a decoder counts as stopped early
MAX_BACKWARD = 10  # frames in a row that go back in time: fewer are a glitch, more are a clock that was set back
ASSUMED_FPS = 25.0  # where the file does not say how long a frame is shown


class Frame(NamedTuple):
    """A sampled frame: seconds, and (H, W, 3) uint8 RGB, upright and in square pixels.

    A picture that stands still comes again and again as the very same array.
    """

    timestamp: float
    image: np.ndarray


class TimedFrame(NamedTuple):
    """A frame that is on screen from `start` to `end`, seconds; `end` is `start` if unknown."""

    start: float
    end: float
    get_image: Callable[[], np.ndarray]


def check_rate(rate: float) -> None:
    """Raises ValueError for what is no sampling rate."""
    if not 0 < rate < math.inf:
        raise ValueError(f"The sampling rate is {rate}: give a positive number of frames a second.")


class FrameReader:
    """Iterates over the sampled frames of a video; holds one frame at a time.

    What is on screen at every k / rate is sampled, see SamplingGrid. Where the packets tell which frames these are,
    PyAV decodes them and what they are predicted from. Otherwise, or when another frame comes than they promise, all
    frames are decoded: by OpenCV where it is right for the file, and where it stops before the last packet (at once
    for AV1 in most builds, midway in a damaged file) PyAV goes on.

    Args:
        path: the video file.
        rate: samples a second.
        short_side: pixels; larger frames are scaled down by a whole factor, to no less than it but for very long ones.
        heartbeat: called for every packet that is read and every frame that is decoded, sampled or not.
        probe: of this file, where it is there already.

    Attributes:
        info: what one look at the file tells.
        duration: seconds until the last frame that was decoded leaves the screen; that of the video once the iteration
            is over.
        skipped: spans of seconds that could not be decoded in full, known once the iteration is over.

    Raises:
        VideoError: the file is missing, empty, no video, holds no frame that can be decoded, or (while iterating)
            its timestamps go backwards for good.
    """

    def __init__(
        self,
        path: str | Path,
        rate: float,
        short_side: int = SHORT_SIDE,
        heartbeat: Callable[[], None] = lambda: None,
        probe: Probe | None = None,
    ) -> None:
        check_rate(rate)
        self.path, self.rate, self.short_side, self._heartbeat = Path(path), rate, short_side, heartbeat
        self._probe = probe or probe_video(self.path, heartbeat)
        self.info = self._probe.info
        self.duration = 0.0
        self.skipped: tuple[Span, ...] = ()
        self._patched = PatchedFrames()

    def __iter__(self) -> Iterator[Frame]:
        self._patched, last, is_complete = PatchedFrames(), -math.inf, False
        plan = make_plan(self._probe, self.rate)
        if plan:
            for frame in self._read_planned(plan):
                last = frame.timestamp
                yield frame
            is_complete = last == plan.seconds[-1]
        if is_complete:
            seconds = self._probe.packets.seconds
            self.duration = self.info.duration
            self.skipped = find_skipped(self._probe, seconds, self._patched)
        else:
            yield from (frame for frame in self._read_all() if frame.timestamp > last + TIME_TOLERANCE)
        if not self.duration:
            raise make_undecodable_error(self.path)

    def _read_planned(self, plan: SamplingPlan) -> Iterator[Frame]:
        """The sampled frames, hardly any other decoded; ends early where they are not those that the packets say."""
        wanted = dict(plan.list_frames())  # times by timestamp, in order
        frames = PyAVDecoder(self._see).decode(self._probe, self.short_side, wanted.keys())
        for frame, times in zip(frames, wanted.values(), strict=False):
            if frame.seconds is None or not self._is_on_screen(frame.seconds, plan.origin + times[0]):
                return
            yield from self._repeat(frame.get_image(), times)

    def _is_on_screen(self, raw: float, at: float) -> bool:
        """Whether the frame with the timestamp `raw` is shown at `at`, as the packets say."""
        return raw - TIME_TOLERANCE <= at <= self._probe.packets.find_end(raw) + TIME_TOLERANCE

    def _read_all(self) -> Iterator[Frame]:
        """The sampled frames, all others decoded too."""
        grid = SamplingGrid(self.rate)
        for frame in self.read_timed():
            times = grid.take(frame.start, frame.end)
            if times:
                yield from self._repeat(frame.get_image(), times)

    def _repeat(self, image: np.ndarray, times: list[float]) -> Iterator[Frame]:
        for time in times:
            self.duration = max(self.duration, time + 1 / (self.info.fps or ASSUMED_FPS))
            yield Frame(time, image)

    def read_timed(self) -> Iterator[TimedFrame]:
        """All frames in order, their times increasing. Sets `duration`."""
        origin, last, shortest, backward, seen = None, -math.inf, math.inf, 0, array("d")
        step = 1 / (self.info.fps or ASSUMED_FPS)
        packets = self._probe.packets
        for raw, get_image in self._decode():
            # The first frame is where the probe says, and one without a timestamp follows the last one.
            origin = (raw or 0.0) - self.info.start if origin is None else origin
            timestamp = last + step if raw is None else raw - origin
            seen.append(origin + timestamp)
            # A player would not show a frame that goes back in time.
            if timestamp <= last:
                backward += 1
                self._check_clock(backward)
                continue
            shortest = min(shortest, timestamp - last)
            step = shortest if shortest < math.inf else step
            last, backward = timestamp, 0
            self.duration = timestamp + step
            end = timestamp + step if raw is None else packets.find_end(raw) - origin
            yield TimedFrame(timestamp, end, get_image)
        # The last frame lasts as its packet says, if that is the last packet.
        if self.duration and len(packets.seconds) and abs(packets.seconds[-1] - origin - last) < EARLY_END:
            self.duration = last + (packets.end - packets.seconds[-1] or step)
        self.skipped = find_skipped(self._probe, seen, self._patched)

    def _decode(self) -> Iterator[DecodedFrame]:
        """All frames by OpenCV as far as it goes, and the rest by PyAV."""
        last, opencv = -math.inf, OpenCVDecoder()
        quiet = bool(self._patched) or not opencv.can_decode(self._probe)  # OpenCV says nothing of patches
        self._patched = PatchedFrames()
        for frame in () if quiet else opencv.decode(self._probe, self.short_side):
            self._heartbeat()
            last = last if frame.seconds is None else frame.seconds
            yield frame
        seconds = self._probe.packets.seconds
        if (seconds[-1] if len(seconds) else math.inf) > last + EARLY_END:
            for frame in PyAVDecoder(self._see).decode(self._probe, self.short_side):
                if frame.seconds is None or frame.seconds > last:
                    yield frame

    def _see(self, seconds: float | None, frame: "av.VideoFrame") -> None:
        self._heartbeat()
        self._patched.add(seconds, frame)

    def _check_clock(self, backward: int) -> None:
        if backward > MAX_BACKWARD:
            raise VideoError(
                f"The timestamps of {self.path.name!r} jump backwards after {self.duration:.1f} s, so its moments have "
                "no certain time: convert it to a new mp4 and try again."
            )
