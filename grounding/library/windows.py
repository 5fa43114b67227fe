"""A video as a few vectors: the mean of its frames over windows of several lengths."""

from dataclasses import dataclass

import numpy as np

LENGTHS = (8.0, 16.0, 32.0)  # seconds; each window begins half of its length after the one before


@dataclass(frozen=True)
class Windows:
    """Windows of a video: `start` and `end` (N,) seconds, `vectors` (N, D), means of frames brought to unit length."""

    start: np.ndarray
    end: np.ndarray
    vectors: np.ndarray


def make_windows(
    frames: np.ndarray, timestamps: np.ndarray, duration: float, lengths: tuple[float, ...] = LENGTHS
) -> Windows:
    """Windows that cover a video at each length up to its own; a short video is one window.

    Args:
        frames: (T, D) of unit length, as the grounder embeds them.
        timestamps: (T,) seconds.
        duration: seconds.
        lengths: seconds, increasing.
    """
    spans = [(0.0, duration)] if duration <= lengths[0] else []
    for length in lengths:
        if length < duration:
            starts = np.arange(0.0, duration - length, length / 2)
            spans += [(start, start + length) for start in [*starts, duration - length]]
    bounds = [(span, *np.searchsorted(timestamps, span)) for span in spans]
    held = [(span, frames[first:last].mean(axis=0)) for span, first, last in bounds if last > first]
    start, end = np.array([span for span, _ in held]).reshape(-1, 2).T  # (N,) each
    vectors = np.array([vector for _, vector in held], dtype=np.float32)  # (N, D)
    return Windows(start, end, vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-12))
