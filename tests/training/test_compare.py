import sys

import numpy as np
import pytest
from safetensors.numpy import save_file

from grounding.features.encoded_video import EncodedVideo
from training.compare import compute_cosines, main
from training.features import write_features

ENCODER = "open_clip:tiny:none"


@pytest.fixture
def folder(tmp_path):
    """Two videos at 2 fps, and what someone published of one of them at 1 fps, longer than ours by a factor."""
    rng = np.random.default_rng(0)
    for name in ("a.mp4", "b.mp4"):
        features = rng.normal(size=(8, 16))
        write_features(tmp_path / "own", name, EncodedVideo(np.arange(8) / 2, features, 4.0, ENCODER), 2.0)
        if name == "a.mp4":
            save_file({"a": (3 * features[::2]).astype(np.float32)}, tmp_path / "published.safetensors")
            save_file({"a": np.arange(4.0) + 0.1}, tmp_path / "times.safetensors")
    return tmp_path


def run(folder, monkeypatch, published="published.safetensors", times="times.safetensors"):
    monkeypatch.setattr(sys, "argv", ["compare", *(str(folder / name) for name in ("own", published, times))])
    return main()


def test_the_same_features_agree_whatever_their_length(folder, monkeypatch, capsys):
    assert run(folder, monkeypatch) == 0
    printed = capsys.readouterr().out
    assert "a.mp4: median 1.0000" in printed
    assert "4 frames of 1 videos" in printed


def test_features_of_something_else_do_not(folder, monkeypatch, capsys):
    other = np.random.default_rng(1).normal(size=(4, 16)).astype(np.float32)
    save_file({"a": other}, folder / "published.safetensors")
    assert run(folder, monkeypatch) == 1


def test_frames_are_paired_by_time():
    own = EncodedVideo(np.array([0.0, 1.0, 2.0]), np.eye(3), 3.0, "x")
    published = EncodedVideo(np.array([0.9, 2.2]), np.eye(3)[[1, 0]], 3.0, "x")
    np.testing.assert_allclose(compute_cosines(own, published), [1.0, 0.0])


def test_no_video_in_common_is_one_clear_line(folder, monkeypatch, capsys):
    save_file({"z": np.arange(4.0)}, folder / "times.safetensors")
    assert run(folder, monkeypatch) == 2
    assert "of no video that" in capsys.readouterr().err


def test_timestamps_that_are_missing_are_named(folder, monkeypatch, capsys):
    assert run(folder, monkeypatch, times="none.safetensors") == 2
    assert "none.safetensors" in capsys.readouterr().err
