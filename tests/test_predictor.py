import dataclasses
import gc
import json
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest
import torch

from grounding import EncodedVideo, Predictor, scoring
from grounding.checkpoint import CheckpointConfig, GrounderConfig
from grounding.errors import CheckpointError, FeaturesError, QueryError, VideoError
from grounding.features.streaming import encode_frames
from grounding.model import Grounder
from grounding.validation import MAX_QUERY
from tests.clips import BAD_KINDS, bad_file, plain, write_video


@pytest.fixture(scope="module")
def encoded(predictor, scenes):
    return predictor.encode_video(scenes)


def test_a_video_is_grounded_end_to_end(predictor, encoded):
    for query, start, end in (("a cat", 0, 4), ("a rocket", 4, 8), ("a cup of coffee", 8, 12)):
        best = predictor.ground(encoded, query).segments[0]
        shared = min(best.end, end) - max(best.start, start)
        assert shared / (max(best.end, end) - min(best.start, start)) > 0.7, query


def test_what_is_there_stands_out_and_nonsense_does_not(predictor, encoded):
    answers = predictor.ground_many(encoded, ["a cat", "a cup of coffee", "zxqv blorp", "grix nop the vlo"])
    assert [answer.stands_out for answer in answers] == [True, True, False, False]
    assert answers[2].doubt.startswith("Nothing here stands out for this sentence; the curve stays between 0.")


def test_threads_that_share_a_predictor_load_its_frame_encoder_once(predictor, monkeypatch):
    fresh = Predictor(predictor.config, predictor.grounder, "cpu")
    loaded, two_at_once = [], threading.Barrier(2)

    def load():
        loaded.append(object())
        with suppress(threading.BrokenBarrierError):
            two_at_once.wait(0.3)
        return loaded[-1]

    monkeypatch.setattr(fresh, "_load_frame_encoder", load)
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda _: fresh.frame_encoder, range(2))
    assert one is other and len(loaded) == 1


def test_an_encoded_video_has_the_frames_times(encoded):
    assert encoded.timestamps == pytest.approx(np.arange(24) / 2)
    assert encoded.features.shape == (24, 1664)
    assert encoded.duration == pytest.approx(12.0, abs=0.01)
    assert encoded.encoder == "embedded"


def test_an_answer_has_the_promised_shape(predictor, encoded):
    answer = predictor.ground(encoded, "a cat", top_k=3)
    assert answer.scores.shape == answer.timestamps.shape == (24,)
    assert ((answer.scores >= 0) & (answer.scores <= 1)).all()
    assert 1 <= len(answer.segments) <= 3
    assert all(0 <= s.start < s.end <= encoded.duration and 0 <= s.score <= 1 for s in answer.segments)
    assert {frame.side for frame in answer.hard_negatives} <= {"before", "after"}
    for frame in answer.hard_negatives:
        segment = answer.segments[frame.segment]
        assert not segment.start <= frame.timestamp < segment.end
        assert (frame.timestamp < segment.start) == (frame.side == "before")


def test_to_dict_is_json_with_the_contract_s_keys(predictor, encoded):
    values = json.loads(json.dumps(predictor.ground(encoded, "a cat").to_dict("clip.mp4")))
    keys = {"video", "query", "duration", "checkpoint", "segments", "timestamps", "scores", "hard_negatives"}
    assert set(values) >= keys | {"queries_by"}
    assert values["queries_by"] == "minilm"
    assert set(values["segments"][0]) == {"start", "end", "score"}
    assert set(values["hard_negatives"][0]) == {"timestamp", "score", "similarity", "scale", "segment", "side"}
    assert (values["video"], values["checkpoint"]) == ("clip.mp4", "embedded")


def test_clip_features_count_by_their_direction_alone():
    """Published CLIP features are not all of unit length."""
    torch.manual_seed(0)
    model = GrounderConfig(frame_width=8, width=8, context=1)
    clip = Predictor(CheckpointConfig("clip", "open_clip:tiny:none", model), Grounder(model), device="cpu")
    features = np.random.default_rng(0).normal(size=(6, 8))
    lengths = np.linspace(1, 20, 6)[:, None]
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    curves = [
        clip.ground(EncodedVideo(np.arange(6.0), rows, 6.0, "open_clip:tiny:none"), "a cat").scores
        for rows in (unit, unit * lengths)
    ]
    assert curves[0] == pytest.approx(curves[1], abs=1e-6)
    assert np.ptp(curves[0]) > 0.01


def test_a_second_query_embeds_no_frame_again_and_another_video_does(predictor, encoded, monkeypatch):
    embedded, embed = [], scoring.embed_frames
    monkeypatch.setattr(
        scoring,
        "embed_frames",
        lambda tower, features, *rest: embedded.append(features) or embed(tower, features, *rest),
    )
    part = EncodedVideo(encoded.timestamps[8:] - 4.0, encoded.features[8:], 8.0, "embedded")
    for video in (encoded, part):
        first, second = predictor.ground(video, "a rocket"), predictor.ground(video, "a rocket")
        assert first.scores.tolist() == second.scores.tolist() and len(first.scores) == len(video.timestamps)
        assert first.segments == second.segments
    assert [len(features) for features in embedded] in ([24, 16], [16])


def test_what_is_kept_of_a_video_goes_with_it(predictor, encoded, monkeypatch):
    made, embed = [], scoring.embed_frames

    def embedded(*given):
        frames = embed(*given)
        made.append(weakref.ref(frames))
        return frames

    monkeypatch.setattr(scoring, "embed_frames", embedded)
    video = EncodedVideo(encoded.timestamps, encoded.features, encoded.duration, "embedded")
    predictor.score_frames(video, "a cat")
    assert made[0]() is not None
    del video
    gc.collect()
    assert made[0]() is None


