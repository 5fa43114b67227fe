import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from grounding.checkpoint import (
    GrounderConfig,
    find_checkpoint,
    list_checkpoints,
    load_extras,
    load_grounder,
    read_config,
)
from grounding.errors import CheckpointError
from grounding.files import hash_file
from grounding.model import Grounder

MODEL = {"frame_width": 6, "query_width": 5, "width": 8, "context": 3}
VALUES = {"name": "small", "frame_encoder": "embedded", "model": MODEL}


def write(folder, values=None, weights=None):
    """A checkpoint's folder; `values` and `weights` replace the good ones."""
    folder.mkdir(exist_ok=True)
    values = VALUES if values is None else values
    (folder / "config.json").write_text(values if isinstance(values, str) else json.dumps(values))
    torch.manual_seed(0)
    save_file(weights or Grounder(GrounderConfig(**MODEL)).state_dict(), folder / "model.safetensors")
    return folder


@pytest.mark.parametrize(
    "wrong",
    [
        {"frame_width": 0},
        {"width": 0},
        {"width": 10**9},
        {"query_width": -1},
        {"context": 4},
        {"context": 100_001},
        {"dropout": 1.5},
        {"dropout": -0.1},
        {"dropout": float("nan")},
        {"blur": -1.0},
        {"blur": 1e9},
        {"sentence_centers": 3},
        {"sentence_centers": -4},
        {"sentence_centers": 8, "width": 1},
        {"joint": True, "query_width": 6, "width": 6},
        {"joint": True, "centered": True, "query_width": 5, "width": 6},
        {"adapter": True},
    ],
)
def test_sizes_are_checked(wrong):
    with pytest.raises(ValueError, match=f"^{next(iter(wrong))} must be "):
        GrounderConfig(**{"frame_width": 6, **wrong})


def test_a_config_is_read(tmp_path):
    segments = {"smoothing": 0.7, "thresholds": [0.2, 0.8]}
    config = read_config(write(tmp_path / "a", VALUES | {"rate": 4.0, "segments": segments, "scores": {"mIoU": 1}}))
    assert (config.name, config.rate) == ("small", 4.0)
    assert (config.frame_encoder, config.query_encoder) == ("embedded", "minilm")
    assert config.model == GrounderConfig(**MODEL)
    assert (config.segments.smoothing, config.segments.thresholds) == (0.7, (0.2, 0.8))
    assert config.scores == {"mIoU": 1}


@pytest.mark.parametrize(
    "values",
    [
        "not json",
        "[]",
        "3",
        "{}",
        VALUES | {"colour": "red"},
        VALUES | {"model": {**MODEL, "depth": 3}},
        VALUES | {"model": {**MODEL, "context": 4}},
        VALUES | {"model": 7},
        VALUES | {"segments": {"steepness": 1}},
        VALUES | {"segments": {"overlap": 1.5}},
        VALUES | {"segments": 7},
        {"name": "small", "model": MODEL},
    ],
)
def test_a_broken_config_names_its_file(tmp_path, values):
    folder = write(tmp_path / "a", values)
    with pytest.raises(CheckpointError, match="fetch the checkpoint again") as caught:
        read_config(folder)
    assert str(folder / "config.json") in str(caught.value)


def test_a_missing_config_names_its_file(tmp_path):
    with pytest.raises(CheckpointError, match=r"config\.json"):
        read_config(tmp_path)


def test_weights_are_loaded_ready_to_score(tmp_path):
    folder = write(tmp_path / "a")
    model = load_grounder(folder, read_config(folder))
    torch.manual_seed(0)
    expected = Grounder(GrounderConfig(**MODEL)).state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in model.state_dict().items())
    assert not model.training


def test_half_precision_weights_score_in_single(tmp_path):
    half = {name: value.half() for name, value in Grounder(GrounderConfig(**MODEL)).state_dict().items()}
    folder = write(tmp_path / "a", weights=half)
    model = load_grounder(folder, read_config(folder))
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


