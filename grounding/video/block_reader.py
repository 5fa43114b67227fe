"""Sampled frames in another order than that of time: some places of a video first, then the rest of it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from grounding.video.container import open_container
from grounding.video.damage import PatchedFrames, Span, find_skipped
from grounding.video.packets import TIME_TOLERANCE
from grounding.video.pictures import image_from_frame
from grounding.video.probe import Probe
from grounding.video.pyav_decoder import decode_frames
from grounding.video.read_ahead import read_ahead
from grounding.video.sampling_plan import SamplingPlan, make_plan
from grounding.video.timeline import seek

if TYPE_CHECKING:
    import av


class IndexedFrame(NamedTuple):
    """A frame as FrameReader gives it, and which of them it is, from 0 on."""

    index: int
    timestamp: float
    image: np.ndarray


class BlockReader:
    """Gives the frames that FrameReader gives, in blocks, those blocks first that hold places of interest.

    A block is decoded from the key frame before it, which is found by seeking. That takes packets that tell which
    frames are sampled, a container that can seek, and a file without damage.

    Args:
        probe: of the file.
        rate: samples a second.
        size: samples in a block.
        first: seconds of the places of interest, the most wanted first.
        short_side, heartbeat: as FrameReader's.

    Attributes:
        is_exact: whether all frames came and are FrameReader's, known once the iteration is over; if not, it ends
            early, and only FrameReader tells whether what it gave is right.
        duration, skipped: as FrameReader's, known then, too.
    """

    def __init__(
        self,
        probe: Probe,
        rate: float,
        size: int,
        first: Sequence[float],
        short_side: int,
        heartbeat: Callable[[], None] = lambda: None,
    ) -> None:
        self._probe, self._rate, self._size, self._first = probe, rate, size, first
        self._short_side, self._heartbeat = short_side, heartbeat
        self.is_exact, self.duration = False, 0.0
        self.skipped: tuple[Span, ...] = ()

    def __iter__(self) -> Iterator[IndexedFrame]:
        plan = make_plan(self._probe, self._rate)
        if plan is None:
            return
        count = -(-len(plan.seconds) // self._size)  # blocks
        places = (np.searchsorted(plan.seconds, self._first, side="right") - 1).clip(min=0) // self._size
        with open_container(self._probe.path) as container:
            for run in order_blocks(places.tolist(), count):
                samples = slice(run.start * self._size, run.stop * self._size)
                if not (yield from self._read_run(container, plan, samples)):
                    return
        self.is_exact, self.duration = True, self._probe.info.duration
        self.skipped = find_skipped(self._probe, self._probe.packets.seconds, PatchedFrames())

    def _read_run(self, container: "av.container.InputContainer", plan: SamplingPlan, samples: slice) -> Iterator:
        """The samples of neighbouring blocks; returns whether all of them came as the packets promise."""
        part = SamplingPlan(plan.stamps[samples], plan.seconds[samples], plan.origin)
        wanted, index = dict(part.list_frames()), samples.start
        raw, keys = self._probe.packets.seconds, self._probe.packets.keys
        begin = raw[np.searchsorted(self._probe.packets.stamps, part.stamps[0])]
        before = keys[keys <= begin]
        if not len(before) or not seek(self._probe, container, float(before[-1])):
            return False
        due = iter(wanted.items())
        stamp, times = next(due)
        is_on = False  # whether the key frame has come; what comes before it is not to be had from here
        with closing(read_ahead(decode_frames(self._probe, container, wanted.keys()))) as frames:
            for seconds, frame in frames:
                self._heartbeat()
                is_on = is_on or (
                    frame.key_frame and seconds is not None and abs(seconds - before[-1]) <= TIME_TOLERANCE
                )
                is_late = seconds is None or seconds > plan.origin + times[-1] + TIME_TOLERANCE
                if is_late or (is_on and frame.is_corrupt):
                    return False
                if is_on and frame.pts == stamp:
                    image = image_from_frame(frame, self._probe.pixel_shape, self._short_side)
                    for time in times:
                        yield IndexedFrame(index, time, image)
                        index += 1
                    stamp, times = next(due, (None, []))
                    if stamp is None:
                        return True
        return False


def order_blocks(places: Sequence[int], count: int) -> list[range]:
    """Runs of neighbouring blocks, of `count` in all: those named by `places` first, the most wanted first, then the
    others in order."""
    wanted = [block for block in dict.fromkeys(places) if block < count]
    rank = {block: place for place, block in enumerate(wanted)}
    first = sorted(_find_runs(sorted(wanted)), key=lambda run: min(rank[block] for block in run))
    return first + _find_runs([block for block in range(count) if block not in rank])


def _find_runs(blocks: Sequence[int]) -> list[range]:
    """Increasing numbers as runs without a gap."""
    runs: list[range] = []
    for block in blocks:
        if runs and runs[-1].stop == block:
            runs[-1] = range(runs[-1].start, block + 1)
        else:
            runs.append(range(block, block + 1))
    return runs
