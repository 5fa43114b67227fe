"""Files from the wild: every sample where it belongs, or one clear error.

A sample is checked twice: its timestamp against those that ffprobe finds (or, without ffprobe, those that were
written), and the number in its picture against that of the frame which was written for this time.
"""

import json
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np

from grounding.errors import VideoError
from grounding.isolation.client import IsolatedReader
from grounding.video.reader import Frame
from tests.trust.matrix import Case, Times, clocks, codecs, damages, number, others, shapes
from tests.trust.report import Row

Spans = tuple[tuple[float, float], ...]

RATES = (0.5, 2.0, 7.0, 50.0)  # frames sampled a second
ROUNDED = 2e-3  # seconds; mkv and webm round to milliseconds


def run(work: Path) -> list[Row]:
    """A row for each group of files, at several sampling rates."""
    groups = {
        "codecs in containers": codecs(),
        "frame rates and timestamps": clocks(),
        "sizes, bits, turned pictures": shapes(),
        "broken and cut-off files": damages(),
        "files that are no video": others(),
    }
    return [row(what, group, work) for what, group in groups.items()]


def row(what: str, group: list[Case], work: Path) -> Row:
    """Tries the files of a group."""
    can = [case for case in group if available(case)]
    wrong = {case.name: said for case in can if (said := verdict(case, work, RATES))}
    left = [case.name for case in group if case not in can]
    notes = [f"{name}: {said}" for name, said in wrong.items()] + [f"no encoder for {name}" for name in left]
    return Row(
        what, len(can), len(can) - len(wrong), "; ".join(notes) or "samples right to within a frame, or one error"
    )


def available(case: Case) -> bool:
    """Whether the file can be made here."""
    return case.codec in av.codecs_available


def verdict(case: Case, folder: Path, rates: tuple[float, ...] = (2.0,)) -> str:
    """What is wrong with what we make of a file, "" for nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / case.name
    times = case.make(path)
    if case.error:
        return wrong_error(path, case.error)
    seen = probed(path) if shutil.which("ffprobe") else None
    return next(filter(None, (tried(case, path, rate, times, seen) for rate in rates)), "")


def tried(case: Case, path: Path, rate: float, times: Times, seen: Times | None) -> str:
    """Says what is wrong with the samples at one rate, or with what is said to be skipped."""
    reader = IsolatedReader(path, rate)
    frames = list(reader)
    if case.skipped != bool(reader.skipped) and rate >= 2:
        return f"said to be skipped: {reader.skipped or 'nothing'}"
    return wrong_samples(frames, rate, times, seen, case.whole, reader.skipped)


def wrong_error(path: Path, expected: str) -> str:
    """Says what was said instead of an error."""
    try:
        frames = list(IsolatedReader(path, 2.0))
    except VideoError as error:
        return "" if expected in str(error) and path.name in str(error) and "\n" not in str(error) else str(error)
    return f"{len(frames)} frames and no error"


def wrong_samples(
    frames: list[Frame], rate: float, times: Times, seen: Times | None, whole: bool, skipped: Spans = ()
) -> str:
    """Says which sample is not where it belongs.

    Args:
        frames: the samples.
        rate: frames sampled a second.
        times: when the frames were written, by their number.
        seen: when ffprobe sees frames.
        whole: whether all that were written should be there.
        skipped: spans in which frames are missing, so that any number of samples is as good.
    """
    written, stamps = np.array(increasing(times)), [frame.timestamp for frame in frames]
    numbers = np.array(times) - times[0]
    clock = np.array(increasing(seen)) if seen else written if whole else None
    step = max(np.diff(written).min(initial=1.0), ROUNDED)  # the length of a frame
    if clock is not None:
        expected, stamps = outside(sampled(clock, rate), skipped, step), outside(stamps, skipped, step)
        stamps = [stamp for stamp in stamps if stamp <= clock[-1] + ROUNDED]  # how long the last lasts is open
        if len(expected) != len(stamps):
            return f"{len(stamps)} samples at {rate:g} fps where {len(expected)} are expected"
        worst = int(np.abs(np.array(stamps) - expected).argmax())
        if abs(stamps[worst] - expected[worst]) > step:
            return f"a sample at {stamps[worst]:.3f} s where {expected[worst]:.3f} s is expected"
    for stamp, image in frames if whole else ():
        shown, meant = number(image), int(np.where(numbers < stamp + ROUNDED, numbers, -1.0).argmax())  # on screen
        if abs(times[min(shown, len(times) - 1)] - times[meant]) > step:
            return f"the picture at {stamp:.3f} s is number {shown} instead of {meant}"
    return "" if frames else "no sample"


def outside(times: Iterable[float], spans: Spans, margin: float) -> list[float]:
    """Those times that lie in none of the spans."""
    return [time for time in times if not any(start - margin <= time <= end + margin for start, end in spans)]


def increasing(times: Times) -> Times:
    """Seconds since the first frame, without the frames that go back in time, which no player shows."""
    kept: Times = []
    for time in times:
        if not kept or time - times[0] > kept[-1]:
            kept.append(time - times[0])
    return kept


def sampled(clock: np.ndarray, rate: float) -> np.ndarray:
    """For each point k / rate the first time that reaches it, once each, or the point itself where a frame is held."""
    points = np.arange(int(clock[-1] * rate) + 2) / rate - ROUNDED / 2
    reached = np.searchsorted(clock, points)
    points, reached = points[reached < len(clock)], reached[reached < len(clock)]
    held = (np.diff(clock, prepend=0.0)[reached] > 1 / rate + ROUNDED / 2) & (clock[reached] - points > ROUNDED)
    return np.unique(np.where(held, points + ROUNDED / 2, clock[reached]))


def probed(path: Path) -> Times | None:
    """The best-effort timestamps of ffprobe, in the order of its frames; None where it has none."""
    command = ["ffprobe", "-v", "quiet", "-select_streams", "v:0", "-show_frames", "-of", "json"]
    command += ["-show_entries", "frame=best_effort_timestamp_time", str(path)]
    found = json.loads(subprocess.run(command, capture_output=True, timeout=120, check=False).stdout or "{}")
    times = [frame.get("best_effort_timestamp_time") for frame in found.get("frames", [])]
    return [float(time) for time in times] if times and None not in times else None