def test_many_queries_at_once_answer_as_one_by_one(predictor, encoded):
    queries = ["a cat", "a rocket stands on its launch pad at dusk"]
    for query, together in zip(queries, predictor.ground_many(encoded, queries), strict=True):
        alone = predictor.ground(encoded, query)
        assert np.allclose(alone.scores, together.scores, atol=1e-5)
        assert [s.start for s in alone.segments] == [s.start for s in together.segments]


def test_stored_features_need_no_frame_encoder(monkeypatch):
    def no_frame_encoder(*args):
        raise AssertionError("the frame encoder was loaded")

    monkeypatch.setattr("grounding.predictor.load_frame_encoder", no_frame_encoder)
    predictor = Predictor.from_checkpoint("embedded", device="cpu")
    features = np.random.default_rng(0).normal(size=(6, 1664)).astype(np.float16)
    answer = predictor.ground(EncodedVideo(np.arange(6.0), features, 6.0, "embedded"), "a cat")
    assert answer.scores.shape == (6,)


@pytest.mark.parametrize(("width", "encoder"), [(512, "embedded"), (1664, "open_clip:ViT-B-32-quickgelu:openai")])
def test_features_that_do_not_fit_name_both_sides(predictor, width, encoder):
    video = EncodedVideo(np.arange(3.0), np.ones((3, width), np.float32), 3.0, encoder)
    with pytest.raises(ValueError, match="embedded") as caught:
        predictor.ground(video, "a cat")
    assert isinstance(caught.value, CheckpointError)
    assert encoder in str(caught.value)
    assert (str(width) in str(caught.value) and "1664" in str(caught.value)) or encoder != "embedded"


@pytest.mark.parametrize("query", ["", "   \n", "x" * 10_000, None])
def test_a_bad_query_is_one_clear_sentence(predictor, encoded, query):
    with pytest.raises(QueryError, match=r"^The query") as caught:
        predictor.ground(encoded, query)
    assert len(str(caught.value)) < 200


def test_the_longest_query_is_answered(predictor, encoded):
    assert predictor.ground(encoded, "a cat " * (MAX_QUERY // 6)).segments


@pytest.mark.parametrize("video", ["clip.mp4", None, np.ones((3, 1664))], ids=["a path", "nothing", "an array"])
def test_what_is_no_encoded_video_is_named(predictor, video):
    with pytest.raises(FeaturesError, match=f"in an EncodedVideo, not in an? {type(video).__name__}.*encode_video"):
        predictor.ground(video, "a cat")


def test_a_list_is_no_query_and_a_query_no_list(predictor, encoded):
    with pytest.raises(QueryError, match="^The query is a list: give one sentence"):
        predictor.ground(encoded, ["a cat", "a dog"])
    for queries, kind in (("a cat", "a str"), (None, "a NoneType")):
        with pytest.raises(QueryError, match=f"takes a list of queries, not {kind}: see ground"):
            predictor.ground_many(encoded, queries)


@pytest.mark.parametrize("method", ["encode_video", "grow_video"])
def test_what_is_no_path_is_named(predictor, scenes, method):
    with scenes.open("rb") as file:
        for wrong in (scenes.read_bytes(), file, None, 3):
            with pytest.raises(VideoError, match=f"by the path of its file.*not by an? {type(wrong).__name__}"):
                getattr(predictor, method)(wrong)


@pytest.mark.parametrize("top_k", [0, None, "3", 2.5])
def test_top_k_that_is_no_count_is_told(predictor, encoded, top_k):
    with pytest.raises(QueryError, match="give a whole number, 1 or more"):
        predictor.ground(encoded, "a cat", top_k=top_k)


@pytest.mark.parametrize("kind", BAD_KINDS)
def test_a_bad_video_raises_video_error(predictor, tmp_path, kind):
    with pytest.raises(VideoError):
        predictor.encode_video(bad_file(kind, tmp_path))


def test_a_video_of_one_frame_is_answered(predictor, tmp_path):
    video = predictor.encode_video(write_video(tmp_path / "one.mp4", [plain((200, 30, 30), (240, 320))]))
    answer = predictor.ground(video, "something red")
    assert [(s.start, s.end) for s in answer.segments] == [(0.0, video.duration)]
    assert answer.hard_negatives == []


def test_progress_rises_to_one(predictor, scenes):
    seen = []
    predictor.encode_video(scenes, lambda fraction, message: seen.append((fraction, message)))
    fractions = [fraction for fraction, _ in seen]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert all(message for _, message in seen)


def test_frames_are_encoded_in_chunks(tmp_path):
    class InChunks:
        name, width, batch, sizes = "counting", 4, 8, []

        def encode(self, frames):
            self.sizes.append(len(frames))
            return torch.ones(len(frames), 4)

    path = write_video(tmp_path / "long.mp4", [plain((0, 0, 0)), plain((200, 0, 0))] * 50)
    encoded = encode_frames(path, InChunks(), rate=10.0)
    assert sum(InChunks.sizes) == 100 and max(InChunks.sizes) <= 8
    assert encoded.features.shape == (100, 4)


def test_the_device_is_checked():
    config = CheckpointConfig("x", "embedded", GrounderConfig(8, width=4))
    with pytest.raises(ValueError, match="nonsense"):
        Predictor(config, Grounder(config.model), device="nonsense")
    assert dataclasses.is_dataclass(config)


def test_import_is_light():
    code = "import sys, grounding; print([m for m in ('timm', 'transformers', 'open_clip', 'av') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
