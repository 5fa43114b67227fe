import json
import sys

import numpy as np
import pytest

from grounding.features.encoded_video import EncodedVideo
from training import retrieve
from training.features import write_features
from training.moments import Moment, write_moments
from training.retrieve import Videos, is_right, score_retrieval


class AxisPredictor:
    """Frames and queries lie along axes; a query is the number of its own."""

    def ground(self, video, query, top_k):
        raise AssertionError("not asked for")


@pytest.fixture
def videos(monkeypatch):
    """Three videos, each along one axis of its own."""
    monkeypatch.setattr(retrieve, "embed_frames", lambda predictor, video: video.features.astype(np.float32))
    monkeypatch.setattr(retrieve, "embed_query", lambda predictor, query: np.array(json.loads(query), np.float32))
    named = {f"{axis}.mp4": EncodedVideo(np.arange(4.0), np.eye(3)[[axis] * 4], 4.0, "embedded") for axis in range(3)}
    return Videos(AxisPredictor(), named)


def test_videos_are_ranked_by_their_best_window(videos):
    assert list(videos.rank("[0.1, 0.9, 0.5]")) == ["1.mp4", "2.mp4", "0.mp4"]


def test_a_query_may_have_several_right_videos(videos):
    moments = [Moment("0.mp4", 4, "[1, 0, 0]"), Moment("2.mp4", 4, "[0, 1, 0.5]"), Moment("1.mp4", 4, "[0, 1, 0.5]")]
    assert score_retrieval(videos, moments) == {"R@1 video": 100.0, "R@5 video": 100.0}
    assert score_retrieval(videos, moments[:2])["R@1 video"] == 50.0


def test_a_moment_is_right_in_its_video_and_place():
    spans = {"a": [(0.0, 4.0)]}
    assert is_right(retrieve.Found("a", "x", 0.0, 2.0, 1.0), spans)
    assert not is_right(retrieve.Found("a", "x", 2.5, 6.0, 1.0), spans)
    assert not is_right(retrieve.Found("b", "x", 0.0, 4.0, 1.0), spans)


def test_it_runs_on_features_and_a_moments_file(tmp_path, monkeypatch, capsys, predictor):
    for seed, name in enumerate(("a.mp4", "b.mp4")):
        rows = np.random.default_rng(seed).normal(size=(20, 1664))
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        write_features(tmp_path, name, EncodedVideo(np.arange(20) / 2, rows, 10.0, "embedded"), 2.0)
    write_moments(
        tmp_path / "m.jsonl", [Moment("a.mp4", 10, "a cat", 0.0, 10.0), Moment("b.mp4", 10, "a dog", 0.0, 10.0)]
    )
    monkeypatch.setattr(retrieve.Predictor, "from_checkpoint", lambda name: predictor)
    monkeypatch.setattr(sys, "argv", ["retrieve", "embedded", str(tmp_path / "m.jsonl"), "--features", str(tmp_path)])
    assert retrieve.main() == 0
    scores = json.loads(capsys.readouterr().out)
    assert (scores["queries"], scores["videos"], scores["R@5 video"]) == (2, 2, 100.0)
    assert {"R@1 video", "R@1 moment", "R@5 moment", "told off", "told off without its videos"} <= set(scores)
    monkeypatch.setattr(sys, "argv", ["retrieve", "embedded", str(tmp_path / "no.jsonl"), "--features", str(tmp_path)])
    assert retrieve.main() == 2
