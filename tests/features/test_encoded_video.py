import dataclasses

import numpy as np
import pytest
import torch

from grounding.errors import FeaturesError
from grounding.features.encoded_video import BLOCK, EncodedVideo

GOOD = {"timestamps": np.array([0.0, 0.5, 1.0]), "features": np.ones((3, 4)), "duration": 1.5, "encoder": "embedded"}


def test_holds_what_it_was_given():
    video = EncodedVideo(**GOOD)
    assert video.timestamps.tolist() == [0.0, 0.5, 1.0]
    assert (video.features.shape, video.duration, video.encoder) == ((3, 4), 1.5, "embedded")


def test_lists_become_arrays():
    video = EncodedVideo([0, 1], [[1.0, 2.0], [3.0, 4.0]], 2, "embedded")
    assert video.timestamps.dtype == np.float64
    assert video.features.shape == (2, 2)


def test_half_precision_stays_half():
    assert EncodedVideo(**GOOD | {"features": np.ones((3, 4), np.float16)}).features.dtype == np.float16


def test_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        EncodedVideo(**GOOD).duration = 3.0


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"features": np.ones((2, 4))}, "do not fit"),
        ({"features": np.ones(3)}, "do not fit"),
        ({"timestamps": np.zeros((3, 1))}, "do not fit"),
        ({"timestamps": np.zeros(0), "features": np.ones((0, 4))}, "do not fit"),
        ({"timestamps": ["0:00", "0:01", "0:02"]}, "timestamps are of type .*: give real numbers"),
        ({"features": [[1.0, 2.0], [1.0], [2.0]]}, "features have rows of different lengths"),
        ({"features": np.full((3, 4), np.nan)}, "NaN or infinity"),
        ({"features": np.full((3, 4), np.inf)}, "NaN or infinity"),
        ({"timestamps": np.array([0.0, np.nan, 1.0])}, "NaN or infinity"),
        ({"timestamps": np.array([0.0, 1.0, 0.5])}, "later than the one before"),
        ({"timestamps": np.array([0.0, 0.5, 0.5])}, "later than the one before"),
        ({"timestamps": np.array([-1.0, 0.5, 1.0])}, "from 0 on"),
        ({"duration": "1.5"}, "give a number of seconds"),
        ({"duration": 1.0}, "later than the last frame"),
        ({"duration": 0.0}, "later than the last frame"),
        ({"duration": np.nan}, "later than the last frame"),
        ({"duration": np.inf}, "later than the last frame"),
    ],
)
def test_what_does_not_fit_says_why(wrong, reason):
    with pytest.raises(FeaturesError, match=reason):
        EncodedVideo(**GOOD | wrong)


@pytest.mark.parametrize("frame", [0, BLOCK - 1, BLOCK, 2 * BLOCK])
def test_a_value_that_is_not_finite_is_found_anywhere(frame):
    features = np.ones((2 * BLOCK + 1, 2), np.float16)
    EncodedVideo(np.arange(len(features)), features, len(features), "embedded")
    features[frame, 1] = np.nan
    with pytest.raises(FeaturesError, match="NaN or infinity"):
        EncodedVideo(np.arange(len(features)), features, len(features), "embedded")


def test_what_was_found_in_a_video_is_not_looked_for_again():
    video = EncodedVideo(np.arange(2.0), np.zeros((2, 3)), 2.0, "x")
    looks = []
    for what in ("changes", "changes", "mean"):
        assert video.compute_once(what, lambda: looks.append(1) or len(looks)) == (2 if what == "mean" else 1)
    assert len(looks) == 2


@pytest.mark.parametrize("kind", [">f4", "float64", "int16"])
def test_features_of_any_real_type_are_read(kind):
    features = np.arange(6).reshape(3, 2).astype(kind)[::-1]
    held = EncodedVideo(np.arange(3.0), features, 3.0, "embedded").features
    assert torch.from_numpy(held).tolist() == features.tolist()


@pytest.mark.parametrize("kind", [complex, object, str])
def test_features_that_are_no_real_numbers_are_refused(kind):
    with pytest.raises(FeaturesError, match="real numbers"):
        EncodedVideo(np.arange(3.0), np.ones((3, 2)).astype(kind), 3.0, "embedded")


def test_features_too_large_for_single_precision_are_not_finite():
    with pytest.raises(FeaturesError, match="infinity"):
        EncodedVideo(np.arange(3.0), np.full((3, 2), 1e39), 3.0, "embedded")
