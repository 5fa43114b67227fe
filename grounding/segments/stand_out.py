"""Whether anything in a video stands out for a query.

A curve's height alone does not tell: some sentences score high everywhere, others low where they are right. So the
moment is held against frames of other videos: if they fit the sentence as well, nothing here stands out.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from grounding.segments.curve import logits_from_scores
from grounding.validation import check_ranges

FLAT = 0.2  # how far a curve may go and yet be said to stay between two scores
FILLED = 0.9  # share of a video's seconds
BACKGROUND_FILE = "background.safetensors"  # (N, D) frames of other videos, beside a checkpoint's weights


@dataclass(frozen=True)
class StandOutRule:
    """From which evidence on a moment stands out; `python -m training.judge` chooses it on validation videos.

    Attributes:
        power: how much the best of the other videos' frames count; the higher, the more they do.
        threshold: the least evidence of a moment that stands out.
        background: sha256 of the file that holds the frames of other videos.
        fills: whether a video that stands out as a whole, and in FILLED of its seconds frame by frame, is one moment;
            else a moment is always a part of it.
        measured: shares of sentences that were told off, percent, how many moments are found without and with `fills`,
            and on what that was measured.
    """

    power: float
    threshold: float
    background: str
    fills: bool = False
    measured: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_ranges(
            self,
            {
                "power": (0 < self.power <= 100, "above 0 and up to 100"),
                "threshold": (bool(np.isfinite(self.threshold)), "a number"),
                "background": (isinstance(self.background, str), "a sha256"),
                "fills": (isinstance(self.fills, bool), "true or false"),
            },
        )

    def is_met(self, scores: np.ndarray, weights: np.ndarray, background: np.ndarray) -> bool:
        """Whether a moment stands out; arguments as in `measure_evidence`."""
        return bool(measure_evidence(scores, weights, background, self.power) >= self.threshold)

    def is_filled(self, scores: np.ndarray, seconds: np.ndarray, background: np.ndarray) -> bool:
        """Whether the whole video is the moment, of which contrast alone would always leave a part out.

        `seconds` (T,) is how long each frame is on screen; the others are as in `measure_evidence`.
        """
        if not self.fills:
            return False
        standing = measure_frame_evidence(scores, background, self.power) >= self.threshold  # (T,)
        filled = seconds[standing].sum() >= FILLED * seconds.sum()
        return bool(filled) and self.is_met(scores, seconds, background)


def measure_evidence(scores: np.ndarray, weights: np.ndarray, background: np.ndarray, power: float) -> float:
    """How much better a moment fits a query than other videos do: a log ratio of odds, 0 where they fit as well.

    The mean log odds inside the moment less the soft maximum of those at the other videos' frames, each times `power`:
    pointwise mutual information of sentence and moment, but for a constant.

    Args:
        scores: (T,) matching scores.
        weights: (T,) seconds of each frame that lie in the moment, not all 0.
        background: (N,) matching scores of the same query at frames of other videos.
        power: see StandOutRule.
    """
    return float(np.average(measure_frame_evidence(scores, background, power), weights=weights))


def measure_frame_evidence(scores: np.ndarray, background: np.ndarray, power: float) -> np.ndarray:
    """The evidence of each frame, as if it were the moment, (T,); arguments as in `measure_evidence`."""
    others = power * logits_from_scores(background)  # (N,)
    highest = others.max()  # taken out, so that no power overflows
    return power * logits_from_scores(scores) - highest - float(np.log(np.exp(others - highest).mean()))


def weigh_frames(edges: np.ndarray, start: float, end: float) -> np.ndarray:
    """Seconds of each frame's stretch that lie between `start` and `end`: edges (T + 1,) give (T,)."""
    return np.clip(np.minimum(edges[1:], end) - np.maximum(edges[:-1], start), 0.0, None)


def describe_doubt(scores: np.ndarray) -> str:
    """The sentence beside a best guess that does not stand out; `scores` (T,) are the curve's."""
    low, high = scores.min(), scores.max()
    if high - low > FLAT:
        others = "frames of other videos score about as high for this sentence"
        return f"Uncertain: the curve rises from {low:.2f} to {high:.2f}, but {others}."
    stays = f"between {low:.2f} and {high:.2f}" if f"{low:.2f}" != f"{high:.2f}" else f"at {low:.2f}"
    return f"Nothing here stands out for this sentence; the curve stays {stays}."
