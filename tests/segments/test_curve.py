import numpy as np
import pytest

from grounding.segments.curve import (
    MOST_CROSSINGS,
    average_between_changes,
    edges_from_timestamps,
    find_crossings,
    find_runs,
    repeat_held_frames,
    sharpen,
    smooth,
)
from tests.curves import curve


class TestEdgesFromTimestamps:
    def test_lie_midway_and_span_the_video(self):
        assert edges_from_timestamps(np.array([0.0, 1.0, 3.0]), 5.0).tolist() == [0.0, 0.5, 2.0, 5.0]

    def test_begin_with_a_first_frame_that_comes_late(self):
        assert edges_from_timestamps(np.array([7.0, 7.5, 8.0]), 9.0).tolist() == [7.0, 7.25, 7.75, 9.0]
        assert edges_from_timestamps(np.array([7.0]), 9.0).tolist() == [7.0, 9.0]
        assert edges_from_timestamps(np.array([0.5, 1.0, 1.5]), 2.0)[0] == 0.0

    def test_of_one_frame_are_the_video(self):
        assert edges_from_timestamps(np.array([0.0]), 0.4).tolist() == [0.0, 0.4]

    def test_a_frame_is_held_until_shortly_before_the_next(self):
        timestamps = np.array([0.0, 0.5, 1.0, 9.0, 9.5, 10.0])
        assert edges_from_timestamps(timestamps, 30.0).tolist() == [0.0, 0.25, 0.75, 8.75, 9.25, 9.75, 30.0]

    def test_of_frames_that_are_all_far_apart_lie_midway(self):
        assert edges_from_timestamps(np.array([0.0, 10.0, 20.0]), 30.0).tolist() == [0.0, 5.0, 15.0, 30.0]


class TestRepeatHeldFrames:
    def test_a_held_frame_comes_at_every_step(self):
        times = np.array([0.0, 1.0, 2.0, 6.0, 7.0])
        assert repeat_held_frames(times, 9).tolist() == [0, 1, 2, 2, 2, 2, 3, 4]

    def test_but_no_more_often_than_anything_looks(self):
        times = np.array([0.0, 1.0, 2.0, 1e9, 1e9 + 1])
        assert repeat_held_frames(times, 3).tolist() == [0, 1, *[2] * 7, 3, 4]

    def test_frames_a_little_apart_come_once_each(self):
        times = np.cumsum([0.0, 0.5, 0.52, 0.48, 0.5, 0.9, 0.5])
        assert repeat_held_frames(times, 9).tolist() == list(range(7))


class TestSmooth:
    def test_a_held_frame_counts_for_as_long_as_it_is(self):
        dense, sparse = np.arange(30.0), np.delete(np.arange(30.0), np.arange(11, 20))
        scores = curve(30, (10, 20, 1.0))
        full, few = smooth(dense, scores, 2.0), smooth(sparse, scores[sparse.astype(int)], 2.0)
        assert few[:10] == pytest.approx(full[:10])
        assert few[11:] == pytest.approx(full[20:])
        assert few[10] == pytest.approx(full[10:20].mean())

    def test_frames_that_are_cut_out_spread_to_none(self):
        free = np.ones(20, dtype=bool)
        free[5:10] = False
        smoothed = smooth(np.arange(20.0), curve(20, (5, 10, 1.0)), 2.0, free)
        assert smoothed[free] == pytest.approx(np.full(15, 0.1))

    def test_zero_is_none(self):
        scores = np.array([0.0, 1.0, 0.0])
        assert smooth(np.arange(3.0), scores, 0.0).tolist() == scores.tolist()

    def test_keeps_a_flat_curve_flat(self):
        assert smooth(np.arange(5.0), np.full(5, 0.3), 2.0) == pytest.approx(np.full(5, 0.3))

    def test_spreads_a_peak_and_keeps_its_area(self):
        smoothed = smooth(np.arange(21.0), curve(21, (10, 11, 1.0), low=0.0), 1.0)
        assert smoothed.sum() == pytest.approx(1.0)
        assert smoothed.argmax() == 10
        assert smoothed[10] == pytest.approx(0.399, abs=0.01)
        assert smoothed == pytest.approx(smoothed[::-1])

    def test_is_in_seconds_not_frames(self):
        slow = smooth(np.arange(41.0), curve(41, (20, 21, 1.0), low=0.0), 1.0)
        fast = smooth(np.arange(41.0) / 4, curve(41, (20, 21, 1.0), low=0.0), 1.0)
        assert fast[20] == pytest.approx(slow[20] / 4, rel=0.05)

    @pytest.mark.parametrize(("sigma", "reach"), [(0.4, 1), (1.0, 3), (2.0, 6)])
    def test_is_cut_off_at_three_deviations(self, sigma, reach):
        smoothed = smooth(np.arange(21.0), curve(21, (10, 11, 1.0), low=0.0), sigma)
        assert np.flatnonzero(smoothed).tolist() == list(range(10 - reach, 11 + reach))

    def test_a_wider_one_spreads_a_peak_further(self):
        smoothed = smooth(np.arange(41.0), curve(41, (20, 21, 1.0), low=0.0), 4.0)
        assert smoothed[20] == pytest.approx(0.1, abs=0.001)
        assert smoothed[24] / smoothed[20] == pytest.approx(np.exp(-0.5))

    def test_two_frames_draw_near_to_each_other(self):
        low, high = smooth(np.arange(2.0), np.array([0.0, 1.0]), 1.0)
        assert 0 < low < 0.5 < high < 1
        assert low + high == pytest.approx(1.0)

    @pytest.mark.parametrize("length", [1, 2, 3])
    def test_a_curve_shorter_than_the_kernel(self, length):
        assert smooth(np.arange(length, dtype=float), np.full(length, 0.5), 10.0) == pytest.approx(np.full(length, 0.5))


