import sys

import pytest
import torch

from grounding.segments.hard_negatives import Scale
from tests.training.test_distributed import toml  # noqa: F401, a fixture
from tests.training.test_train import config  # noqa: F401, a fixture
from training.config import read_train_config
from training.losses import ContrastConfig
from training.moments import Moment, write_moments
from training.negatives import main, mark_frames
from training.train import train


def test_each_contrast_tells_what_it_takes_for_what():
    frames = torch.eye(2)[[1, 1, 0, 0, 1, 1]]  # frames 2 and 3 look alike, all others look otherwise
    logits = torch.tensor([[0.0, 0.5, 1.0, 1.0, 0.0, 0.0]])
    found = mark_frames(frames, logits, torch.arange(6.0), ContrastConfig(scales=(Scale(1.0, 0.5),)))
    numbers = {name: chosen[0].nonzero().flatten().tolist() for name, chosen in found.items()}
    assert numbers == {
        "all frames": [0, 1, 2, 3, 4, 5],
        "foreground": [2, 3],
        "background of coarse contrast": [0, 4, 5],
        "foreground at scale 1": [2, 3],
        "mined at scale 1": [1, 4],  # within a second of the foreground
    }


def negatives(monkeypatch, *arguments) -> int:
    monkeypatch.setattr(sys, "argv", ["negatives", *map(str, arguments)])
    return main()


def rows(text: str) -> dict[str, list[str]]:
    """The table's columns by the first of them."""
    lines = [[cell.strip() for cell in line.split("|")] for line in text.splitlines()]
    return {cells[1]: cells[2:4] for cells in lines}


@pytest.mark.parametrize(("end", "share"), [(2.0, "40.0%"), (1.0, "20.0%")])
def test_the_table_counts_frames_inside_the_annotated_moment(toml, tmp_path, monkeypatch, capsys, end, share):  # noqa: F811
    toml.write_text(toml.read_text() + "[objective.contrast]\nnear_duplicate = 2.0\n")  # all five frames look alike
    train(read_train_config(toml), tmp_path / "out")
    known, unknown = Moment("0.mp4", 5.0, "a cat", 0.0, end), Moment("1.mp4", 5.0, "a dog")
    write_moments(tmp_path / "known.jsonl", [known, unknown])
    assert negatives(monkeypatch, toml, tmp_path / "out", tmp_path / "known.jsonl") == 0
    table = rows(capsys.readouterr().out)
    assert table["all frames"] == ["5", share]
    assert all(int(table[f"mined at scale {number}"][0]) > 0 for number in (1, 2, 3))


def test_a_checkpoint_of_other_frames_and_moments_without_times_are_one_line(toml, tmp_path, monkeypatch, capsys):  # noqa: F811
    train(read_train_config(toml), tmp_path / "out")
    capsys.readouterr()
    write_moments(tmp_path / "known.jsonl", [Moment("0.mp4", 5.0, "a cat", 0.0, 1.0)])
    write_moments(tmp_path / "unknown.jsonl", [Moment("0.mp4", 5.0, "a cat")])
    for checkpoint, moments, said in (
        ("clip-vit-b-32", "known.jsonl", "'clip-vit-b-32' reads 'open_clip:ViT-B-32-quickgelu:openai' at 1 fps"),
        (tmp_path / "out", "unknown.jsonl", "unknown.jsonl has no moment with start and end"),
    ):
        assert negatives(monkeypatch, toml, checkpoint, tmp_path / moments) == 2
        told = capsys.readouterr().err
        assert said in told and told.count("\n") == 1


def test_a_checkpoint_that_is_not_there_is_one_line(toml, tmp_path, monkeypatch, capsys):  # noqa: F811
    assert negatives(monkeypatch, toml, "absent", tmp_path / "train.jsonl") == 2
    assert capsys.readouterr().err.startswith("There is no checkpoint 'absent'")
