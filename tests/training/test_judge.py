import json
import sys

import numpy as np
import pytest
import torch

from grounding import EncodedVideo, Predictor
from grounding.checkpoint import CheckpointConfig, GrounderConfig, read_config
from grounding.encoders.queries import QueryTokens
from grounding.errors import CheckpointError
from grounding.model import Grounder
from grounding.segments.config import SegmentConfig
from training.asked_queries import Judged
from training.export import export
from training.features import write_features
from training.judge import choose_fills, choose_rule, main, measure_rule

THINGS = [f"thing{number}" for number in range(24)]


class FakeQueryEncoder:
    """A query's one token points to the thing that it names, or a little everywhere."""

    name, width = "fake", 24

    def encode(self, queries):
        rows = torch.tensor([[float(thing in query.split()) for thing in THINGS] for query in queries])
        return QueryTokens((rows + 0.01).unsqueeze(1), torch.ones(len(queries), 1).bool())


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A checkpoint that matches things exactly, and 24 videos, each of which shows another for 8 of 40 s."""
    monkeypatch.setattr("grounding.predictor.load_query_encoder", lambda *args, **options: FakeQueryEncoder())
    grounder = Grounder(GrounderConfig(frame_width=24, query_width=24, width=24, context=1))
    with torch.no_grad():
        for tower in (grounder.frame_tower, grounder.query_tower):
            tower.projection.weight.copy_(torch.eye(24))
            tower.projection.bias.zero_()
    segments = SegmentConfig(smoothing=0.0, changes=0)
    config = CheckpointConfig("toy", "toy", grounder.config, "fake", rate=1.0, segments=segments)
    export(grounder.state_dict(), config, tmp_path / "toy")
    rng, rows = np.random.default_rng(0), []
    for number in range(24):
        features = rng.normal(size=(40, 24)) * 0.2
        features[10:18, number] += 2.0
        write_features(
            tmp_path / "features", f"{number}.mp4", EncodedVideo(np.arange(40.0), features, 40.0, "toy"), 1.0
        )
        moment = {"video": f"{number}.mp4", "duration": 40.0, "query": f"a thing{number}", "start": 9.5, "end": 17.5}
        rows.append(json.dumps(moment) + "\n")
    (tmp_path / "moments.jsonl").write_text("".join(rows))
    return tmp_path


def run(monkeypatch, folder, *arguments) -> int:
    monkeypatch.setattr(sys, "argv", ["judge", *map(str, (folder / "toy", folder / "moments.jsonl", *arguments))])
    return main()


def test_the_rule_tells_what_is_there_from_what_is_not(toy, monkeypatch):
    assert run(monkeypatch, toy, "--features", toy / "features") == 0
    predictor = Predictor.from_checkpoint(toy / "toy", device="cpu")
    measured = predictor.config.stands_out.measured["told off, percent"]
    assert measured["own"] == measured["own, found"] == 0.0
    assert measured["others"] >= 90 and measured["nonsense"] >= 90
    video = EncodedVideo(np.arange(40.0), np.eye(24)[[3] * 10 + [5] * 30], 40.0, "toy")
    there, absent = predictor.ground_many(video, ["a thing3", "a thing9"])
    assert predictor.config.stands_out.fills  # it loses none of the moments, and finds them where they are cut out
    parts, cut_out = (
        predictor.config.stands_out.measured[f"found without and with fills{name}"] for name in ("", ", cut out")
    )
    assert parts == [12, 12] and cut_out[0] < cut_out[1] == 12
    (filled,) = predictor.ground(EncodedVideo(np.arange(40.0), np.eye(24)[[3] * 40], 40.0, "toy"), "a thing3").segments
    assert filled.span == (0.0, 40.0)
    held = EncodedVideo(np.arange(21) / 2, np.eye(24)[[3] * 20 + [5]], 30.0, "toy")  # another thing for the last 20 s
    answer = predictor.ground(held, "a thing3")
    assert answer.segments[0].span == (0.0, 9.75) and answer.stands_out
    assert there.segments[0].span == (0.0, 9.5)
    assert there.stands_out and not there.doubt and there.to_dict()["stands_out"] is True
    assert absent.stands_out is False and absent.doubt.startswith("Nothing here stands out for this sentence")


def test_a_checkpoint_without_a_rule_says_nothing(toy):
    video = EncodedVideo(np.arange(4.0), np.eye(24)[[3, 3, 5, 5]], 4.0, "toy")
    answer = Predictor.from_checkpoint(toy / "toy", device="cpu").ground(video, "a thing3")
    assert answer.stands_out is None and answer.doubt == ""


def test_the_background_is_the_checkpoint_s_own(toy, monkeypatch):
    assert run(monkeypatch, toy, "--features", toy / "features") == 0
    assert read_config(toy / "toy").stands_out.background
    (toy / "toy" / "background.safetensors").write_bytes(b"other")
    with pytest.raises(CheckpointError, match=r"background.safetensors is not the one of this checkpoint"):
        Predictor.from_checkpoint(toy / "toy", device="cpu")


def test_too_few_videos_are_one_line(toy, monkeypatch, capsys):
    lines = (toy / "moments.jsonl").read_text().splitlines(keepends=True)
    (toy / "moments.jsonl").write_text("".join(lines[:19]))
    assert run(monkeypatch, toy, "--features", toy / "features") == 2
    assert "19 videos are too few" in capsys.readouterr().err


def judged(kind, height, right=False) -> Judged:
    return Judged(kind, np.array([height]), np.ones(1), np.array([0.5]), right)


def test_the_chosen_rule_tells_off_nine_of_ten_and_no_more():
    negative = [judged(kind, 0.01 * number) for kind in ("others", "nonsense") for number in range(10, 60)]
    own = [judged("own", 0.55, right=True), judged("own", 0.9), judged("own", 0.2), judged("own", 0.8)]
    measured = measure_rule(negative + own, *choose_rule(negative + own))
    assert measured == {"own": 25.0, "others": 90.0, "nonsense": 90.0, "own, found": 0.0}


@pytest.mark.parametrize(
    ("parts", "cut_out", "fills"),
    [
        ((9, 9), (3, 8), True),
        ((9, 8), (3, 8), False),  # one is lost
        ((9, 9), (3, 3), False),  # none is gained, as where no video is ever filled
        ((0, 0), (0, 0), False),
    ],
)
def test_a_video_is_one_moment_only_where_that_loses_none_and_gains_some(parts, cut_out, fills):
    assert choose_fills(parts, cut_out) is fills


def test_a_power_that_is_not_tried_is_one_line(toy, monkeypatch, capsys):
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, toy, "--features", toy / "features", "--power", "-1")
    assert ended.value.code == 2 and "--power: invalid choice: -1.0" in capsys.readouterr().err
