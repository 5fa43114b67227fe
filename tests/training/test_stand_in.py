import dataclasses
import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file

import training.stand_in as stand_in
from grounding.checkpoint import GrounderConfig, load_grounder, read_config
from grounding.encoders.registry import load_query_encoder
from grounding.encoders.stand_in import load_stand_in
from grounding.errors import GroundingError
from grounding.features.encoded_video import EncodedVideo
from grounding.model import Grounder
from training.batches import CompositionConfig, QueryBank, Source
from training.config import DataConfig, TrainConfig
from training.distributed import Team
from training.epoch_selection import describe_checkpoint
from training.export import export
from training.features import PublishedFeatures, write_features
from training.initialization import initialize
from training.moments import Moment, write_moments
from training.stand_in import (
    _load_anchors,
    find_text_tower,
    fit_ridge,
    fit_stand_in,
    interpolate_frames,
    read_anchors,
    read_by,
)
from training.train import STATE, train

TEXTS, SENTENCE, WIDTH, OWN = 60, 5, 4, 6


def draw(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def clip(tmp_path, monkeypatch):
    """CLIP's texts (60, 4) around a mean, in two files, and MiniLM's sentences, a linear map of them off center."""
    embeddings = F.normalize(draw(0, TEXTS, WIDTH) + 2.0, dim=-1)  # (60, 4)
    sentences = embeddings @ draw(1, WIDTH, SENTENCE) - 1.0  # (60, 5)
    np.savez(tmp_path / "prompts.npz", prompts=[f"a {n}" for n in range(50)], embeddings=embeddings[:50])
    np.savez(tmp_path / "sentences.npz", sentences=[f"it {n}" for n in range(10)], text=embeddings[50:])
    monkeypatch.setattr(stand_in, "encode_queries", lambda texts: QueryBank([], sentences))
    monkeypatch.setattr(stand_in, "TEXT_RIDGE", 1e-4)
    monkeypatch.setattr(stand_in, "FRAME_RIDGE", 1e-4)
    stand_in._load_anchors.cache_clear()
    data = DataConfig("", "", anchors=(str(tmp_path / "prompts.npz"), str(tmp_path / "sentences.npz")))
    model = GrounderConfig(WIDTH, WIDTH, WIDTH, context=1, dropout=0.0, centered=True, joint=True)
    yield TrainConfig("toy", "open_clip:x:y", data, model), embeddings, sentences
    stand_in._load_anchors.cache_clear()


def test_it_reads_as_the_text_tower_would(clip):
    config, embeddings, sentences = clip
    assert torch.allclose(fit_stand_in(config, []).map_sentences(sentences), embeddings, atol=1e-3)


def test_every_file_of_anchors_weighs_the_same(clip):
    config, embeddings, _ = clip
    mean = (embeddings[:50].mean(dim=0) + embeddings[50:].mean(dim=0)) / 2
    assert torch.allclose(fit_stand_in(config, []).text_mean, mean, atol=1e-5)


def test_for_another_tower_it_goes_on_through_frames_of_the_same_videos(clip, tmp_path):
    config, embeddings, sentences = clip
    onward, frames = draw(2, WIDTH, OWN), draw(3, 30, WIDTH)
    save_file({"v": frames.numpy()}, tmp_path / "other.safetensors")
    save_file({"v": np.arange(30.0)}, tmp_path / "times.safetensors")
    data = dataclasses.replace(
        config.data,
        anchor_features=str(tmp_path / "other.safetensors"),
        anchor_timestamps=str(tmp_path / "times.safetensors"),
    )
    model = dataclasses.replace(config.model, frame_width=OWN, query_width=OWN, width=OWN)
    seen = F.normalize(frames, dim=-1) @ onward + 7.0
    fitted = fit_stand_in(
        dataclasses.replace(config, data=data, model=model), [Source(seen, torch.arange(30.0), (0,), "v")]
    )
    centred = embeddings - fit_stand_in(config, []).text_mean
    expected = F.normalize(centred @ onward, dim=-1)
    assert torch.allclose(fitted.map_sentences(sentences), expected, atol=0.02)
    assert not fitted.text_mean.any()


def test_a_grounder_starts_as_clip_itself_and_is_kept_with_its_stand_in(clip, tmp_path):
    config, embeddings, sentences = clip
    fitted = fit_stand_in(config, [])
    bank = read_by(fitted, QueryBank([], sentences))
    frames = draw(4, 9, WIDTH)
    source = Source(frames, torch.arange(9.0), (0,), "v")
    grounder = initialize(Grounder(config.model), config, [source], bank).eval()
    with torch.no_grad():
        seen = grounder.frame_tower(frames.unsqueeze(0), torch.ones(1, 9, dtype=torch.bool))[0]
        read = grounder.query_tower(torch.stack(bank.tokens), torch.ones(TEXTS, 1, dtype=torch.bool))
    assert torch.allclose(seen, F.normalize(frames - frames.mean(dim=0), dim=-1), atol=1e-5)
    assert torch.allclose(read, F.normalize(embeddings - embeddings.mean(dim=0), dim=-1), atol=0.02)
    export(grounder.state_dict(), describe_checkpoint(config), tmp_path, fitted)
    described = json.loads((tmp_path / "config.json").read_text())
    assert described["query_encoder"] == "open_clip:x:y"
    assert torch.equal(load_stand_in(tmp_path, WIDTH, described["stand_in"]).weight, fitted.weight)


def test_without_one_queries_stay_as_they_are():
    bank = QueryBank([torch.zeros(3, 5)], torch.zeros(1, 5))
    assert read_by(None, bank) is bank


@pytest.mark.parametrize(
    ("anchors", "width", "said"), [((), WIDTH, "is empty"), (None, WIDTH + 1, "set data.anchor_features")]
)
def test_anchors_that_do_not_fit_are_one_clear_error(clip, anchors, width, said):
    config, _, _ = clip
    data = dataclasses.replace(config.data, anchors=config.data.anchors if anchors is None else anchors)
    model = GrounderConfig(width, width, width, centered=True, joint=True)
    with pytest.raises(GroundingError, match=said):
        fit_stand_in(dataclasses.replace(config, data=data, model=model), [])


def test_ridge_finds_a_linear_map_whatever_the_centers():
    inputs, linear = draw(0, 50, 3), draw(1, 2, 3)
    found = fit_ridge(inputs + 5.0, inputs @ linear.T - 7.0, 1e-4)
    assert torch.allclose(found, linear, atol=1e-3)


def test_more_ridge_shrinks_the_map():
    inputs = draw(0, 50, 3)
    assert fit_ridge(inputs, inputs, 100.0).norm() < fit_ridge(inputs, inputs, 1.0).norm()


def test_between_another_towers_frames_lies_their_mix(tmp_path):
    frames = draw(5, 30, WIDTH)
    save_file({"v1": frames.numpy()}, tmp_path / "other.safetensors")
    save_file({"v1": np.arange(30.0)}, tmp_path / "times.safetensors")
    store = PublishedFeatures(tmp_path / "other.safetensors", tmp_path / "times.safetensors", "other", WIDTH)
    seen = interpolate_frames(Source(torch.zeros(3, OWN), torch.tensor([0.0, 2.25, 99.0]), (), "v1"), store)
    expected = torch.stack([frames[0], 0.75 * frames[2] + 0.25 * frames[3], frames[-1]])
    assert torch.allclose(seen, expected, atol=1e-5)


@pytest.mark.parametrize("broken", ["missing", "text", "keys", "rows", "nan"])
def test_broken_anchors_are_named(tmp_path, broken):
    path = tmp_path / "anchors.npz"
    if broken == "text":
        path.write_text("no archive")
    if broken == "keys":
        np.savez(path, words=["a dog"])
    if broken == "rows":
        np.savez(path, prompts=["a dog"], embeddings=np.zeros((2, 3)))
    if broken == "nan":
        np.savez(path, prompts=["a dog"], embeddings=np.full((1, 3), np.nan))
    with pytest.raises(GroundingError, match=r"anchors\.npz"):
        read_anchors(path)


class TestTextTower:
    @pytest.fixture
    def config(self, tmp_path, tiny_weights):
        """Four videos with a sentence each, and anchors, for a tiny CLIP of random weights."""
        width = load_query_encoder("open_clip:tiny-clip:own", "cpu", tiny_weights).width
        for number in range(4):
            video = EncodedVideo(np.arange(5.0), draw(number, 5, width).numpy(), 5.0, "open_clip:tiny-clip:own")
            write_features(tmp_path / "features", f"v{number}", video, 1.0)
        write_moments(tmp_path / "train.jsonl", [Moment(f"v{n}", 5.0, f"person opens door {n}") for n in range(4)])
        np.savez(tmp_path / "anchors.npz", prompts=["a dog", "a red car", "snow"], embeddings=np.ones((3, width)))
        _load_anchors.cache_clear()
        data = DataConfig(
            str(tmp_path / "train.jsonl"), str(tmp_path / "features"), anchors=(str(tmp_path / "anchors.npz"),)
        )
        model = GrounderConfig(width, width, width, context=1, centered=True, joint=True)
        composition = CompositionConfig(1, 1)
        yield TrainConfig(
            "tiny", "open_clip:tiny-clip:own", data, model, rate=1.0, epochs=1, videos=2, composition=composition
        )
        _load_anchors.cache_clear()

    def test_reads_training_queries_and_anchors_where_its_weights_are_given(self, config, tiny_weights, tmp_path):
        tower = find_text_tower(config, tiny_weights)
        run = train(config, tmp_path / "out", text_tower=tower)
        read = tower.encode(run.bank.texts).tokens[:, 0]  # (4, D)
        assert torch.allclose(torch.cat(run.bank.tokens), read, atol=1e-5)
        assert torch.allclose(run.grounder.query_tower.center, read.mean(dim=0), atol=1e-5)
        anchors = F.normalize(tower.encode(["a dog", "a red car", "snow"]).tokens[:, 0], dim=-1)
        assert torch.allclose(run.stand_in.text_mean, anchors.mean(dim=0), atol=1e-5)
        assert read_config(tmp_path / "out").trained_by == "open_clip:tiny-clip:own"

    def test_without_anchors_the_stand_in_is_fitted_on_the_training_sentences(self, config, tiny_weights, tmp_path):
        bare = dataclasses.replace(config, data=dataclasses.replace(config.data, anchors=()))
        run = train(bare, tmp_path / "out", text_tower=find_text_tower(config, tiny_weights))
        read = F.normalize(torch.cat(run.bank.tokens), dim=-1)
        assert torch.allclose(run.stand_in.text_mean, read.mean(dim=0), atol=1e-5)

    def test_without_weights_the_stand_in_reads(self, config, tmp_path):
        assert find_text_tower(config) is None
        run = train(config, tmp_path / "out")
        assert torch.allclose(torch.cat(run.bank.tokens), run.stand_in.map_sentences(run.bank.sentences))
        assert read_config(tmp_path / "out").trained_by == "the stand-in"

    def test_weights_that_cannot_be_used_are_an_error(self, config, tmp_path):
        with pytest.raises(GroundingError, match=r"none\.pt"):
            find_text_tower(config, tmp_path / "none.pt")

    def test_damaged_weights_in_the_cache_are_an_error(self, config, tmp_path, monkeypatch):
        (tmp_path / "damaged.safetensors").write_bytes(b"half")
        monkeypatch.setattr("grounding.encoders.hub.find_in_cache", lambda *_: str(tmp_path / "damaged.safetensors"))
        published = dataclasses.replace(config, frame_encoder="open_clip:ViT-B-32-quickgelu:openai")
        with pytest.raises(GroundingError, match=r"damaged\.safetensors"):
            find_text_tower(published)

    def test_the_first_process_decides_for_all(self, config, monkeypatch):
        monkeypatch.setattr("accelerate.utils.broadcast_object_list", lambda values: [False])
        monkeypatch.setattr(stand_in, "is_at_hand", lambda *_, **__: pytest.fail("it decided for itself"))
        assert find_text_tower(config, team=Team(rank=1, count=2)) is None

    def test_the_adapter_is_trained_for_the_stand_in_alone(self, config, tiny_weights, tmp_path):
        config = dataclasses.replace(config, model=dataclasses.replace(config.model, adapter=True))
        train(config, tmp_path / "read by the stand-in")
        adapter = load_grounder(tmp_path / "read by the stand-in", read_config(tmp_path / "read by the stand-in"))
        assert not torch.equal(adapter.query_tower.adapter[1].weight, torch.eye(config.model.width))
        run = train(config, tmp_path / "by the tower", text_tower=find_text_tower(config, tiny_weights))
        assert not list(run.grounder.query_tower.parameters())
        assert not read_config(tmp_path / "by the tower").model.adapter

    def test_a_run_is_not_resumed_by_another_reader(self, config, tiny_weights, tmp_path):
        train(config, tmp_path / "out")
        with pytest.raises(GroundingError, match="read by the stand-in, and now by open_clip:tiny-clip:own"):
            train(config, tmp_path / "out", text_tower=find_text_tower(config, tiny_weights))

    def test_a_run_is_not_resumed_with_another_stand_in(self, config, tmp_path):
        run = train(config, tmp_path / "out")
        run.load(tmp_path / "out" / STATE)
        run.stand_in = dataclasses.replace(run.stand_in, weight=run.stand_in.weight + 0.1)
        with pytest.raises(GroundingError, match="the stand-in has changed since"):
            run.load(tmp_path / "out" / STATE)
