"""What a query gets: where in the video it happens, and how well each frame fits."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from grounding.checkpoint import CheckpointConfig
from grounding.features.encoded_video import EncodedVideo
from grounding.segments.find import Segment, find_segments
from grounding.segments.hard_negatives import HardNegative, inspect_segment
from grounding.segments.scene_changes import find_scene_changes


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


def build_answer(
    config: CheckpointConfig, video: EncodedVideo, query: str, scores: Tensor, frames: Tensor, top_k: int
) -> Answer:
    """The answer to one query.

    Args:
        config: of the checkpoint that gave the scores.
        video: in which the query was asked.
        query: the sentence.
        scores: (T,) matching scores.
        frames: (T, D) of unit length, as the grounder embeds them.
        top_k: how many segments at most.
    """
    curve = scores.numpy().astype(np.float64)  # (T,)
    reading = config.segments
    changes = video.compute_once(  # the same for every query, and for the baseline's
        ("scene changes", reading.windows, reading.join, reading.changes),
        lambda: find_scene_changes(video.timestamps, video.features, reading),
    )
    segments = find_segments(video.timestamps, curve, video.features, video.duration, top_k, reading, changes)
    times = torch.from_numpy(video.timestamps)  # (T,)
    hard = [
        frame
        for index, segment in enumerate(segments)
        for frame in inspect_segment(frames, times, scores, (segment.start, segment.end), index)
    ]
    return Answer(query, video.duration, config.name, video.timestamps, curve, segments, hard, video.skipped)
