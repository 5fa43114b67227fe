import os
from pathlib import Path

import numpy as np
import pytest

from grounding.errors import FeaturesError, WriteError
from grounding.features.cache_key import Key
from grounding.features.encoded_video import EncodedVideo
from grounding.library import feature_files
from grounding.library.feature_files import (
    describe_source,
    feature_file,
    features_folder,
    is_current,
    read_features,
    write_features,
)
from tests.clips import plain, write_video
from training.features import write_features as write_extracted

KEY = Key("", "embedded", "1" * 64, 2.0, 4, "this code on the CPU")
PINNED = (-0.860, -0.559, -0.055, 0.238, 0.539, 1.655, -0.031, 0.852)  # a picture's feature, mixed into eight numbers


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "videos" / "a.mp4"
    path.parent.mkdir()
    path.write_bytes(b"a video")
    return path


@pytest.fixture
def encoded():
    return EncodedVideo(np.arange(3.0), np.eye(3, 4, dtype=np.float16), 3.0, "embedded", ((1.0, 2.0),))


def test_what_is_written_is_read(tmp_path, video, encoded):
    path = feature_file(features_folder(tmp_path, "embedded", 2.0), video)
    write_features(path, encoded, KEY, describe_source(video))
    again = read_features(path, KEY)
    assert (again.features == encoded.features).all() and (again.timestamps == encoded.timestamps).all()
    assert (again.duration, again.skipped) == (3.0, ((1.0, 2.0),))
    assert is_current(path, video, KEY)


def test_extract_fills_the_same_place(tmp_path, video, encoded):
    folder = features_folder(tmp_path, "embedded", 2.0)
    write_extracted(folder / video.parent.relative_to("/"), video.name, encoded, 2.0)
    path = feature_file(folder, video)
    assert read_features(path, KEY).duration == 3.0
    assert is_current(path, video, KEY)
    os.utime(video, (2e9, 2e9))  # replaced later
    assert not is_current(path, video, KEY)


def test_another_file_in_the_place_of_a_video_is_noticed(tmp_path, video, encoded):
    path = feature_file(tmp_path, video)
    write_features(path, encoded, KEY, describe_source(video))
    video.write_bytes(b"another video")
    assert not is_current(path, video, KEY)


def test_features_of_another_encoder_or_rate_are_refused(tmp_path, video, encoded):
    path = feature_file(tmp_path, video)
    write_features(path, encoded, KEY, "")
    for encoder, rate in (("open_clip:x", 2.0), ("embedded", 1.0)):
        with pytest.raises(FeaturesError, match="holds 'embedded' at 2.0 frames a second"):
            read_features(path, KEY._replace(encoder=encoder, rate=rate))


def test_features_of_other_weights_are_refused(tmp_path, video, encoded):
    path, other = feature_file(tmp_path, video), KEY._replace(weights="2" * 64)
    write_features(path, encoded, KEY, describe_source(video))
    assert not is_current(path, video, other)
    with pytest.raises(FeaturesError, match="other weights"):
        read_features(path, other)


def test_features_of_another_preprocessing_are_refused_and_those_of_another_device_are_not(
    tmp_path, video, encoded, monkeypatch
):
    path = feature_file(tmp_path, video)
    write_features(path, encoded, KEY, describe_source(video))
    assert is_current(path, video, KEY._replace(made_by="newer libraries on another device"))
    monkeypatch.setattr(feature_files, "PREPROCESSING", "another")
    assert not is_current(path, video, KEY)
    with pytest.raises(FeaturesError, match="other preprocessing"):
        read_features(path, KEY)


def test_preprocessing_is_raised_where_features_change(predictor):
    """If this fails since frames are encoded otherwise, raise PREPROCESSING and take the new numbers."""
    y, x = np.mgrid[:120, :200]
    frame = np.stack([x % 256, y * 2, (x * y) % 256], axis=-1).astype(np.uint8)
    feature = predictor.frame_encoder.encode([frame])[0].numpy()
    mixed = np.random.default_rng(0).normal(size=(8, len(feature))).astype(np.float32) @ feature
    assert feature_files.PREPROCESSING == "2"
    assert mixed == pytest.approx(PINNED, abs=0.05)  # OpenVINO and torch differ by 0.02


@pytest.mark.parametrize(
    ("name", "times", "sampled"),
    [
        ("10 frames a second.mp4", [n / 10 for n in range(20)], [0.0, 0.5, 1.0, 1.5]),
        ("24000 in 1001 s.mkv", [n * 1001 / 24000 for n in range(48)], [0.0, 0.5, 1.001, 1.502]),
        ("4 frames a second.webm", [n / 4 for n in range(8)], [0.0, 0.5, 1.0, 1.5]),
        ("variable.mp4", [0.0, 0.1, 0.2, 0.9, 1.0, 1.8, 1.9], [0.0, 0.5, 1.0, 1.5]),
        ("late start.mkv", [1 + n / 10 for n in range(15)], [0.0, 0.5, 1.0]),
    ],
)
def test_preprocessing_is_raised_where_other_times_are_sampled(predictor, tmp_path, name, times, sampled):
    """As above: frames of other times are other features."""
    frames = [plain((9 * number % 256, 40, 40)) for number in range(len(times))]
    path = write_video(tmp_path / name, frames, times, "libvpx" if name.endswith(".webm") else "libx264")
    assert predictor.encode_video(path).timestamps == pytest.approx(sampled, abs=0.002)


def test_features_are_read_where_weights_are_not_at_hand(tmp_path, video, encoded):
    path = feature_file(tmp_path, video)
    write_features(path, encoded, KEY, describe_source(video))
    assert is_current(path, video, KEY._replace(weights=""))
    assert read_features(path, KEY._replace(weights="")).duration == 3.0


@pytest.mark.parametrize("content", [b"", b"x", b"\xff" * 100])
def test_a_damaged_file_is_refused(tmp_path, video, content):
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    assert not is_current(path, video, KEY)
    with pytest.raises(FeaturesError, match="a.safetensors"):
        read_features(path, KEY)


def test_each_video_has_its_own_place():
    places = {feature_file(Path("/s"), Path(path)) for path in ("/v/a.mp4", "/v/a.mkv", "/w/a.mp4", "/v/a")}
    assert len(places) == 4
    assert features_folder(Path("/s"), "open_clip:ViT-B-32:openai", 1.5).parts[2] == "open_clip_ViT-B-32_openai-1.5fps"


def test_a_store_that_cannot_be_made_is_said(tmp_path, encoded):
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match="choose another store"):
        write_features(tmp_path / "file" / "a" / "b.safetensors", encoded, KEY, "")
