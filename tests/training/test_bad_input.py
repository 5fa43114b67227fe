"""What a user can get wrong: exit status 2, one line that says where and what to do, and nothing left behind."""

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from tests.training.test_distributed import run, toml  # noqa: F401, a fixture
from tests.training.test_train import config  # noqa: F401, a fixture
from training.sources import path_from_moments
from training.train import STATE

LINE = {"video": "0.mp4", "duration": 5.0, "query": "a cat", "start": 1.0, "end": 2.0}


def append(folder, line: str) -> None:
    with (folder / "train.jsonl").open("a") as file:
        file.write(line + "\n")


def feature_file(folder, features: np.ndarray) -> None:
    path = folder / "features" / "3.mp4.safetensors"
    save_file({**load_file(path), "features": features}, path, {"encoder": "toy", "rate": "1.0", "duration": "5.0"})


def fails(monkeypatch, capsys, folder, *named: str) -> None:
    """Training ends with status 2 and one line that holds all of `named`, and leaves no file half-written."""
    before = {path for path in folder.rglob("*") if path.is_file()}
    assert run(monkeypatch, folder / "run.toml", "--out", folder / "out") == 2
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert [text for text in named if text not in message] == []
    left = {path for path in folder.rglob("*") if path.is_file()} - before
    whole = {STATE, "log.jsonl", path_from_moments("train.jsonl").name}  # of the epochs that were done
    assert [path for path in left if path.name not in whole and "tfevents" not in path.name] == []


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("{", "mend or delete the line"),
        (json.dumps(LINE | {"start": 4.0}), "start < end"),
        (json.dumps(LINE | {"duration": 0}), "duration is 0"),
        (json.dumps(LINE | {"query": " "}), "query is blank"),
    ],
)
def test_a_broken_line(toml, tmp_path, monkeypatch, capsys, line, named):  # noqa: F811
    append(tmp_path, line)
    fails(monkeypatch, capsys, tmp_path, "train.jsonl, line 13", named)


def test_a_video_without_features(toml, tmp_path, monkeypatch, capsys):  # noqa: F811
    append(tmp_path, json.dumps(LINE | {"video": "absent.mp4"}))
    fails(monkeypatch, capsys, tmp_path, "absent.mp4", "run python -m training.extract")


@pytest.mark.parametrize(
    ("features", "named"), [(np.ones((5, 7)), "(5, 7), not (T, 6)"), (np.full((5, 6), np.nan), "NaN")]
)
def test_features_of_another_width_or_without_numbers(toml, tmp_path, monkeypatch, capsys, features, named):  # noqa: F811
    feature_file(tmp_path, features)
    fails(monkeypatch, capsys, tmp_path, "3.mp4.safetensors", named, "extract it again")


def test_an_unknown_key(toml, tmp_path, monkeypatch, capsys):  # noqa: F811
    toml.write_text(toml.read_text().replace("epochs =", "epoks ="))
    fails(monkeypatch, capsys, tmp_path, "run.toml, line 4", "epoks is unknown", "use one of name")
    assert not (tmp_path / "out").exists()


def test_a_damaged_state(toml, tmp_path, monkeypatch, capsys):  # noqa: F811
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / STATE).write_bytes(b"half")
    fails(monkeypatch, capsys, tmp_path, STATE, "delete it to start anew")


def test_an_output_folder_that_is_a_file(toml, tmp_path, monkeypatch, capsys):  # noqa: F811
    (tmp_path / "out").write_text("")
    fails(monkeypatch, capsys, tmp_path, "out cannot be written", "give another --out")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("file write failed")])
def test_a_disk_that_fills_up(toml, tmp_path, monkeypatch, capsys, error):  # noqa: F811
    def full(state, path):
        path.write_bytes(b"half")
        raise error

    monkeypatch.setattr(torch, "save", full)
    fails(monkeypatch, capsys, tmp_path, STATE, "cannot be written", "make room")
    assert not (tmp_path / "out" / STATE).exists()


def test_a_run_that_diverges(toml, tmp_path, monkeypatch, capsys):  # noqa: F811
    toml.write_text(toml.read_text().replace("learning_rate = 0.01", "learning_rate = 1e5"))
    fails(monkeypatch, capsys, tmp_path, "not finite", "set learning_rate lower")


class TestKeptQueries:
    def test_another_sentence_is_encoded(self, toml, tmp_path, monkeypatch):  # noqa: F811
        assert run(monkeypatch, toml, "--out", tmp_path / "one") == 0
        before = path_from_moments(tmp_path / "train.jsonl").read_bytes()
        append(tmp_path, json.dumps(LINE))
        assert run(monkeypatch, toml, "--out", tmp_path / "two") == 0
        assert path_from_moments(tmp_path / "train.jsonl").read_bytes() != before

    def test_the_same_ones_are_not_and_train_the_same(self, toml, tmp_path, monkeypatch):  # noqa: F811
        assert run(monkeypatch, toml, "--out", tmp_path / "one") == 0
        monkeypatch.setattr("training.sources.load_query_encoder", None)
        assert run(monkeypatch, toml, "--out", tmp_path / "two") == 0
        assert (tmp_path / "one" / "log.jsonl").read_text() == (tmp_path / "two" / "log.jsonl").read_text()

    def test_a_damaged_file_is_written_again(self, toml, tmp_path, monkeypatch):  # noqa: F811
        assert run(monkeypatch, toml, "--out", tmp_path / "one") == 0
        kept = path_from_moments(tmp_path / "train.jsonl")
        whole = kept.read_bytes()
        kept.write_bytes(whole[:-8])
        assert run(monkeypatch, toml, "--out", tmp_path / "two") == 0
        assert kept.read_bytes() == whole

    def test_a_place_that_cannot_be_written_is_told_and_does_not_matter(self, toml, tmp_path, monkeypatch, capsys):  # noqa: F811
        path_from_moments(tmp_path / "train.jsonl").mkdir()
        assert run(monkeypatch, toml, "--out", tmp_path / "one") == 0
        assert "encodes its queries anew" in capsys.readouterr().err
        assert list(tmp_path.glob("*.part")) == []
