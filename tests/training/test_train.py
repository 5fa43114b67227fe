import dataclasses
import json
import sys

import numpy as np
import pytest
import torch

from grounding.checkpoint import GrounderConfig, load_grounder, read_config
from grounding.encoders.registry import QueryTokens
from grounding.errors import GroundingError
from grounding.features.encoded_video import EncodedVideo
from grounding.model import Grounder
from training.batches import CompositionConfig
from training.config import DataConfig, TrainConfig
from training.features import write_features
from training.initialization import initialize
from training.moments import Moment, write_moments
from training.objective import ObjectiveConfig
from training.sources import load_sources
from training.train import Run, main, train

THINGS = ("cat", "dog", "fish", "bird")


class FakeQueryEncoder:
    """A query's one token says which of the four things it names."""

    name, width = "fake", 4

    def encode(self, queries):
        rows = torch.stack([torch.tensor([float(thing in query) for thing in THINGS]) for query in queries])
        return QueryTokens(rows.unsqueeze(1), torch.ones(len(queries), 1, dtype=torch.bool))


@pytest.fixture
def config(tmp_path, monkeypatch) -> TrainConfig:
    """Twelve videos that show one of four things each; the features of a thing lie around a direction of their own."""
    monkeypatch.setattr("training.sources.load_query_encoder", lambda *args, **options: FakeQueryEncoder())
    rng = np.random.default_rng(0)
    directions, moments = rng.normal(size=(4, 6)), []
    for number in range(12):
        features = directions[number % 4] + 0.1 * rng.normal(size=(5, 6))
        write_features(tmp_path / "features", f"{number}.mp4", EncodedVideo(np.arange(5.0), features, 5.0, "toy"), 1.0)
        moments.append(Moment(f"{number}.mp4", 5.0, f"a {THINGS[number % 4]} number {number}"))
    write_moments(tmp_path / "train.jsonl", moments)
    return TrainConfig(
        name="small",
        frame_encoder="toy",
        data=DataConfig(str(tmp_path / "train.jsonl"), str(tmp_path / "features")),
        model=GrounderConfig(frame_width=6, query_width=4, width=8, context=3, dropout=0.2),
        summary="A toy.",
        description="Twelve made-up videos.",
        rate=1.0,
        composition=CompositionConfig(2, 3, crop=0.5),
        objective=ObjectiveConfig(composition=1.0, coarse=0.2, hard=0.2),
        epochs=2,
        videos=2,
        learning_rate=0.01,
        averaging=0.5,
    )


def test_interpolation_keeps_a_part_of_the_way_from_the_start(config, tmp_path):
    run = train(dataclasses.replace(config, interpolation=0.25), tmp_path / "out")
    moved = [weight - start for weight, start in zip(run.average.module.parameters(), run.start, strict=True)]
    kept = load_grounder(tmp_path / "out", read_config(tmp_path / "out")).parameters()
    assert any(way.abs().max() > 1e-3 for way in moved)
    for weight, start, way in zip(kept, run.start, moved, strict=True):
        assert torch.allclose(weight, start + 0.25 * way, atol=1e-6)


class Killed(BaseException):
    """What a kill looks like from the inside: nothing catches it."""


def weights(folder) -> dict[str, torch.Tensor]:
    return load_grounder(folder, read_config(folder)).state_dict()


def assert_same_run(one, two):
    assert (one / "log.jsonl").read_text() == (two / "log.jsonl").read_text()
    first, second = weights(one), weights(two)
    assert all(torch.equal(first[name], second[name]) for name in first)


