import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file

import training.initialization as initialization
import training.stand_in as stand_in
from grounding.checkpoint import GrounderConfig
from grounding.errors import GroundingError
from grounding.model import Grounder
from training.batches import QueryBank, Source
from training.config import BridgeConfig, DataConfig, TrainConfig
from training.initialization import fit_bridge, initialize
from training.stand_in import read_anchors

OWN, SHARED, TEXT = 6, 4, 5


def made(generator: torch.Generator, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=generator)


@pytest.fixture
def world(tmp_path, monkeypatch):
    """Two towers and a text encoder that see one hidden space through linear maps of their own, each off center."""
    generator = torch.Generator().manual_seed(0)
    to_own, to_text = made(generator, SHARED, OWN), made(generator, SHARED, TEXT)
    hidden = [torch.nn.functional.normalize(made(generator, 30, SHARED), dim=-1) for _ in range(4)]
    texts = torch.nn.functional.normalize(made(generator, 60, SHARED), dim=-1)
    sources = [Source(points @ to_own + 3.0, torch.arange(30.0), (n,), f"v{n}") for n, points in enumerate(hidden)]
    save_file({f"v{n}": points.numpy() for n, points in enumerate(hidden)}, tmp_path / "other.safetensors")
    save_file({f"v{n}": np.arange(30.0) for n in range(4)}, tmp_path / "times.safetensors")
    np.savez(tmp_path / "anchors.npz", prompts=[f"a {n}" for n in range(60)], embeddings=texts.numpy())
    sentences = texts @ to_text - 1.0
    monkeypatch.setattr(stand_in, "encode_queries", lambda texts: QueryBank([], sentences))
    monkeypatch.setattr(stand_in, "TEXT_RIDGE", 1e-3)
    monkeypatch.setattr(initialization, "FRAME_RIDGE", 1e-3)
    data = DataConfig(
        moments=str(tmp_path / "moments.jsonl"),
        features="",
        anchors=(str(tmp_path / "anchors.npz"),),
        anchor_features=str(tmp_path / "other.safetensors"),
        anchor_timestamps=str(tmp_path / "times.safetensors"),
    )
    model = GrounderConfig(OWN, TEXT, 8, context=1, dropout=0.0, centered=True)
    config = TrainConfig("x", "open_clip:x:y", data, model)
    return config, sources, QueryBank([], sentences[:4]), hidden, sentences


def test_frames_and_texts_meet_in_the_space_of_the_anchors(world):
    config, sources, bank, hidden, sentences = world
    grounder = initialize(Grounder(config.model), config, sources, bank).eval()
    anchors = read_anchors(config.data.anchors[0])[1]
    text = grounder.query_tower.projection(sentences - sentences.mean(dim=0))[:, :SHARED]
    frame = grounder.frame_tower.projection(sources[0].features - grounder.frame_tower.center)[:, :SHARED]
    assert torch.allclose(text, anchors - anchors.mean(dim=0), atol=0.05)
    assert torch.allclose(frame, hidden[0] - torch.cat(hidden).mean(dim=0), atol=0.05)


def test_towers_are_centered_on_what_they_are_trained_on(world):
    config, sources, bank, _, _ = world
    grounder = initialize(Grounder(config.model), config, sources, bank)
    mean = torch.cat([source.features for source in sources]).mean(dim=0)
    assert torch.allclose(grounder.frame_tower.center, mean, atol=1e-5)
    assert torch.allclose(grounder.query_tower.center, bank.sentences.mean(dim=0), atol=1e-5)


def test_anchors_that_do_not_fit_are_one_clear_error(world):
    config, sources, bank, _, _ = world
    narrow = dataclasses.replace(config, model=dataclasses.replace(config.model, width=3))
    with pytest.raises(GroundingError, match=r"anchors\.npz.*set model\.width"):
        initialize(Grounder(narrow.model), narrow, sources, bank)


@pytest.fixture
def pairs() -> tuple[list[Source], QueryBank]:
    """Thirty videos (T, 10) with two sentences (4,) each, one a linear map of the other, both off center."""
    torch.manual_seed(0)
    meanings, mix = torch.randn(30, 4), torch.randn(4, 10)
    sources = [
        Source((meaning @ mix + 2).repeat(5, 1) + 0.05 * torch.randn(5, 10), torch.arange(5.0), (2 * n, 2 * n + 1))
        for n, meaning in enumerate(meanings)
    ]
    sentences = F.normalize(meanings.repeat_interleave(2, dim=0) + 1 + 0.05 * torch.randn(60, 4), dim=-1)
    return sources, QueryBank([row.unsqueeze(0) for row in sentences], sentences)


def right(frames: torch.Tensor, queries: torch.Tensor) -> float:
    """Share of the videos whose own sentence is nearest."""
    nearest = (F.normalize(queries, dim=-1) @ F.normalize(frames, dim=-1).T).argmax(dim=1)
    return float((nearest == torch.arange(len(queries))).float().mean())


