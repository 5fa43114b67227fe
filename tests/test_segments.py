import numpy as np
import pytest

from grounding.segments import (
    MOST_CROSSINGS,
    Segment,
    SegmentConfig,
    changes,
    crossings,
    find_segments,
    frame_edges,
    overlap,
    sharpened,
    smooth,
    suppress,
)

PLAIN = SegmentConfig(smoothing=0.0, changes=0)


def curve(length: int, *moments: tuple[int, int, float], low: float = 0.1) -> np.ndarray:
    scores = np.full(length, low)
    for start, end, height in moments:
        scores[start:end] = height
    return scores


def scenes(length: int, *cuts: int) -> np.ndarray:
    """Features (T, 8) that turn to another direction at each cut, with a little noise."""
    number = np.searchsorted(cuts, np.arange(length), side="right")
    return np.eye(8)[number % 8] + 0.01 * np.random.default_rng(0).normal(size=(length, 8))


def find(scores, features=None, rate=1.0, **options):
    timestamps = np.arange(len(scores)) / rate
    features = np.ones((len(scores), 4)) if features is None else features
    return find_segments(timestamps, scores, features, len(scores) / rate, **options)


def bounds(segment: Segment) -> tuple[float, float]:
    return segment.start, segment.end


class TestFrameEdges:
    def test_lie_midway_and_span_the_video(self):
        assert frame_edges(np.array([0.0, 1.0, 3.0]), 5.0).tolist() == [0.0, 0.5, 2.0, 5.0]

    def test_of_one_frame_are_the_video(self):
        assert frame_edges(np.array([0.0]), 0.4).tolist() == [0.0, 0.4]


class TestSmooth:
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

    @pytest.mark.parametrize("length", [1, 2, 3])
    def test_a_curve_shorter_than_the_kernel(self, length):
        assert smooth(np.arange(length, dtype=float), np.full(length, 0.5), 10.0) == pytest.approx(np.full(length, 0.5))


class TestSharpened:
    def test_zero_leaves_the_scores_alone(self):
        scores = np.array([0.2, 0.9])
        assert sharpened(scores, 0.0) is scores

    def test_is_the_odds_to_a_power_and_one_at_the_highest(self):
        scores = np.array([0.5, 0.8, 0.9])  # odds of 1, 4 and 9
        assert sharpened(scores, 1.0) == pytest.approx([1 / 9, 4 / 9, 1.0])
        assert sharpened(scores, 0.5) == pytest.approx([1 / 3, 2 / 3, 1.0])

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_certain_frames_are_no_infinity(self, dtype):
        assert sharpened(np.array([0.0, 1.0, 1.0], dtype), 1.5) == pytest.approx([0.0, 1.0, 1.0])

    def test_does_not_depend_on_how_high_all_the_odds_are(self):
        odds = np.array([1.0, 4.0, 2.0])
        low, high = (sharpened(odds * by / (1 + odds * by), 1.5) for by in (0.01, 5.0))
        assert low == pytest.approx(high)


class TestChanges:
    def test_peak_where_the_scene_changes(self):
        strength = changes(scenes(20, 6, 13), 2)
        assert np.flatnonzero(strength).tolist() == [0, 6, 13, 20]

    def test_the_strongest_is_one_and_the_ends_half(self):
        strength = changes(scenes(20, 6), 1)
        assert (strength[0], strength[6], strength[20]) == (0.5, pytest.approx(1.0), 0.5)

    def test_only_the_most_wanted(self):
        features = np.array([[1, 0], [1, 0], [0.8, 0.6], [0.8, 0.6], [-0.6, 0.8], [-0.6, 0.8]])  # a small and a large
        assert np.flatnonzero(changes(features, 1)).tolist() == [0, 4, 6]

    def test_none_leaves_them_out(self):
        assert not changes(scenes(20, 6, 13), 0).any()

    def test_does_not_depend_on_the_length_of_features(self):
        features = scenes(20, 6, 13)
        scaled = features * np.linspace(1, 50, 20)[:, None]
        assert changes(scaled, 4) == pytest.approx(changes(features, 4))

    @pytest.mark.parametrize("dtype", [np.float16, np.float32])
    def test_a_frame_of_zeros_is_no_nan(self, dtype):
        features = scenes(20, 6).astype(dtype)
        features[3] = 0
        assert np.isfinite(changes(features, 4)).all()

    def test_of_one_frame(self):
        assert changes(np.ones((1, 4)), 4).tolist() == [0.5, 0.5]


