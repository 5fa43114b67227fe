from itertools import pairwise

import numpy as np
import pytest

from grounding.segments.config import SegmentConfig
from grounding.segments.find import Segment, compute_iou, describe_order, find_segments, suppress_overlaps
from tests.curves import curve, scenes

PLAIN = SegmentConfig(smoothing=0.0, changes=0)


def find(scores, features=None, rate=1.0, **options):
    timestamps = np.arange(len(scores)) / rate
    features = np.ones((len(scores), 4)) if features is None else features
    return find_segments(timestamps, scores, features, len(scores) / rate, **options)


def bounds(segment: Segment) -> tuple[float, float]:
    return segment.start, segment.end


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((0, 10), (0, 10), 1.0),
        ((0, 10), (5, 15), 1 / 3),
        ((0, 10), (2, 4), 0.2),
        ((0, 10), (9, 19), 1 / 19),
        ((0, 10), (10, 20), 0.0),
        ((0, 10), (30, 40), 0.0),
        ((3, 3), (3, 3), 0.0),
        ((3, 3), (1, 5), 0.0),
    ],
)
def test_iou_is_intersection_over_union(a, b, expected):
    assert compute_iou(a, b) == compute_iou(b, a) == pytest.approx(expected)


class TestSuppressOverlaps:
    edges = np.arange(0.0, 60.0, 5.0)
    ranked = ((0, 2), (0, 3), (4, 6), (1, 3), (8, 10))  # 0 to 10 s, 0 to 15, 20 to 30, 5 to 15, 40 to 50

    def test_drops_what_overlaps_a_better_one(self):
        assert suppress_overlaps(self.ranked, self.edges, 5, 0.5) == [(0, 2), (4, 6), (1, 3), (8, 10)]

    def test_the_limit_is_an_iou(self):
        assert suppress_overlaps(self.ranked, self.edges, 5, 0.3) == [(0, 2), (4, 6), (8, 10)]

    def test_an_overlap_of_just_the_limit_is_kept(self):
        assert len(suppress_overlaps([(0, 2), (0, 1)], self.edges, 5, 0.5)) == 2

    def test_stops_at_the_most_wanted(self):
        assert suppress_overlaps(self.ranked, self.edges, 2, 0.5) == [(0, 2), (4, 6)]


