"""A checkpoint in CLIP's joint space, from a tiny random open_clip model: who reads its queries, and what CLIP says."""

import json

import numpy as np
import open_clip
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from grounding import EncodedVideo, Predictor
from grounding import __main__ as cli
from grounding.checkpoint import CheckpointConfig, GrounderConfig
from grounding.encoders.registry import load_query_encoder
from grounding.encoders.stand_in import CENTER_QUERIES
from grounding.errors import EncoderError
from grounding.model import Grounder
from tests.clips import colours
from tests.towers import TINY_GROUNDER

OWN = "open_clip:tiny-clip:own"
QUERY = "a dog catches a frisbee"


@pytest.fixture
def stored():
    """Six frames whose features were stored, not all of unit length."""
    features = np.random.default_rng(0).normal(size=(6, 16)).astype(np.float16)
    return EncodedVideo(np.arange(6.0), features, 6.0, OWN)


def test_stored_features_are_grounded_by_the_stand_in_where_no_weights_are(tiny_checkpoint, stored, monkeypatch):
    monkeypatch.setattr(
        "grounding.predictor.load_frame_encoder", lambda *_, **__: pytest.fail("the frame encoder was loaded")
    )
    answer = Predictor.from_checkpoint(tiny_checkpoint, "cpu").ground(stored, QUERY)
    assert answer.scores.shape == (6,)
    assert answer.queries_by == answer.to_dict()["queries_by"] == "stand-in"


def test_stored_features_are_grounded_by_the_text_tower_alone_where_the_weights_are(
    tiny_checkpoint, stored, tiny_weights
):
    predictor = Predictor.from_checkpoint(tiny_checkpoint, "cpu", tiny_weights)
    assert predictor.ground(stored, QUERY).queries_by == OWN
    assert predictor.loaded_frame_encoder is None
    assert not hasattr(predictor.query_encoder._shared.load_text_tower(), "visual")


def test_scores_come_from_clip_s_own_text_embedding(tiny_checkpoint, stored, tiny_weights, tiny_model):
    predictor = Predictor.from_checkpoint(tiny_checkpoint, "cpu", tiny_weights)
    assert predictor.query_encoder.name == OWN  # which finds its center when it loads
    with torch.no_grad():
        text = tiny_model.encode_text(open_clip.get_tokenizer("tiny-clip")([QUERY]), normalize=True)  # (1, 16)
        frames = F.normalize(torch.from_numpy(stored.features).float(), dim=1).unsqueeze(0)
        ones = torch.ones(1, 6, dtype=torch.bool)
        expected = predictor.grounder(frames, ones, text.unsqueeze(0), ones[:, :1])[0, 0]
    assert predictor.ground(stored, QUERY).scores == pytest.approx(expected.numpy(), abs=1e-5)


def test_the_text_tower_takes_over_once_a_video_brought_weights(
    tiny_checkpoint, stored, tiny, monkeypatch, tiny_weights
):
    predictor = Predictor.from_checkpoint(tiny_checkpoint, "cpu")
    assert predictor.ground(stored, QUERY).queries_by == "stand-in"
    monkeypatch.setattr("grounding.predictor.load_frame_encoder", lambda *_, **__: tiny)
    text_tower = load_query_encoder(OWN, "cpu", tiny_weights)
    monkeypatch.setattr("grounding.encoders.registry.is_cache_empty", lambda: False)
    monkeypatch.setattr("grounding.encoders.registry.find_cached_open_clip", lambda name: str(tiny_weights))
    monkeypatch.setattr("grounding.encoders.registry.OpenClipQueryEncoder", lambda *_: text_tower)
    predictor.frame_encoder  # noqa: B018
    assert predictor.ground(stored, QUERY).queries_by == OWN


def test_weights_of_another_model_are_refused_before_a_video_is_encoded(
    tiny_checkpoint, tiny_model, tmp_path, monkeypatch
):
    torch.manual_seed(1)
    save_file(open_clip.create_model("tiny-clip").state_dict(), tmp_path / "other.safetensors")
    monkeypatch.setattr("grounding.predictor.encode_frames", lambda *_: pytest.fail("it was encoded"))
    predictor = Predictor.from_checkpoint(tiny_checkpoint, "cpu", tmp_path / "other.safetensors")
    with pytest.raises(EncoderError, match="not those that this checkpoint was trained for"):
        predictor.encode_video(colours(tmp_path / "clip.mp4"))