class TestCrossings:
    def test_are_where_the_curve_passes_a_threshold(self):
        assert crossings(curve(10, (3, 7, 0.9)), (0.5,)).tolist() == [3, 7]

    def test_thresholds_are_shares_of_the_range(self):
        scores = np.array([0.10, 0.12, 0.14, 0.16, 0.18, 0.20])
        assert crossings(scores, (0.5,)).tolist() == [3]
        assert crossings(scores, (0.3, 0.9)).tolist() == [2, 5]

    def test_a_flat_curve_has_none(self):
        assert crossings(np.full(6, 0.4), (0.3, 0.7)).tolist() == []

    def test_a_jagged_curve_has_the_steepest_only(self):
        scores = np.tile([0.0, 0.9], 500)
        scores[401] = 1.0
        found = crossings(scores, (0.5,))
        assert len(found) == MOST_CROSSINGS
        assert {401, 402} <= set(found.tolist())
        assert sorted(found) == found.tolist()


class TestOverlap:
    @pytest.mark.parametrize(
        ("b", "expected"),
        [((0, 10), 1.0), ((5, 15), 1 / 3), ((2, 4), 0.2), ((10, 20), 0.0), ((30, 40), 0.0)],
    )
    def test_is_intersection_over_union(self, b, expected):
        first, second = Segment(0, 10, 0.5), Segment(*b, 0.5)
        assert overlap(first, second) == pytest.approx(expected)
        assert overlap(second, first) == pytest.approx(expected)


class TestSuppress:
    ranked = [Segment(0, 10, 0.9), Segment(1, 10, 0.8), Segment(20, 30, 0.7), Segment(5, 15, 0.6), Segment(40, 50, 0.5)]

    def test_drops_what_overlaps_a_better_one(self):
        assert [s.score for s in suppress(self.ranked, 5, 0.5)] == [0.9, 0.7, 0.6, 0.5]

    def test_the_limit_is_an_iou(self):
        assert [s.score for s in suppress(self.ranked, 5, 0.3)] == [0.9, 0.7, 0.5]

    def test_stops_at_the_most_wanted(self):
        assert [s.score for s in suppress(self.ranked, 2, 0.5)] == [0.9, 0.7]