class TestSharpen:
    def test_zero_leaves_the_scores_alone(self):
        scores = np.array([0.2, 0.9])
        assert sharpen(scores, 0.0) is scores

    def test_is_the_odds_to_a_power_and_one_at_the_highest(self):
        scores = np.array([0.5, 0.8, 0.9])  # odds of 1, 4 and 9
        assert sharpen(scores, 1.0) == pytest.approx([1 / 9, 4 / 9, 1.0])
        assert sharpen(scores, 0.5) == pytest.approx([1 / 3, 2 / 3, 1.0])

    @pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
    def test_certain_frames_are_no_infinity(self, dtype):
        assert sharpen(np.array([0.0, 1.0, 1.0], dtype), 1.5) == pytest.approx([0.0, 1.0, 1.0])

    @pytest.mark.parametrize("score", [0.0, 1.0])
    def test_where_all_frames_are_certain_they_are_equal(self, score):
        assert sharpen(np.full(3, score), 1.5).tolist() == [1.0, 1.0, 1.0]

    def test_does_not_depend_on_how_high_all_the_odds_are(self):
        odds = np.array([1.0, 4.0, 2.0])
        low, high = (sharpen(odds * by / (1 + odds * by), 1.5) for by in (0.01, 5.0))
        assert low == pytest.approx(high)


class TestFindCrossings:
    def test_are_where_the_curve_passes_a_threshold(self):
        assert find_crossings(curve(10, (3, 7, 0.9)), (0.5,)).tolist() == [3, 7]

    def test_thresholds_are_shares_of_the_range(self):
        scores = np.array([0.10, 0.12, 0.14, 0.16, 0.18, 0.20])
        assert find_crossings(scores, (0.5,)).tolist() == [3]
        assert find_crossings(scores, (0.3, 0.9)).tolist() == [2, 5]

    def test_a_frame_at_the_threshold_is_above_it(self):
        assert find_crossings(np.array([0.0, 0.5, 1.0]), (0.5,)).tolist() == [1]

    def test_a_flat_curve_has_none(self):
        assert find_crossings(np.full(6, 0.4), (0.3, 0.7)).tolist() == []

    def test_a_jagged_curve_has_the_steepest_only(self):
        scores = np.tile([0.0, 0.9], 500)
        scores[401] = 1.0
        found = find_crossings(scores, (0.5,))
        assert len(found) == MOST_CROSSINGS
        assert {401, 402} <= set(found.tolist())
        assert sorted(found) == found.tolist()

    def test_of_equally_steep_ones_the_earlier_are_kept(self):
        scores = np.concatenate([np.tile([0.0, 0.6], 150), np.tile([0.45, 1.0], 150)])  # rises of 0.6, then of 0.55
        assert find_crossings(scores, (0.5,)).tolist() == list(range(1, MOST_CROSSINGS + 1))


class TestFindRuns:
    edges = np.arange(9.0)
    curve = np.array([0.0, 0.9, 0.9, 0.1, 0.0, 0.6, 0.6, 0.0])
    no_changes = np.zeros(9)

    def test_the_stretches_above_a_threshold_are_found_with_their_means(self):
        first, last, inside = find_runs(self.edges, self.curve, self.no_changes, (0.5,))
        assert list(zip(first, last, strict=True)) == [(1, 3), (5, 7)]
        np.testing.assert_allclose(inside, [0.9, 0.6])

    def test_a_higher_threshold_finds_less_and_each_stretch_counts_once(self):
        first, last, _ = find_runs(self.edges, self.curve, self.no_changes, (0.5, 0.6, 0.9))
        assert list(zip(first, last, strict=True)) == [(1, 3), (5, 7)]
        assert [list(part) for part in find_runs(self.edges, self.curve, self.no_changes, (0.9,))[:2]] == [[1], [3]]

    def test_a_stretch_may_reach_the_ends(self):
        first, last, _ = find_runs(np.arange(5.0), np.array([1.0, 0.0, 1.0, 1.0]), np.zeros(5), (0.5,))
        assert list(zip(first, last, strict=True)) == [(0, 1), (2, 4)]

    def test_between_changes_the_curve_is_averaged_by_length(self):
        strength = np.array([0.5, 0, 0, 1.0, 0.5])
        level = average_between_changes(np.array([1.0, 0.0, 0.0, 0.4]), np.array([2.0, 1.0, 1.0, 1.0]), strength)
        np.testing.assert_allclose(level, [0.5, 0.5, 0.5, 0.4])

    def test_with_changes_a_stretch_ends_at_one(self):
        strength = np.zeros(9)
        strength[[0, 3, 5, 8]] = 0.5
        first, last, _ = find_runs(self.edges, self.curve, strength, (0.5,))
        assert list(zip(first, last, strict=True)) == [(0, 3), (5, 8)]

    def test_a_flat_curve_is_one_stretch(self):
        first, last, inside = find_runs(self.edges, np.full(8, 0.3), self.no_changes, (0.5,))
        assert (first.tolist(), last.tolist(), inside.round(3).tolist()) == ([0], [8], [0.3])
