import dataclasses

import pytest
import torch
import torch.nn.functional as F

from grounding.errors import GroundingError
from grounding.model import Grounder, GrounderConfig
from training.bridges import start
from training.config import BridgeConfig, DataConfig, TrainConfig
from training.data import QueryBank, Source
from training.regression import fit_bridge


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
def config() -> TrainConfig:
    model = GrounderConfig(frame_width=10, query_width=4, width=6, context=3)
    return TrainConfig("toy", "toy", DataConfig("", ""), model, bridge=BridgeConfig(ridge=0.1))


def test_a_grounder_starts_from_the_fitted_bridge(pairs, config):
    sources, bank = pairs
    grounder = start(Grounder(config.model), config, sources, bank).eval()
    with torch.no_grad():
        features = torch.stack([source.features for source in sources])  # (30, 5, 10)
        frames = grounder.frame_tower(features, torch.ones(30, 5, dtype=torch.bool))  # (30, 5, 6)
        tokens = bank.sentences[::2].unsqueeze(1)  # (30, 1, 4)
        queries = grounder.query_tower(tokens, torch.ones(30, 1, dtype=torch.bool))  # (30, 6)
    assert right(frames.mean(dim=1), queries) > 0.8


def test_a_width_too_small_is_an_error(pairs, config):
    narrow = dataclasses.replace(config, model=dataclasses.replace(config.model, width=3))
    with pytest.raises(GroundingError, match="needs 4 or more"):
        start(Grounder(narrow.model), narrow, *pairs)


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
