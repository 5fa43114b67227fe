"""Curves and features of simple videos, for several tests."""

import numpy as np


def curve(length: int, *moments: tuple[int, int, float], low: float = 0.1) -> np.ndarray:
    scores = np.full(length, low)
    for start, end, height in moments:
        scores[start:end] = height
    return scores


def scenes(length: int, *cuts: int) -> np.ndarray:
    """Features (T, 8) that turn to another direction at each cut, with a little noise."""
    number = np.searchsorted(cuts, np.arange(length), side="right")
    return np.eye(8)[number % 8] + 0.01 * np.random.default_rng(0).normal(size=(length, 8))
