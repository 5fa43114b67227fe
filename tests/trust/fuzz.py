"""Broken videos: each gives frames with usable times or one clear message, and never a crash or a hang."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from grounding.errors import GroundingError
from grounding.isolation.client import IsolatedReader
from tests.trust.mutations import mutated, seeds
from tests.trust.report import Row

COUNT = 2500
THROUGH = 250  # of these, through a Predictor as well
FRAMES, MESSAGE, CONTAINED = "frames", "a message", "given up"
FINE = (FRAMES, MESSAGE, CONTAINED)

Trial = Callable[[Path], None]


def run(work: Path) -> list[Row]:
    """A row for what the decoder makes of broken videos, one for what becomes of them up to the answer."""
    containers = "mp4, mkv, webm, avi, mov with bits, chunks and sizes broken"
    return [
        row(f"{containers}: decoded", decode, broken(work, COUNT)),
        row(f"{containers}: encoded and grounded", through_predictor(), broken(work, THROUGH, first=10 * COUNT)),
    ]


def row(what: str, trial: Trial, paths: Iterator[Path]) -> Row:
    """What became of each file; those that did not survive are kept."""
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    for path in paths:
        result = outcome(trial, path)
        counts[result] += 1
        if result in FINE:
            path.unlink()
        else:
            wrong.append(f"{path.name}: {result}")
    said = [f"{counts[fine]} {fine}" for fine in FINE if counts[fine]]
    return Row(what, counts.total(), counts.total() - len(wrong), "; ".join([", ".join(said), *wrong]))


def outcome(trial: Trial, path: Path) -> str:
    """One of FINE, or what is wrong."""
    try:
        trial(path)
    except GroundingError as error:
        return verdict(str(error), path)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return FRAMES


def verdict(message: str, path: Path) -> str:
    """Whether a message is one line that names the file, and not one about our own mistakes."""
    if "decoder failed" in message:  # with an exception that nobody thought of
        return message
    if path.name not in message or str(path.parent) in message or not message.isprintable():
        return f"unclear message: {message!r}"
    return CONTAINED if "was given up" in message else MESSAGE


def decode(path: Path) -> None:
    """From a file to frames. Raises VideoError, or AssertionError for times of no use."""
    reader = IsolatedReader(path, rate=2.0)
    check_times(np.array([frame.timestamp for frame in reader]), reader.duration)


def through_predictor() -> Trial:
    """From a file to an answer, with the shipped checkpoint."""
    from grounding import Predictor

    predictor = Predictor.from_checkpoint("embedded", device="cpu")

    def ground(path: Path) -> None:
        video = predictor.encode_video(path)
        check_times(video.timestamps, video.duration)
        answer = predictor.ground(video, "something that moves")
        assert np.isfinite(answer.scores).all(), "scores that are no numbers"
        assert all(0 <= part.start < part.end <= video.duration for part in answer.segments), "segments outside"

    return ground


def check_times(times: np.ndarray, duration: float) -> None:
    """Raises AssertionError unless times (T,) begin at 0 or later, increase and end before `duration`."""
    assert len(times), "no frames and no message"
    assert np.isfinite(times).all() and times[0] >= 0 and (np.diff(times) > 0).all(), f"times {times.tolist()}"
    assert times[-1] < duration < np.inf, f"frames up to {times[-1]} s of {duration} s"


def broken(folder: Path, count: int, first: int = 0) -> Iterator[Path]:
    """`count` broken videos, one at a time, of each container as many; the same for the same numbers."""
    whole = seeds(folder)
    for seed in range(first, first + count):
        source = whole[seed % len(whole)]
        path = folder / f"broken-{seed}{source.suffix}"
        path.write_bytes(mutated(source.read_bytes(), seed)[1])
        yield path
