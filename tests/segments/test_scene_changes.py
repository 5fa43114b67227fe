import numpy as np
import pytest

from grounding.segments import scene_changes as joins
from grounding.segments.config import SegmentConfig
from grounding.segments.find import find_segments
from grounding.segments.scene_changes import (
    estimate_join_chances,
    find_changes,
    find_local_peaks,
    find_scene_changes,
    keep_strongest,
    measure_coherence,
    measure_lasting_change,
    measure_neighbour_distance,
)
from tests.curves import scenes


def shots(*numbers: int, length: int = 8) -> np.ndarray:
    """Features (T, 6) of shots of `length` frames, each of the scene with that number; a shot varies from the rest."""
    rng = np.random.default_rng(1)
    return np.concatenate([np.eye(6)[number] + 0.1 * rng.normal(size=(length, 6)) for number in numbers])


class TestFindSceneChanges:
    features = np.eye(4)[[0, 0, 0, 1, 1, 1, 2, 2, 2]]
    times = np.arange(9.0)

    def test_are_changes_between_neighbours_unless_they_must_last(self):
        breaks = find_scene_changes(self.times, self.features, SegmentConfig(changes=1))
        assert np.flatnonzero(breaks.strength).tolist() == [0, 3, 9]
        assert breaks.chances.tolist() == breaks.strength.tolist()

    def test_of_changes_that_last_all_keep_their_chances_and_the_strongest_bound_segments(self):
        breaks = find_scene_changes(self.times, self.features, SegmentConfig(changes=1, windows=(2.0,)))
        assert np.flatnonzero(breaks.chances).tolist() == [0, 3, 6, 9]
        assert np.flatnonzero(breaks.strength).tolist() == [0, 3, 9]


