"""A predictor that keeps encoded videos on disk."""

import os

import numpy as np
import pytest
import torch

from grounding import Predictor
from grounding.checkpoint import CheckpointConfig, GrounderConfig
from grounding.features.disk_cache import FeatureCache
from grounding.model import Grounder
from tests.clips import colours


class Counting:
    """A frame encoder that is told apart from others, and counts the frames it gets."""

    name, width, batch = "open_clip:counting:none", 4, 8

    def __init__(self):
        self.frames = 0

    def encode(self, frames):
        self.frames += len(frames)
        return torch.tensor([[float(frame[..., channel].mean()) for channel in range(3)] + [1.0] for frame in frames])


def caching(cache, weights, rate=2.0):
    """A predictor with a cache, or the folder of one, and with a new counting encoder of its own."""
    config = CheckpointConfig("counting", Counting.name, GrounderConfig(4, width=4), rate=rate)
    made = Predictor(config, Grounder(config.model), "cpu", weights, cache)
    made.frame_encoder = Counting()
    return made


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "weights"
    path.write_bytes(b"one")
    return path


@pytest.fixture
def clip(tmp_path):
    return colours(tmp_path / "clip.mp4")


def test_a_video_that_is_kept_is_not_encoded_again(tmp_path, weights, clip):
    first, second = caching(FeatureCache(tmp_path / "kept"), weights), caching(str(tmp_path / "kept"), weights)
    (tmp_path / "copy.mp4").write_bytes(clip.read_bytes())
    one, two = first.encode_video(clip), second.encode_video(tmp_path / "copy.mp4")
    assert first.frame_encoder.frames > 0 == second.frame_encoder.frames
    assert np.array_equal(one.features, two.features) and np.array_equal(one.timestamps, two.timestamps)
    assert (one.duration, one.encoder) == (two.duration, two.encoder)


def test_what_torch_computes_where_openvino_fails_is_not_kept_as_openvino_s(tmp_path, weights, clip, monkeypatch):
    monkeypatch.setattr("grounding.features.cache_key.describe_runtime", lambda device: "openvino 1.0")
    first, again, working = (caching(tmp_path / "kept", weights) for _ in range(3))
    first.frame_encoder.compiled = again.frame_encoder.compiled = None
    for predictor, encodes in ((first, True), (again, False), (working, True)):
        predictor.encode_video(clip)
        assert (predictor.frame_encoder.frames > 0) == encodes


def test_without_a_cache_nothing_is_kept(tmp_path, weights, clip):
    plain = caching(tmp_path / "kept", weights)
    plain.store.cache = None
    plain.encode_video(clip)
    assert not (tmp_path / "kept").exists()


def test_another_file_another_rate_and_other_weights_are_encoded(tmp_path, weights, clip):
    caching(tmp_path / "kept", weights).encode_video(clip)
    (tmp_path / "other").write_bytes(b"two")
    others = [
        (caching(tmp_path / "kept", weights), colours(tmp_path / "other.mp4", seconds=1.0)),
        (caching(tmp_path / "kept", weights, rate=1.0), clip),
        (caching(tmp_path / "kept", tmp_path / "other"), clip),
    ]
    for other, path in others:
        other.encode_video(path)
        assert other.frame_encoder.frames > 0


def test_an_entry_that_was_damaged_is_encoded_again(tmp_path, weights, clip):
    one = caching(tmp_path / "kept", weights).encode_video(clip)
    (entry,) = (tmp_path / "kept" / "encoded").iterdir()
    os.truncate(entry, entry.stat().st_size - 1)
    again = caching(tmp_path / "kept", weights)
    assert np.array_equal(again.encode_video(clip).features, one.features)
    assert again.frame_encoder.frames > 0


def test_a_cache_that_does_not_work_costs_no_answer(tmp_path, weights, clip, caplog):
    (tmp_path / "kept").write_text("a file")
    assert len(caching(tmp_path / "kept", weights).encode_video(clip).timestamps) == 12
    assert caplog.text.count("does not work") == 1


def test_a_file_that_is_written_to_while_it_is_encoded_is_not_kept(tmp_path, weights, clip, monkeypatch):
    writing = caching(tmp_path / "kept", weights)
    encode = writing.frame_encoder.encode

    def written_to(frames):
        clip.write_bytes(clip.read_bytes() + b"more")
        return encode(frames)

    monkeypatch.setattr(writing.frame_encoder, "encode", written_to)
    writing.encode_video(clip)
    assert not list(tmp_path.glob("kept/encoded/*"))


def test_a_file_that_leaves_while_it_is_encoded_is_answered_all_the_same(tmp_path, weights, clip, monkeypatch):
    leaving = caching(tmp_path / "kept", weights)
    encode = leaving.frame_encoder.encode
    monkeypatch.setattr(leaving.frame_encoder, "encode", lambda frames: clip.unlink(missing_ok=True) or encode(frames))
    assert len(leaving.encode_video(clip).timestamps) == 12
    assert not list(tmp_path.glob("kept/encoded/*"))


def test_progress_ends_at_one_for_a_video_that_is_kept(tmp_path, weights, clip):
    seen = []
    caching(tmp_path / "kept", weights).encode_video(clip)
    caching(tmp_path / "kept", weights).encode_video(clip, lambda fraction, message: seen.append(fraction))
    assert seen == [1.0]


def test_weights_that_are_not_known_before_they_are_fetched_are_fetched_first(tmp_path, monkeypatch, clip):
    known = []
    monkeypatch.setattr("grounding.features.cache_key.hash_weights", lambda *_: known[-1] if known else None)
    monkeypatch.setattr(
        "grounding.predictor.load_frame_encoder", lambda *_, **__: known.append("fetched") or Counting()
    )
    fetching = caching(tmp_path / "kept", None)
    fetching.frame_encoder = None
    assert fetching.store.make_key("a").weights == "fetched"