class TestFindSegments:
    def test_one_clear_moment(self):
        best = find(curve(40, (12, 20, 0.9)), config=PLAIN)[0]
        assert bounds(best) == (11.5, 19.5)
        assert best.score == pytest.approx(0.9)

    def test_times_are_seconds_at_any_rate(self):
        best = find(curve(80, (24, 40, 0.9)), rate=2.0, config=PLAIN)[0]
        assert bounds(best) == (11.75, 19.75)

    def test_uneven_timestamps(self):
        timestamps = np.concatenate([np.arange(0, 10, 0.5), np.arange(10, 40, 2.0)])
        scores = np.where((timestamps >= 10) & (timestamps < 20), 0.9, 0.1)
        best = find_segments(timestamps, scores, np.ones((len(scores), 4)), 42.0, config=PLAIN)[0]
        assert bounds(best) == (9.75, 19.0)

    def test_the_default_finds_a_noisy_moment(self):
        scores = curve(60, (22, 34, 0.8)) + np.random.default_rng(1).uniform(-0.08, 0.08, 60)
        best = find(scores, scenes(60, 22, 34))[0]
        assert overlap(best, Segment(22, 34, 1)) > 0.8

    def test_the_better_of_two_moments_comes_first(self):
        first, second = find(curve(60, (10, 18, 0.6), (40, 48, 0.9)), config=PLAIN, top_k=2)
        assert bounds(first) == (39.5, 47.5)
        assert bounds(second) == (9.5, 17.5)

    def test_a_change_of_the_picture_becomes_a_boundary(self):
        scores = curve(40, (15, 20, 0.9), low=0.1)
        scores[20:25] = 0.4  # the curve falls before the scene ends
        config = SegmentConfig(smoothing=0.0, changes=2, change_bonus=5.0)
        assert bounds(find(scores, scenes(40, 15, 25), config=config)[0]) == (14.5, 24.5)
        assert bounds(find(scores, scenes(40, 15, 25), config=PLAIN)[0]) == (14.5, 19.5)

    def test_balance_prefers_longer_windows(self):
        scores = curve(60, (20, 40, 0.3), (28, 30, 1.0))
        peak, shelf = (
            find(scores, config=SegmentConfig(smoothing=0.0, changes=0, thresholds=(0.1, 0.5), balance=balance))[0]
            for balance in (0.0, 1.0)
        )
        assert bounds(peak) == (27.5, 29.5)
        assert bounds(shelf) == (19.5, 39.5)

    def test_sharpness_tells_the_best_frames_from_the_good(self):
        scores = curve(60, (10, 50, 0.8), (28, 34, 0.97))
        flat, sharp = (
            find(scores, config=SegmentConfig(smoothing=0.0, changes=0, balance=1.0, sharpness=power))[0]
            for power in (0.0, 2.0)
        )
        assert bounds(flat) == (9.5, 49.5)
        assert bounds(sharp) == (27.5, 33.5)
        assert sharp.score == pytest.approx(0.97)  # the score is that of the frames, not their odds

    def test_surroundings_are_what_a_window_is_held_against(self):
        scores = curve(100, (20, 26, 0.7), (50, 100, 0.5), (70, 80, 0.9), low=0.0)
        near, far = (
            find(scores, config=SegmentConfig(smoothing=0.0, changes=0, surroundings=reach, balance=0.0))[0]
            for reach in (0.5, 100.0)
        )
        assert bounds(near) == (19.5, 25.5)  # rises higher above what lies next to it
        assert bounds(far) == (69.5, 79.5)  # rises higher above the whole video

    @pytest.mark.parametrize("top_k", [1, 3, 10])
    def test_answers_are_valid_ranked_apart_and_at_most_top_k(self, top_k):
        rng = np.random.default_rng(top_k)
        for length in (1, 2, 3, 7, 50, 200):
            scores, features = rng.uniform(size=length), rng.normal(size=(length, 8))
            found = find(scores, features, rate=2.0, top_k=top_k)
            assert 1 <= len(found) <= top_k
            assert all(0 <= s.start < s.end <= length / 2 and 0 <= s.score <= 1 for s in found)
            assert all(overlap(a, b) <= 0.5 for i, a in enumerate(found) for b in found[:i])

    def test_scores_of_certain_frames_never_exceed_one(self):
        for length in range(20, 60):
            found = find(curve(length, (7, 17, 1.0), low=0.0), scenes(length, 7, 17), rate=3.0)
            assert all(0 <= segment.score <= 1 for segment in found)

    @pytest.mark.parametrize("height", [0.0, 0.4, 1.0])
    def test_a_flat_curve_gives_the_whole_video(self, height):
        assert find(np.full(30, height)) == [Segment(0.0, 30.0, pytest.approx(height))]

    def test_one_frame_gives_the_whole_video(self):
        assert find(np.array([0.7])) == [Segment(0.0, 1.0, pytest.approx(0.7))]

    def test_a_moment_at_either_end(self):
        assert bounds(find(curve(30, (0, 8, 0.9)), config=PLAIN)[0]) == (0.0, 7.5)
        assert bounds(find(curve(30, (22, 30, 0.9)), config=PLAIN)[0]) == (21.5, 30.0)

    def test_a_short_moment_of_a_long_video(self):
        best = find(curve(3600, (1800, 1812, 0.9)), config=PLAIN)[0]
        assert bounds(best) == (1799.5, 1811.5)

    def test_in_a_long_video_a_long_stretch_does_not_win_by_its_length(self):
        best = find(curve(1000, (100, 120, 0.9), (500, 800, 0.5)), config=PLAIN)[0]
        assert bounds(best) == (99.5, 119.5)

    def test_a_faint_moment_is_found_too(self):
        assert bounds(find(curve(40, (12, 20, 0.013), low=0.010), config=PLAIN)[0]) == (11.5, 19.5)

    def test_the_same_input_gives_the_same_answer(self):
        scores = np.random.default_rng(0).uniform(size=80)
        assert find(scores, scenes(80, 30)) == find(scores, scenes(80, 30))


def test_a_segment_s_score_is_the_mean_of_its_frames_scores_however_the_curve_is_smoothed():
    times, scores = np.arange(20) + 0.5, np.zeros(20)
    scores[5:11] = 0.8
    found = find_segments(times, scores, np.ones((20, 2)), 20.0, 1, SegmentConfig(smoothing=2.0, changes=0))[0]
    inside = (times >= found.start) & (times < found.end)
    assert found.score == pytest.approx(scores[inside].mean())
