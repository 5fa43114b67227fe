import numpy as np
import pytest

from grounding.segments.config import SegmentConfig
from grounding.segments.scene_changes import find_scene_changes
from grounding.segments.scene_joins import APART, REACH, WINDOWS, JoinDetector, detector_from_tensors, measure_profiles
from tests.segments.test_scene_changes import shots

ASKED = WINDOWS.index(4)  # the width whose distance alone the detector of these tests reads


def make_detector(middle: float = 0.5, step: float = 1.0) -> JoinDetector:
    """It takes an edge for a join where the distance of four frames on either side is above `middle`."""
    weight = np.zeros((len(WINDOWS), 2 * REACH + 1))
    weight[ASKED, REACH] = 20.0
    return JoinDetector(np.eye(6), ((weight.reshape(1, -1, 1), np.full((1, 1, 1), -20.0 * middle)),), step)


def test_joins_are_likely_and_what_lies_away_from_peaks_is_none():
    chances = make_detector().estimate(np.arange(24.0), shots(0, 1, 2))
    assert chances.shape == (25,) and chances[[0, 24]].tolist() == [0.5, 0.5]
    assert (chances[[8, 16]] > 0.99).all()
    assert (np.delete(chances, [0, 8, 16, 24]) < 0.5).all()
    assert not chances[[8 - APART, 8 - 1, 8 + 1, 8 + APART]].any()


def test_what_all_scenes_of_a_video_share_does_not_count():
    shared = np.array([3.0, 0.0, -2.0, 1.0, 0.0, 5.0])
    one, other = (make_detector().estimate(np.arange(24.0), shots(0, 1, 2) + add) for add in (0.0, shared))
    assert one == pytest.approx(other, abs=1e-3)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_still_picture_has_no_join(count):
    chances = make_detector(-1.0).estimate(np.arange(float(count)), np.ones((count, 6)))
    assert np.isfinite(chances).all() and chances.shape == (count + 1,)
    assert not chances[1:-1].any()


def test_a_held_frame_counts_for_as_long_as_it_is():
    features = np.eye(6)[[0] * 6 + [1] * 6 + [2] * 8]
    kept = np.array(
        [0, 1, 6, 7, 12, 13, 14, 15, 16, 17, 18, 19]
    )  # the first two scenes change once a second, then hold
    dense, sparse = (
        make_detector().estimate(times, features[times.astype(int)]) for times in (np.arange(20.0), kept.astype(float))
    )
    assert sparse[np.searchsorted(kept, [6, 12])] == pytest.approx(dense[[6, 12]], abs=1e-6)
    assert np.flatnonzero(sparse > 0.6).tolist() == np.searchsorted(kept, [6, 12]).tolist()


def test_a_profile_has_the_distances_of_the_neighbours_and_none_beyond_the_video():
    profiles = measure_profiles(shots(0, 1), np.arange(16), np.eye(6, dtype=np.float32))
    assert profiles.shape == (15, len(WINDOWS), 2 * REACH + 1)
    assert profiles[7, ASKED].argmax() == REACH  # the tent's top is the join itself
    assert profiles[6, ASKED, REACH + 1] == profiles[7, ASKED, REACH] == profiles[8, ASKED, REACH - 1]
    assert not profiles[0, :, :REACH].any() and not profiles[-1, :, REACH + 1 :].any()


def test_networks_are_averaged_and_rectified_between_layers():
    rng = np.random.default_rng(0)
    layers = tuple((rng.normal(size=(2, i, o)), rng.normal(size=(2, 1, o))) for i, o in ((81, 3), (3, 1)))
    profiles = rng.normal(size=(5, 81))
    hidden = [np.maximum(profiles @ weight + bias, 0) for weight, bias in zip(*layers[0], strict=True)]
    each = [rows @ weight + bias for rows, weight, bias in zip(hidden, *layers[1], strict=True)]
    judged = JoinDetector(np.eye(6), layers, 1.0).judge(profiles)
    assert judged == pytest.approx(np.mean(each, axis=0)[:, 0])


def test_a_detector_is_read_by_the_names_of_its_tensors():
    given = make_detector()
    (weight, bias), *_ = given.layers
    read = detector_from_tensors({"projection": given.projection, "weight0": weight, "bias0": bias}, 0.5, 6)
    assert read.step == 0.5 and read.layers[0][0] is weight and read.layers[0][1] is bias


def test_a_detector_fits_frames_that_follow_each_other_about_as_in_training():
    steps = (0.2, 0.5, 1.0, 2.0, 5.0)
    assert [make_detector().fits(np.arange(24.0) * step) for step in steps] == [False, True, True, True, False]


def test_a_detector_tells_joins_in_the_place_of_the_config():
    config, features = SegmentConfig(windows=(2.0, 6.0), join=2.0), shots(0, 1, 2)  # by the config nothing is a join
    asked, not_asked = (find_scene_changes(np.arange(24.0), features, config, it) for it in (make_detector(), None))
    assert asked.chances[8] > 0.9 > 0.5 > not_asked.chances[8]