@pytest.mark.parametrize("damage", ["missing", "cut", "empty", "other sizes", "other names"])
def test_weights_that_do_not_fit_name_their_file(tmp_path, damage):
    weights = Grounder(GrounderConfig(**MODEL | {"width": 4})).state_dict() if damage == "other sizes" else None
    weights = {"wheel": torch.zeros(3)} if damage == "other names" else weights
    folder = write(tmp_path / "a", weights=weights)
    path = folder / "model.safetensors"
    if damage == "missing":
        path.unlink()
    elif damage in ("cut", "empty"):
        path.write_bytes(path.read_bytes()[:100] if damage == "cut" else b"")
    with pytest.raises(CheckpointError, match="fetch the checkpoint again") as caught:
        load_grounder(folder, read_config(folder))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_weights_of_another_checkpoint_of_the_same_sizes_are_refused(tmp_path):
    one, other = write(tmp_path / "one"), write(tmp_path / "other")
    torch.manual_seed(1)
    save_file(Grounder(GrounderConfig(**MODEL)).state_dict(), other / "model.safetensors")
    write(tmp_path / "one", VALUES | {"weights": hash_file(one / "model.safetensors")})
    load_grounder(one, read_config(one))
    (other / "model.safetensors").replace(one / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"sha256 is not the one in config\.json.*fetch the checkpoint again"):
        load_grounder(one, read_config(one))


def test_checkpoints_are_listed_by_name(tmp_path):
    for name in ("b", "a"):
        write(tmp_path / name)
    (tmp_path / "empty").mkdir()
    assert list_checkpoints(tmp_path) == ["a", "b"]


def test_every_shipped_checkpoint_loads():
    assert "embedded" in list_checkpoints()
    for name in list_checkpoints():
        folder = find_checkpoint(name)
        config = read_config(folder)
        assert config.name == name
        assert config.weights == hash_file(folder / "model.safetensors")
        assert load_grounder(folder, config).config == config.model
        background, joins = load_extras(folder, config)
        assert background is None or background.shape == (256, config.model.width)


@pytest.mark.parametrize("wrong", ["missing", "projection", "weight0", "no projection", "no bias", "no layers"])
def test_scene_joins_that_do_not_fit_are_one_sentence(tmp_path, wrong):
    path, joins = tmp_path / "joins.safetensors", load_file(find_checkpoint("embedded") / "joins.safetensors")
    if wrong in joins:
        joins[wrong] = joins[wrong][..., :50, :].contiguous()
    for name in {
        "no projection": ["projection"],
        "no bias": ["bias1"],
        "no layers": [name for name in joins if name != "projection"],
    }.get(wrong, []):
        del joins[name]
    save_file(joins, path)
    config = replace(read_config(find_checkpoint("embedded")), scene_joins=hash_file(path), stands_out=None)
    if wrong == "missing":
        path.unlink()
    said = "is not the one of this checkpoint" if wrong == "missing" else "was made for other frame features"
    with pytest.raises(CheckpointError, match=rf"joins\.safetensors {said}.*: fetch it again") as caught:
        load_extras(tmp_path, config)
    assert "\n" not in str(caught.value)


def test_a_checkpoint_is_found_by_folder(tmp_path):
    folder = write(tmp_path / "mine")
    assert find_checkpoint(folder) == find_checkpoint(str(folder)) == folder


@pytest.mark.parametrize("name", ["no-such-thing", "", "\0", "x" * 5000], ids=["absent", "blank", "NUL", "long"])
def test_an_unknown_checkpoint_lists_those_there_are(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match="choose one of .*embedded"):
        find_checkpoint(name)


def test_what_is_neither_name_nor_folder_is_told():
    with pytest.raises(CheckpointError, match="^None is no checkpoint: give its name or its folder"):
        find_checkpoint(None)
