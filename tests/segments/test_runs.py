import numpy as np

from grounding.segments.find import SegmentConfig, find_segments
from grounding.segments.runs import average_between_changes, find_runs

EDGES = np.arange(9.0)
CURVE = np.array([0.0, 0.9, 0.9, 0.1, 0.0, 0.6, 0.6, 0.0])
NO_CHANGES = np.zeros(9)


def test_the_stretches_above_a_threshold_are_found_with_their_means():
    first, last, inside = find_runs(EDGES, CURVE, NO_CHANGES, (0.5,))
    assert list(zip(first, last, strict=True)) == [(1, 3), (5, 7)]
    np.testing.assert_allclose(inside, [0.9, 0.6])


def test_a_higher_threshold_finds_less_and_each_stretch_counts_once():
    first, last, _ = find_runs(EDGES, CURVE, NO_CHANGES, (0.5, 0.6, 0.9))
    assert list(zip(first, last, strict=True)) == [(1, 3), (5, 7)]
    assert [list(part) for part in find_runs(EDGES, CURVE, NO_CHANGES, (0.9,))[:2]] == [[1], [3]]


def test_a_stretch_may_reach_the_ends():
    first, last, _ = find_runs(np.arange(5.0), np.array([1.0, 0.0, 1.0, 1.0]), np.zeros(5), (0.5,))
    assert list(zip(first, last, strict=True)) == [(0, 1), (2, 4)]


def test_between_changes_the_curve_is_averaged_by_length():
    strength = np.array([0.5, 0, 0, 1.0, 0.5])
    level = average_between_changes(np.array([1.0, 0.0, 0.0, 0.4]), np.array([2.0, 1.0, 1.0, 1.0]), strength)
    np.testing.assert_allclose(level, [0.5, 0.5, 0.5, 0.4])


def test_with_changes_a_stretch_ends_at_one():
    strength = np.zeros(9)
    strength[[0, 3, 5, 8]] = 0.5
    first, last, _ = find_runs(EDGES, CURVE, strength, (0.5,))
    assert list(zip(first, last, strict=True)) == [(0, 3), (5, 8)]


def test_a_flat_curve_is_one_stretch():
    first, last, inside = find_runs(EDGES, np.full(8, 0.3), NO_CHANGES, (0.5,))
    assert (first.tolist(), last.tolist(), inside.round(3).tolist()) == ([0], [8], [0.3])


def test_without_contrast_segments_are_those_stretches_the_highest_first():
    config = SegmentConfig(smoothing=0.0, thresholds=(0.5,), changes=0, contrast=False)
    found = find_segments(np.arange(8.0) + 0.5, CURVE, np.ones((8, 2)), 8.0, 5, config)
    assert [(segment.start, segment.end) for segment in found] == [(1.0, 3.0), (5.0, 7.0)]
