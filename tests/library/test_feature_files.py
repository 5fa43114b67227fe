import os
from pathlib import Path

import numpy as np
import pytest

from grounding.errors import FeaturesError, WriteError
from grounding.features.cache_key import Key
from grounding.features.encoded_video import EncodedVideo
from grounding.library.feature_files import (
    describe_source,
    feature_file,
    features_folder,
    is_current,
    read_features,
    write_features,
)
from training.features import write_features as write_extracted

KEY = Key("", "embedded", "1" * 64, 2.0, 4, "this code on the CPU")


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


@pytest.mark.parametrize(
    ("changed", "said"), [({"weights": "2" * 64}, "other weights"), ({"made_by": "newer code"}, "other code")]
)
def test_features_of_other_weights_or_code_are_refused(tmp_path, video, encoded, changed, said):
    path = feature_file(tmp_path, video)
    write_features(path, encoded, KEY, describe_source(video))
    assert not is_current(path, video, KEY._replace(**changed))
    with pytest.raises(FeaturesError, match=said):
        read_features(path, KEY._replace(**changed))


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
