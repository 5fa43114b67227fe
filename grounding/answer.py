"""What a query gets: where in the video it happens, and how well each frame fits."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from grounding.segments.find import Segment
from grounding.segments.hard_negatives import HardNegative


@dataclass(frozen=True)
class Answer:
    """Where a query happens in a video.

    Attributes:
        query: the sentence.
        duration: of the video, seconds.
        checkpoint: name of the checkpoint that answered.
        timestamps: (T,) seconds.
        scores: (T,) matching scores in [0, 1].
        segments: best first.
        hard_negatives: boundary frames of the segments, segment by segment, the hardest first.
        skipped: spans (start, end) in seconds that could not be decoded in full.
    """

    query: str
    duration: float
    checkpoint: str
    timestamps: np.ndarray
    scores: np.ndarray
    segments: list[Segment]
    hard_negatives: list[HardNegative]
    skipped: tuple[tuple[float, float], ...] = ()

    def to_dict(self, video: str = "") -> dict[str, Any]:
        """JSON-ready; `video` is the name to report. Only a video that was skipped in part has the key `skipped`."""
        skipped = {"skipped": [list(span) for span in self.skipped]} if self.skipped else {}
        return {
            "video": video,
            "query": self.query,
            "duration": self.duration,
            "checkpoint": self.checkpoint,
            "segments": [asdict(segment) for segment in self.segments],
            "timestamps": self.timestamps.tolist(),
            "scores": self.scores.tolist(),
            "hard_negatives": [asdict(frame) for frame in self.hard_negatives],
            **skipped,
        }