class TestFindChanges:
    def test_peak_where_the_scene_changes(self):
        strength = find_changes(scenes(20, 6, 13), 2)
        assert np.flatnonzero(strength).tolist() == [0, 6, 13, 20]

    def test_the_strongest_is_one_and_the_ends_half(self):
        strength = find_changes(scenes(20, 6), 1)
        assert (strength[0], strength[6], strength[20]) == (0.5, pytest.approx(1.0), 0.5)

    def test_only_the_most_wanted(self):
        features = np.array([[1, 0], [1, 0], [0.8, 0.6], [0.8, 0.6], [-0.6, 0.8], [-0.6, 0.8]])  # a small and a large
        assert np.flatnonzero(find_changes(features, 1)).tolist() == [0, 4, 6]

    def test_none_leaves_them_out(self):
        assert not find_changes(scenes(20, 6, 13), 0).any()

    def test_does_not_depend_on_the_length_of_features(self):
        features = scenes(20, 6, 13)
        scaled = features * np.linspace(1, 50, 20)[:, None]
        assert find_changes(scaled, 4) == pytest.approx(find_changes(features, 4))

    @pytest.mark.parametrize("dtype", [np.float16, np.float32])
    def test_a_frame_of_zeros_is_no_nan(self, dtype):
        features = scenes(20, 6).astype(dtype)
        features[3] = 0
        assert np.isfinite(find_changes(features, 4)).all()

    def test_in_a_slow_turn_only_the_fastest_edge_is_one(self):
        angles = np.deg2rad([0, 10, 30, 70, 90, 100])
        features = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        assert np.flatnonzero(find_changes(features, 5)).tolist() == [0, 3, 6]

    def test_of_two_equal_changes_in_a_row_the_later_counts(self):
        assert np.flatnonzero(find_changes(np.eye(3)[[0, 0, 1, 2, 2]], 5)).tolist() == [0, 3, 5]

    def test_of_equal_changes_the_earlier_count(self):
        features = np.array([[1, 0, 0], [0.6, 0.8, 0], [0, 0, 1]])[np.arange(600) // 2 % 3]  # by 0.4, 1, 1, 0.4, ...
        assert np.flatnonzero(find_changes(features, 5)).tolist() == [0, 4, 6, 10, 12, 16, 600]

    @pytest.mark.parametrize("seed", range(10))
    def test_a_still_picture_has_none(self, seed):
        features = np.tile(np.random.default_rng(seed).normal(size=64), (20, 1))
        assert np.flatnonzero(find_changes(features, 5)).tolist() == [0, 20]

    def test_of_two_frames(self):
        assert find_changes(np.eye(2), 4).tolist() == [0.5, 1.0, 0.5]

    def test_of_one_frame(self):
        assert find_changes(np.ones((1, 4)), 4).tolist() == [0.5, 0.5]


class TestLastingChange:
    def test_is_greatest_where_scenes_meet(self):
        assert measure_lasting_change(shots(0, 1), reach=4).argmax() == 7

    def test_looks_past_one_odd_frame(self):
        features = shots(0, 0, 1)
        features[4] = np.eye(6)[5]
        assert measure_lasting_change(features, reach=1)[3:5].min() > 0.8
        assert measure_lasting_change(features, reach=8)[3:5].max() < 0.5
        assert measure_lasting_change(features, reach=8).argmax() == 15

    def test_of_two_frames_is_their_distance(self):
        assert measure_lasting_change(np.eye(2), reach=1) == pytest.approx([1.0])
        assert measure_lasting_change(np.array([[1.0], [-1.0]]), reach=5) == pytest.approx([2.0])

    def test_is_taken_about_the_mean(self):
        assert measure_lasting_change(np.array([[3.0], [1.0]]), 1, np.array([2.0])) == pytest.approx([2.0])


class TestNeighbourDistance:
    @pytest.mark.parametrize("count", [2, 5, 6, 9, 12])
    def test_is_the_cosine_distance_of_each_frame_and_the_next(self, monkeypatch, count):
        monkeypatch.setattr(joins, "BLOCK", 4)
        features = np.random.default_rng(0).normal(size=(count, 3)).astype(np.float16)
        rows = features.astype(np.float64)
        lengths = np.linalg.norm(rows, axis=1)
        cosine = (rows[1:] * rows[:-1]).sum(axis=1) / (lengths[1:] * lengths[:-1])
        assert measure_neighbour_distance(features) == pytest.approx(1 - cosine, abs=1e-5)

    def test_to_nothing_is_one(self):
        assert measure_neighbour_distance(np.eye(3)[:2] * [[1.0], [0.0]]).tolist() == [1.0]


class TestLocalPeaks:
    def test_may_be_negative_and_at_the_ends(self):
        assert find_local_peaks(np.array([-1.0, -2.0, -3.0, -2.0]), 1).tolist() == [0, 3]

    def test_are_higher_than_all_in_reach(self):
        assert find_local_peaks(np.array([1.0, 3.0, 2.0, 1.0, 5.0]), 1).tolist() == [1, 4]
        assert find_local_peaks(np.array([1.0, 3.0, 2.0, 1.0, 5.0]), 3).tolist() == [4]


class TestJoinChances:
    def test_are_high_at_joins_and_low_elsewhere(self):
        features = shots(0, 1, 2)
        chances = estimate_join_chances(np.arange(24.0), features, (2.0, 6.0), 0.9)
        assert chances.shape == (25,)
        assert (chances[[8, 16]] > 0.5).all()
        assert (np.delete(chances, [0, 8, 16, 24]) < 0.5).all()
        assert chances[[0, 24]].tolist() == [0.5, 0.5]

    def test_do_not_depend_on_what_all_scenes_share(self):
        features = shots(0, 1, 2)
        shared = np.array([3.0, 0.0, -2.0, 1.0, 0.0, 5.0])
        alike = estimate_join_chances(np.arange(24.0), features + shared, (2.0, 6.0), 0.9)
        assert alike == pytest.approx(estimate_join_chances(np.arange(24.0), features, (2.0, 6.0), 0.9), abs=1e-3)

    @pytest.mark.parametrize("count", [1, 2, 5])
    def test_a_still_picture_has_no_join(self, count):
        chances = estimate_join_chances(np.arange(float(count)), np.ones((count, 3)), (1.5, 6.0), 0.9)
        assert chances.shape == (count + 1,)
        assert np.isfinite(chances).all()
        assert (chances[1:-1] == 0).all()

    def test_two_unlike_frames_are_two_scenes(self):
        assert estimate_join_chances(np.arange(2.0), np.eye(2), (1.0,), 0.9)[1] > 0.9

    def test_at_the_middle_distance_a_join_is_as_likely_as_not(self):
        angles = np.deg2rad([0, 0, 60, 60, 180, 180, 240, 240])  # distances of 0.5, 1.5 and 0.5
        features = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        chances = estimate_join_chances(np.arange(8.0), features, (1.0,), 0.5)
        assert chances == pytest.approx([0.5, 0, 0.5, 0, 1 / (1 + np.exp(-joins.SHARPNESS)), 0, 0.5, 0, 0.5])

    def test_windows_are_seconds(self):
        features = shots(0, 1, 2)
        slow = estimate_join_chances(np.arange(24.0), features, (2.0, 6.0), 0.9)
        fast = estimate_join_chances(np.arange(24.0) / 4, features, (0.5, 1.5), 0.9)
        assert fast.tolist() == slow.tolist()

    def test_a_window_shorter_than_a_frame_holds_one(self):
        features = np.eye(2)[[0, 1, 0, 1]]
        assert (estimate_join_chances(np.arange(4.0), features, (0.2,), 0.9)[1:-1] > 0.9).all()


def test_unbroken_windows_lose_nothing_and_joins_at_their_ends_do_not_count():
    chances = np.array([0.5, 0.3, 0.8, 0.4, 0.5])
    logs = measure_coherence(chances, np.array([0, 0, 2, 1]), np.array([2, 4, 4, 2]))
    assert logs == pytest.approx(np.log([0.7, 0.7 * 0.2 * 0.6, 0.6, 1.0]))


def test_a_certain_join_does_not_rule_a_window_out_for_good():
    assert measure_coherence(np.array([0.5, 1.0, 0.5]), np.array([0]), np.array([2])) == pytest.approx(
        np.log(joins.LEAST)
    )


def test_strongest_keeps_the_ends_and_the_highest():
    assert keep_strongest(np.array([0.5, 0.1, 0.9, 0.3, 0.5]), 1).tolist() == [0.5, 0.0, 0.9, 0.0, 0.5]
    assert keep_strongest(np.array([0.5, 0.1, 0.9, 0.3, 0.5]), 0).tolist() == [0.5, 0.0, 0.0, 0.0, 0.5]


def test_of_equal_chances_strongest_keeps_the_earlier():
    kept = keep_strongest(np.tile([0.7, 0.3], 101), 3)
    assert np.flatnonzero(kept).tolist() == [0, 2, 4, 6, 201]


class TestCoherence:
    """Two neighbouring scenes both match; a moment is one scene."""

    def best(self, **options):
        scores = np.repeat([0.1, 0.7, 0.6, 0.1], 8)
        config = SegmentConfig(windows=(1.5, 6.0), **options)
        return find_segments(np.arange(32.0), scores, shots(0, 1, 2, 3), 32.0, config=config)[0]

    def test_a_moment_does_not_run_over_a_join(self):
        best = self.best(coherence=0.3)
        assert (best.start, best.end) == pytest.approx((7.5, 15.5))

    def test_without_it_a_moment_may(self):
        best = self.best(coherence=0.0)
        assert (best.start, best.end) == pytest.approx((7.5, 23.5))


def test_blocks_change_nothing_but_the_memory(monkeypatch):
    features = shots(0, 1, 2, 0)
    whole = measure_lasting_change(features, 6, features.mean(axis=0))
    monkeypatch.setattr(joins, "BLOCK", 5)
    assert measure_lasting_change(features, 6, features.mean(axis=0)) == pytest.approx(whole, abs=1e-5)