def test_frames_and_sentences_meet(pairs):
    sources, bank = pairs
    frame_bridge, query_bridge, centers = fit_bridge(sources, bank, BridgeConfig(ridge=0.1))
    frames = torch.stack([source.features.mean(dim=0) for source in sources]) - centers[0]
    assert right(frames @ frame_bridge.T, (bank.sentences[::2] - centers[1]) @ query_bridge.T) > 0.8


def test_mapped_lengths_are_one_on_average(pairs):
    sources, bank = pairs
    frame_bridge, query_bridge, centers = fit_bridge(sources, bank, BridgeConfig(ridge=1.0))
    frames = torch.stack([source.features.mean(dim=0) for source in sources]) - centers[0]
    assert (frames @ frame_bridge.T).norm(dim=1).mean() == pytest.approx(1.0, rel=1e-4)
    assert ((bank.sentences - centers[1]) @ query_bridge.T).norm(dim=1).mean() == pytest.approx(1.0, rel=1e-4)


def test_whitening_evens_out_the_sentences(pairs):
    sources, bank = pairs

    def unevenness(exponent):
        _, query_bridge, centers = fit_bridge(sources, bank, BridgeConfig(ridge=1.0, whitening=exponent))
        variances = torch.linalg.eigvalsh(torch.cov(((bank.sentences - centers[1]) @ query_bridge.T).T))
        return float(variances.max() / variances.min())

    assert unevenness(1.0) < unevenness(0.5) < unevenness(0.0)


@pytest.fixture
def fitted() -> TrainConfig:
    model = GrounderConfig(frame_width=10, query_width=4, width=6, context=3)
    return TrainConfig("toy", "toy", DataConfig("", ""), model, bridge=BridgeConfig(ridge=0.1))


def test_a_grounder_starts_from_the_fitted_bridge(pairs, fitted):
    sources, bank = pairs
    grounder = initialize(Grounder(fitted.model), fitted, sources, bank).eval()
    with torch.no_grad():
        features = torch.stack([source.features for source in sources])  # (30, 5, 10)
        frames = grounder.frame_tower(features, torch.ones(30, 5, dtype=torch.bool))  # (30, 5, 6)
        tokens = bank.sentences[::2].unsqueeze(1)  # (30, 1, 4)
        queries = grounder.query_tower(tokens, torch.ones(30, 1, dtype=torch.bool))  # (30, 6)
    assert right(frames.mean(dim=1), queries) > 0.8


def test_sentence_centers_are_of_unit_length_and_near_the_sentences(pairs, fitted):
    sources, bank = pairs
    model = dataclasses.replace(fitted.model, width=5, sentence_centers=30)
    grounder = initialize(Grounder(model), dataclasses.replace(fitted, model=model), sources, bank).eval()
    centers = grounder.frame_tower.sentence_centers  # (30, 4)
    queries = grounder.query_tower(bank.sentences.unsqueeze(1), torch.ones(60, 1, dtype=torch.bool))  # (60, 5)
    assert torch.allclose(centers.norm(dim=-1), torch.ones(30), atol=1e-5)
    assert (F.normalize(queries[:, :4], dim=-1) @ centers.T).amax(dim=1).min() > 0.9


def test_the_direction_in_which_sentences_vary_least_makes_room(pairs, fitted):
    model = dataclasses.replace(fitted.model, width=4, sentence_centers=4)
    grounder = initialize(Grounder(model), dataclasses.replace(fitted, model=model), *pairs)
    bridge = fit_bridge(*pairs, fitted.bridge)[1]  # (4, 4), least varied first
    assert torch.allclose(grounder.query_tower.projection.weight, bridge[1:], atol=1e-5)


def test_a_width_too_small_is_an_error(pairs, fitted):
    narrow = dataclasses.replace(fitted, model=dataclasses.replace(fitted.model, width=3))
    with pytest.raises(GroundingError, match="needs 4 or more"):
        initialize(Grounder(narrow.model), narrow, *pairs)


@pytest.mark.parametrize("wrong", [{"ridge": -1.0}, {"whitening": -0.1}])
def test_a_bridge_takes_no_negative_numbers(wrong):
    with pytest.raises(ValueError, match="0 or more"):
        BridgeConfig(**wrong)


def test_what_no_training_pair_shows_is_still_known(pairs):
    sources, bank = pairs
    known = torch.zeros(4, 11)
    known[0, 10] = 1.0  # a feature that no training video has, and what it means
    wider = [dataclasses.replace(each, features=F.pad(each.features, (0, 1))) for each in sources]
    blind, _, _ = fit_bridge(wider, bank, BridgeConfig(ridge=0.1))
    assert blind[:, 10].abs().max() < 1e-5
    known[:, :10] = blind[:, :10]
    told, query_bridge, _ = fit_bridge(wider, bank, BridgeConfig(ridge=0.1), known)
    assert F.cosine_similarity(told[:, 10], query_bridge[:, 0], dim=0) == pytest.approx(1.0, abs=1e-4)