class TestTrain:
    def test_makes_a_checkpoint_that_says_what_it_is(self, config, tmp_path):
        run = train(config, tmp_path / "out")
        described = read_config(tmp_path / "out")
        assert (described.name, described.frame_encoder, described.query_encoder) == ("small", "toy", "minilm")
        assert (described.rate, described.summary, described.data) == (1.0, "A toy.", "Twelve made-up videos.")
        assert (described.model, described.segments) == (config.model, config.segments)
        kept, averaged = weights(tmp_path / "out"), run.average.module.state_dict()
        assert all(torch.equal(kept[name], averaged[name]) for name in kept)

    def test_logs_every_loss_of_every_epoch(self, config, tmp_path):
        train(config, tmp_path / "out")
        rows = [json.loads(line) for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines()]
        assert [row["epoch"] for row in rows] == [1, 2]
        assert set(rows[0]) == {"epoch", "total", "video", "presence", "composition", "coarse", "hard"}
        assert all(np.isfinite(list(row.values())).all() for row in rows)

    def test_the_same_seed_trains_the_same_weights(self, config, tmp_path):
        for name in ("one", "two"):
            train(config, tmp_path / name)
        assert_same_run(tmp_path / "one", tmp_path / "two")

    def test_another_seed_trains_others(self, config, tmp_path):
        train(config, tmp_path / "one")
        train(dataclasses.replace(config, seed=1), tmp_path / "two")
        assert (tmp_path / "one" / "log.jsonl").read_text() != (tmp_path / "two" / "log.jsonl").read_text()

    def test_learns_which_part_a_sentence_is_about(self, config, tmp_path):
        config = dataclasses.replace(config, epochs=25)
        run = train(config, tmp_path / "out")
        rows = [json.loads(line) for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines()]
        assert rows[-1]["total"] < 0.7 * rows[0]["total"]
        sources, bank = load_sources(config)
        features = torch.cat([sources[number].features.float() for number in range(4)]).unsqueeze(0)  # (1, 20, 6)
        tokens = torch.stack([bank.tokens[number].float() for number in range(4)])  # (4, 1, 4)
        grounder = run.average.module.eval()
        with torch.no_grad():
            scores = grounder(features, torch.ones(1, 20).bool(), tokens, torch.ones(4, 1).bool())[:, 0]  # (4, 20)
        assert scores.reshape(4, 4, 5).mean(dim=2).argmax(dim=1).tolist() == [0, 1, 2, 3]

    @pytest.mark.parametrize("frozen", [True, False])
    def test_a_frozen_query_tower_stays_as_it_started(self, config, tmp_path, frozen):
        start = train(dataclasses.replace(config, epochs=0), tmp_path / "start").selection.weights
        trained = train(dataclasses.replace(config, freeze_queries=frozen), tmp_path / "out").selection.weights
        same = {name: torch.equal(trained[name], start[name]) for name in start}
        assert not same["frame_tower.projection.weight"]
        assert all(same[name] for name in start if name.startswith("query_tower.")) == frozen

    def test_never_reads_start_and_end(self, config, tmp_path):
        moments = [Moment(f"{n}.mp4", 5.0, f"a {THINGS[n % 4]} number {n}", 1.0, 2.0 + n / 10) for n in range(12)]
        train(config, tmp_path / "one")
        write_moments(config.data.moments, moments)
        train(config, tmp_path / "two")
        assert_same_run(tmp_path / "one", tmp_path / "two")

    def test_full_supervision_reads_them(self, config, tmp_path):
        data = dataclasses.replace(config.data, supervised=True)
        config = dataclasses.replace(config, data=data, composition=CompositionConfig(1, 1))
        with pytest.raises(GroundingError, match="without start and end to be supervised by"):
            load_sources(config)
        write_moments(config.data.moments, [Moment(f"{n}.mp4", 5.0, "a cat", 1.0, 3.0) for n in range(12)])
        sources, _ = load_sources(config)
        assert all(source.moments == ((1.0, 3.0),) for source in sources)
        with pytest.raises(GroundingError, match="takes whole videos"):
            load_sources(dataclasses.replace(config, composition=CompositionConfig(2, 3)))

    def test_a_last_batch_of_a_single_pair_is_no_nan(self, config, tmp_path):
        """Eleven videos two at a time, uncomposed: the last batch holds a single pair."""
        text = (tmp_path / "train.jsonl").read_text().splitlines(keepends=True)
        (tmp_path / "train.jsonl").write_text("".join(text[:11]))
        train(dataclasses.replace(config, composition=CompositionConfig(1, 1)), tmp_path / "out")
        assert all(tensor.isfinite().all() for tensor in weights(tmp_path / "out").values())

    def test_too_few_videos_to_compose_is_one_clear_error(self, config, tmp_path):
        with pytest.raises(GroundingError, match="12"):
            train(dataclasses.replace(config, composition=CompositionConfig(20, 30)), tmp_path / "out")


class TestMain:
    def toml(self, config, folder):
        path = folder / "run.toml"
        path.write_text(
            f'name = "small"\nframe_encoder = "toy"\nrate = 1.0\nepochs = 1\n[data]\n'
            f'moments = "{config.data.moments}"\nfeatures = "{config.data.features}"\n'
            "[model]\nframe_width = 6\nquery_width = 4\nwidth = 8\n"
            "[composition]\nfewest = 2\nmost = 3\n"
        )
        return path

    def run(self, monkeypatch, *arguments):
        monkeypatch.setattr(sys, "argv", ["train", *map(str, arguments), "--device", "cpu"])
        return main()

    def test_trains_from_a_file(self, config, tmp_path, monkeypatch):
        assert self.run(monkeypatch, self.toml(config, tmp_path), "--out", tmp_path / "out") == 0
        assert read_config(tmp_path / "out").name == "small"

    @pytest.mark.parametrize("fault", ["config", "moments", "features", "width"])
    def test_bad_data_is_one_line_that_names_it(self, config, tmp_path, monkeypatch, capsys, fault):
        path = self.toml(config, tmp_path)
        named = {"config": "run.toml", "moments": "train.jsonl", "features": "3.mp4", "width": "(T, 7)"}[fault]
        if fault == "config":
            path.unlink()
        elif fault == "moments":
            (tmp_path / "train.jsonl").unlink()
        elif fault == "features":
            (tmp_path / "features" / "3.mp4.safetensors").unlink()
        else:
            path.write_text(path.read_text().replace("frame_width = 6", "frame_width = 7"))
        assert self.run(monkeypatch, path, "--out", tmp_path / "out") == 2
        error = capsys.readouterr().err.strip()
        assert named in error
        assert len(error.splitlines()) == 1

    def test_a_gpu_without_memory_is_one_line_that_says_what_to_set(self, config, tmp_path, monkeypatch, capsys):
        def full(run, loss):
            raise torch.OutOfMemoryError("CUDA out of memory.")

        monkeypatch.setattr(Run, "_step", full)
        assert self.run(monkeypatch, self.toml(config, tmp_path), "--out", tmp_path / "out") == 2
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert error.startswith("The GPU has no memory left: set videos lower in") and "run.toml" in error


def test_sizes_that_do_not_fit_the_embedded_encoder_are_one_clear_error(config):
    with pytest.raises(GroundingError, match="frame_width to 1664"):
        initialize(Grounder(config.model), dataclasses.replace(config, frame_encoder="embedded"))
