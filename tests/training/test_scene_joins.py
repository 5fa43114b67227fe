import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from grounding import EncodedVideo
from grounding.checkpoint import CheckpointConfig, GrounderConfig, load_extras, read_config
from grounding.errors import CheckpointError
from grounding.model import Grounder
from grounding.segments.config import SegmentConfig
from training import scene_joins
from training.export import export, write_config
from training.features import write_features
from training.scene_joins import main

WIDTH = 12


def make_video(rng: np.random.Generator, count: int) -> np.ndarray:
    """Two shots (T, WIDTH) of one place: a place differs in the first half of the features, a shot in the second."""
    place, shots = rng.normal(size=WIDTH // 2) * 2, rng.normal(size=(2, WIDTH // 2)) * 2
    rows = [np.concatenate([place, shots[number % 2]]) for number in np.repeat([0, 1], count // 2)]
    return np.array(rows) + 0.3 * rng.normal(size=(len(rows), WIDTH))


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A checkpoint, and 40 videos, some of which are too short to be joined."""
    for name, value in (("WIDTH", 6), ("VIDEOS", 60), ("EPOCHS", 6), ("BATCH", 128)):
        monkeypatch.setattr(scene_joins, name, value)
    grounder = Grounder(GrounderConfig(frame_width=WIDTH, query_width=4, width=4, context=1))
    segments = SegmentConfig(windows=(1.5, 6.0))
    config = CheckpointConfig("toy", "toy", grounder.config, "fake", rate=1.0, segments=segments)
    export(grounder.state_dict(), config, tmp_path / "toy")
    rng, lines = np.random.default_rng(0), []
    for number in range(40):
        count = 8 if number % 10 == 0 else 24
        video = EncodedVideo(np.arange(float(count)), make_video(rng, count), float(count), "toy")
        write_features(tmp_path / "features", f"{number}.mp4", video, 1.0)
        line = {"video": f"{number}.mp4", "duration": count, "query": "a thing"}
        lines += [json.dumps(line) + "\n"] * 2
    (tmp_path / "moments.jsonl").write_text("".join(lines))
    return tmp_path


def run(monkeypatch, folder) -> int:
    arguments = (folder / "toy", folder / "moments.jsonl", "--features", folder / "features")
    monkeypatch.setattr(sys, "argv", ["scene_joins", *map(str, arguments)])
    return main()


def test_joins_of_videos_are_told_from_cuts_within_one(toy, monkeypatch, capsys):
    assert run(monkeypatch, toy) == 0
    measured = json.loads(capsys.readouterr().out)
    assert measured["joins found, percent"] > 80 and measured["found are joins, percent"] > 80
    joins = load_extras(toy / "toy", read_config(toy / "toy")).joins
    assert joins.step == 1.0 and joins.projection.shape == (WIDTH, 6)
    rng = np.random.default_rng(1)
    found = np.zeros(97)
    for _ in range(10):
        found += joins.estimate(np.arange(96.0), np.concatenate([make_video(rng, 24) for _ in range(4)])) > 0.5
    assert found[[24, 48, 72]].min() >= 7 and found[[12, 36, 60, 84]].max() <= 3
    (toy / "toy" / "joins.safetensors").write_bytes(b"other")
    with pytest.raises(CheckpointError, match=r"joins.safetensors is not the one of this checkpoint"):
        load_extras(toy / "toy", read_config(toy / "toy"))


def test_too_few_videos_are_one_line(toy, monkeypatch, capsys):
    lines = (toy / "moments.jsonl").read_text().splitlines(keepends=True)
    (toy / "moments.jsonl").write_text("".join(lines[:16]))
    assert run(monkeypatch, toy) == 2
    assert "7 videos have 16 frames or more: give 14 or more" in capsys.readouterr().err


def test_a_checkpoint_without_any_has_none(toy):
    assert load_extras(toy / "toy", read_config(toy / "toy")) == (None, None)


def test_a_checkpoint_that_does_not_ask_where_scenes_meet_is_left_alone(toy, monkeypatch, capsys):
    write_config(replace(read_config(toy / "toy"), segments=SegmentConfig()), toy / "toy")
    assert run(monkeypatch, toy) == 2
    assert "set segments.windows" in capsys.readouterr().err and not (toy / "toy" / scene_joins.JOINS_FILE).exists()