class TestOtherSegments:
    def test_are_the_other_peaks_whole_and_no_more(self):
        scores = curve(100, (10, 20, 0.9), (40, 55, 0.7), (80, 90, 0.5))
        found = find(scores, config=PLAIN)
        assert [segment.span for segment in found] == [(9.5, 19.5), (39.5, 54.5), (79.5, 89.5)]

    def test_a_slope_of_the_best_is_none(self):
        times = np.arange(100.0)
        found = find(0.1 + 0.8 * np.exp(-(((times - 40) / 6) ** 2)), config=SegmentConfig(changes=0))
        assert all(segment.start >= found[0].end or segment.end <= found[0].start for segment in found[1:])
        assert all(segment.score < 0.2 for segment in found[1:])

    @pytest.mark.parametrize("seed", range(3))
    @pytest.mark.parametrize(("length", "share", "shortest"), [(120, 0.0, 0.0), (120, 0.1, 6.0), (240, 0.1, 8.0)])
    def test_overlap_nothing_and_last_a_share_of_the_video_or_eight_seconds(self, seed, length, share, shortest):
        rng = np.random.default_rng(seed)
        config = SegmentConfig(others_share=share)
        found = find(rng.uniform(size=length), rng.normal(size=(length, 8)), rate=2.0, config=config)
        spans = sorted(segment.span for segment in found)
        assert all(before[1] <= after[0] for before, after in pairwise(spans))
        assert min(segment.end - segment.start for segment in found[1:]) >= shortest

    def test_run_between_scene_changes(self):
        scores = curve(64, (8, 16, 0.9), (40, 44, 0.8))
        features = scenes(64, 8, 16, 36, 48)
        found = find(scores, features, config=SegmentConfig(smoothing=1.0, windows=(2.0, 6.0), change_bonus=3.0))
        assert [segment.span for segment in found[:2]] == [(7.5, 15.5), (35.5, 47.5)]


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
        assert bounds(best) == (9.75, 19.75)

    @pytest.mark.parametrize("config", [SegmentConfig(), SegmentConfig(windows=(1.5, 6.0), coherence=0.1)])
    def test_a_picture_that_is_held_is_as_long_as_one_that_is_sampled_all_along(self, config):
        """Stored features may have one frame where the picture stands still for long."""
        dense = np.arange(0, 60, 0.5)
        scores = np.where((dense >= 20) & (dense < 32), 0.8, 0.2) + 0.01 * np.sin(dense)
        features = scenes(120, 40, 64)
        scores[40:64], features[40:64] = scores[40], features[40]  # a still of 12 s
        few = np.delete(np.arange(120), np.arange(41, 64))
        full, sparse = (
            find_segments(dense[rows], scores[rows], features[rows], 60.0, 5, config) for rows in (np.arange(120), few)
        )
        assert bounds(full[0]) == bounds(sparse[0]) == (19.75, 31.75)
        assert sparse[0].score == pytest.approx(full[0].score)
        assert [segment.start for segment in sparse] == pytest.approx([segment.start for segment in full])
        assert [segment.end for segment in sparse] == pytest.approx([segment.end for segment in full])

    def test_a_score_is_a_mean_over_time(self):
        times = np.array([0.0, 0.5, 1.0, 1.5, 5.5, 6.0, 6.5, 7.0, 7.5])
        scores = np.array([0.1, 0.1, 0.6, 0.9, 0.1, 0.1, 0.1, 0.1, 0.1])
        best = find_segments(times, scores, np.ones((9, 2)), 8.0, 1, PLAIN)[0]
        assert bounds(best) == (0.75, 5.25)
        assert best.score == pytest.approx((0.5 * 0.6 + 4 * 0.9) / 4.5)

    def test_the_default_finds_a_noisy_moment(self):
        scores = curve(60, (22, 34, 0.8)) + np.random.default_rng(1).uniform(-0.08, 0.08, 60)
        best = find(scores, scenes(60, 22, 34))[0]
        assert compute_iou(best.span, (22, 34)) > 0.8

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

    def test_of_moments_that_stand_out_alike_five_are_found_the_earliest_first(self):
        scores = curve(400, *((start, start + 8, 1.0) for start in range(16, 400, 32)), low=0.0)
        found = find(scores, config=SegmentConfig(smoothing=0.0, changes=0, surroundings=1.0))
        assert [segment.start for segment in found] == [15.5, 47.5, 79.5, 111.5, 143.5]

    @pytest.mark.parametrize("top_k", [1, 3, 10])
    def test_answers_are_valid_ranked_apart_and_at_most_top_k(self, top_k):
        rng = np.random.default_rng(top_k)
        for length in (1, 2, 3, 7, 50, 200):
            scores, features = rng.uniform(size=length), rng.normal(size=(length, 8))
            found = find(scores, features, rate=2.0, top_k=top_k)
            assert 1 <= len(found) <= top_k
            assert all(0 <= s.start < s.end <= length / 2 and 0 <= s.score <= 1 for s in found)
            assert all(compute_iou(a.span, b.span) == 0 for i, a in enumerate(found) for b in found[:i])

    def test_scores_of_certain_frames_never_exceed_one(self):
        for length in range(20, 60):
            found = find(curve(length, (7, 17, 1.0), low=0.0), scenes(length, 7, 17), rate=3.0)
            assert all(0 <= segment.score <= 1 for segment in found)

    def test_nor_do_they_where_rounding_adds_up(self):
        for length in range(30, 60):
            scores = np.concatenate([np.random.default_rng(length).uniform(0, 0.5, length), np.ones(15)])
            assert all(segment.score <= 1 for segment in find(scores, config=PLAIN))

    @pytest.mark.parametrize("height", [0.0, 0.1, 0.3, 0.5, 0.7, 1.0])
    @pytest.mark.parametrize("cuts", [(), (8, 16)])
    def test_a_flat_curve_gives_the_whole_video(self, height, cuts):
        assert find(np.full(32, height), scenes(32, *cuts)) == [Segment(0.0, 32.0, pytest.approx(height))]

    def test_one_frame_gives_the_whole_video(self):
        assert find(np.array([0.7])) == [Segment(0.0, 1.0, pytest.approx(0.7))]

    def test_a_moment_at_either_end(self):
        first, last = (find(curve(30, moment), config=PLAIN)[0] for moment in ((0, 8, 0.9), (22, 30, 0.9)))
        assert first == Segment(0.0, 7.5, pytest.approx(0.9))
        assert last == Segment(21.5, 30.0, pytest.approx(0.9))

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


def test_without_contrast_segments_are_the_stretches_above_a_threshold_the_highest_first():
    scores = np.array([0.0, 0.9, 0.9, 0.1, 0.0, 0.6, 0.6, 0.0])
    config = SegmentConfig(smoothing=0.0, thresholds=(0.5,), changes=0, contrast=False)
    found = find_segments(np.arange(8.0) + 0.5, scores, np.ones((8, 2)), 8.0, 5, config)
    assert [(segment.start, segment.end) for segment in found] == [(1.0, 3.0), (5.0, 7.0)]


def test_the_order_is_told_only_where_it_is_not_that_of_the_scores_shown():
    falling, rising = ([Segment(0.0, 1.0, score) for score in scores] for scores in ((0.5, 0.304, 0.3), (0.3, 0.5)))
    assert describe_order(falling) == describe_order(falling[:1]) == ""
    assert describe_order([*falling, Segment(1.0, 2.0, 0.303)]) == ""  # 0.30 and 0.30 as they are shown
    assert describe_order(rising).startswith("Best first: what rises far above")
