import dataclasses

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

import training.bridges as bridges
from grounding.errors import GroundingError
from grounding.model import Grounder, GrounderConfig
from training.bridges import read_anchors, ridge, seen_at, start
from training.config import DataConfig, TrainConfig
from training.data import QueryBank, Source
from training.features import PublishedFeatures

OWN, SHARED, TEXT = 6, 4, 5


def made(generator: torch.Generator, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=generator)


@pytest.fixture
def world(tmp_path, monkeypatch):
    """Two towers and a text encoder that see one hidden space through linear maps of their own, each off center."""
    generator = torch.Generator().manual_seed(0)
    to_own, to_text = made(generator, SHARED, OWN), made(generator, SHARED, TEXT)
    hidden = [torch.nn.functional.normalize(made(generator, 30, SHARED), dim=-1) for _ in range(4)]
    texts = made(generator, 60, SHARED)
    sources = [Source(points @ to_own + 3.0, torch.arange(30.0), (n,), f"v{n}") for n, points in enumerate(hidden)]
    save_file({f"v{n}": points.numpy() for n, points in enumerate(hidden)}, tmp_path / "other.safetensors")
    save_file({f"v{n}": np.arange(30.0) for n in range(4)}, tmp_path / "times.safetensors")
    np.savez(tmp_path / "anchors.npz", prompts=[f"a {n}" for n in range(60)], embeddings=texts.numpy())
    sentences = texts @ to_text - 1.0
    monkeypatch.setattr(bridges, "encode_queries", lambda prompts, keep: QueryBank([], sentences))
    monkeypatch.setattr(bridges, "QUERY_RIDGE", 1e-3)
    monkeypatch.setattr(bridges, "FRAME_RIDGE", 1e-3)
    data = DataConfig(
        moments=str(tmp_path / "moments.jsonl"),
        features="",
        anchors=str(tmp_path / "anchors.npz"),
        anchor_features=str(tmp_path / "other.safetensors"),
        anchor_timestamps=str(tmp_path / "times.safetensors"),
    )
    model = GrounderConfig(OWN, TEXT, 8, context=1, dropout=0.0, centered=True)
    config = TrainConfig("x", "open_clip:x:y", data, model)
    return config, sources, QueryBank([], sentences[:4]), hidden, sentences


def test_ridge_finds_a_linear_map_whatever_the_centers():
    generator = torch.Generator().manual_seed(0)
    inputs, linear = made(generator, 50, 3), made(generator, 2, 3)
    found = ridge(inputs + 5.0, inputs @ linear.T - 7.0, 1e-4)
    assert torch.allclose(found, linear, atol=1e-3)


def test_more_ridge_shrinks_the_map():
    inputs = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    assert ridge(inputs, inputs, 100.0).norm() < ridge(inputs, inputs, 1.0).norm()


def test_frames_and_texts_meet_in_the_space_of_the_anchors(world):
    config, sources, bank, hidden, sentences = world
    grounder = start(Grounder(config.model), config, sources, bank).eval()
    anchors = read_anchors(config.data.anchors)[1]
    text = grounder.query_tower.projection(sentences - sentences.mean(dim=0))[:, :SHARED]
    frame = grounder.frame_tower.projection(sources[0].features - grounder.frame_tower.center)[:, :SHARED]
    assert torch.allclose(text, anchors - anchors.mean(dim=0), atol=0.05)
    assert torch.allclose(frame, hidden[0] - torch.cat(hidden).mean(dim=0), atol=0.05)


def test_towers_are_centered_on_what_they_are_trained_on(world):
    config, sources, bank, _, _ = world
    grounder = start(Grounder(config.model), config, sources, bank)
    mean = torch.cat([source.features for source in sources]).mean(dim=0)
    assert torch.allclose(grounder.frame_tower.center, mean, atol=1e-5)
    assert torch.allclose(grounder.query_tower.center, bank.sentences.mean(dim=0), atol=1e-5)


def test_between_another_towers_frames_lies_their_mix(world):
    config, _, _, hidden, _ = world
    store = PublishedFeatures(config.data.anchor_features, config.data.anchor_timestamps, "other", SHARED)
    seen = seen_at(Source(torch.zeros(3, OWN), torch.tensor([0.0, 2.25, 99.0]), (), "v1"), store)
    expected = torch.stack([hidden[1][0], 0.75 * hidden[1][2] + 0.25 * hidden[1][3], hidden[1][-1]])
    assert torch.allclose(seen, expected, atol=1e-5)


def test_anchors_that_do_not_fit_are_one_clear_error(world):
    config, sources, bank, _, _ = world
    narrow = dataclasses.replace(config, model=dataclasses.replace(config.model, width=3))
    with pytest.raises(GroundingError, match=r"anchors\.npz.*set model\.width"):
        start(Grounder(narrow.model), narrow, sources, bank)


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