def test_a_video_is_encoded_and_grounded_by_both_towers(tiny_checkpoint, tiny_weights, tmp_path, capsys):
    clip = str(colours(tmp_path / "clip.mp4"))
    arguments = [clip, QUERY, "a a a a a a a", "--checkpoint", str(tiny_checkpoint), "--json"]
    assert cli.main([*arguments, "--weights", str(tiny_weights)]) == 0
    captured = capsys.readouterr()
    first, second = map(json.loads, captured.out.splitlines())
    assert first["queries_by"] == OWN and "query_cut" not in first and second["query_cut"] is True
    assert f"read by CLIP's text tower, {OWN}" in captured.err and "'a a a a a a a' is longer" in captured.err
    assert captured.err.count("\n") == 1


class TestClipSimilarity:
    def test_it_is_the_cosine_of_features_and_text_in_the_span_of_the_scores(
        self, tiny_checkpoint, stored, tiny_weights
    ):
        predictor = Predictor.from_checkpoint(tiny_checkpoint, "cpu", tiny_weights)
        answer = predictor.ground(stored, QUERY)
        similarity = predictor.measure_clip_similarity(stored, answer)
        text = predictor.query_encoder.encode([QUERY]).tokens[0, 0]
        cosines = F.cosine_similarity(torch.from_numpy(stored.features).float(), text.unsqueeze(0)).numpy()
        assert np.corrcoef(similarity, cosines)[0, 1] == pytest.approx(1.0)
        assert (similarity.min(), similarity.max()) == pytest.approx((answer.scores.min(), answer.scores.max()))

    def test_where_the_stand_in_reads_there_is_none(self, tiny_checkpoint, stored):
        predictor = Predictor.from_checkpoint(tiny_checkpoint, "cpu")
        answer = predictor.ground(stored, QUERY)
        assert answer.queries_by == "stand-in" and predictor.measure_clip_similarity(stored, answer) is None

    def test_where_minilm_reads_there_is_none(self, predictor):
        video = EncodedVideo(np.arange(2.0), np.ones((2, 1664)), 2.0, "embedded")
        assert predictor.measure_clip_similarity(video, predictor.ground(video, "a cat")) is None


def test_the_mean_taken_off_is_the_reader_s_own(tiny_stand_in, tiny_weights, stored):
    model = GrounderConfig(**TINY_GROUNDER)
    grounder = Grounder(model)

    def find_center(trained_by):
        config = CheckpointConfig("clip", OWN, model, OWN, trained_by=trained_by)
        predictor = Predictor(config, grounder, "cpu", tiny_weights, stand_in=tiny_stand_in)
        predictor.ground(stored, QUERY)
        return predictor.grounder.query_tower.center, predictor.query_encoder.encode(CENTER_QUERIES).tokens[:, 0]

    center, read = find_center("the stand-in")
    torch.testing.assert_close(center, read.mean(dim=0))
    assert not grounder.query_tower.center.any()
    assert not find_center(OWN)[0].any()


def test_the_stand_in_is_read_through_the_adapter_and_the_text_tower_goes_past_it(tiny_stand_in, tiny_weights, stored):
    adapted = Grounder(GrounderConfig(**TINY_GROUNDER, adapter=True))
    torch.nn.init.normal_(adapted.query_tower.adapter[1].weight)
    plain = Grounder(GrounderConfig(**TINY_GROUNDER))
    plain.load_state_dict(adapted.state_dict(), strict=False)

    def score(grounder, weights):
        config = CheckpointConfig("clip", OWN, grounder.config, OWN)
        predictor = Predictor(config, grounder, "cpu", weights, stand_in=tiny_stand_in)
        return predictor.ground(stored, QUERY).scores

    np.testing.assert_allclose(score(adapted, tiny_weights), score(plain, tiny_weights), atol=1e-6)
    assert np.abs(score(adapted, None) - score(plain, None)).max() > 0.01
