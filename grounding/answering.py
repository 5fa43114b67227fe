"""From matching scores to an answer: its segments, and the frames outside them that nearly fooled the model."""

import numpy as np
import torch
from torch import Tensor

from grounding.answer import Answer
from grounding.checkpoint import CheckpointConfig
from grounding.features.encoded_video import EncodedVideo
from grounding.segments.find import find_breaks, find_segments
from grounding.segments.hard_negatives import inspect_segment


def read_off(
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
    breaks = video.once(  # the same for every query, and for the baseline's
        ("breaks", reading.windows, reading.join, reading.changes),
        lambda: find_breaks(video.timestamps, video.features, reading),
    )
    segments = find_segments(video.timestamps, curve, video.features, video.duration, top_k, reading, breaks)
    times = torch.from_numpy(video.timestamps)  # (T,)
    hard = [
        frame
        for index, segment in enumerate(segments)
        for frame in inspect_segment(frames, times, scores, (segment.start, segment.end), index)
    ]
    return Answer(query, video.duration, config.name, video.timestamps, curve, segments, hard, video.skipped)
