import dataclasses
import json

import numpy as np
import pytest
import torch

from grounding.checkpoint import GrounderConfig, load_grounder, read_config
from grounding.features.encoded_video import EncodedVideo
from grounding.model import Grounder
from tests.training.test_train import config  # noqa: F401, a fixture
from training.epoch_selection import EncodedQueries, Selection, make_validator
from training.features import write_features
from training.moments import DataError, Moment, write_moments
from training.train import train


def grounder(value: float) -> Grounder:
    made = Grounder(GrounderConfig(frame_width=3, query_width=3, width=4, context=1))
    torch.nn.init.constant_(made.bias, value)
    return made


class TestSelection:
    def test_without_a_score_the_last_weights_stay(self):
        selection = Selection()
        for epoch, value in enumerate((3.0, 1.0, 2.0)):
            selection.consider(grounder(value), epoch)
        assert (selection.epoch, float(selection.weights["bias"])) == (2, 2.0)

    def test_with_a_score_the_best_stay_and_of_equals_the_earlier(self):
        selection = Selection(lambda made: min(float(made.bias.detach()), 3.0))
        for epoch, value in enumerate((1.0, 3.0, 2.0, 5.0)):
            selection.consider(grounder(value), epoch)
        assert (selection.epoch, float(selection.weights["bias"])) == (1, 3.0)

    def test_what_is_kept_does_not_change_with_the_model(self):
        selection, made = Selection(), grounder(1.0)
        selection.consider(made, 0)
        torch.nn.init.constant_(made.bias, 9.0)
        assert float(selection.weights["bias"]) == 1.0

    def test_a_run_that_goes_on_remembers(self):
        selection, other = (
            Selection(lambda made: float(made.bias.detach())),
            Selection(lambda made: float(made.bias.detach())),
        )
        selection.consider(grounder(4.0), 1)
        other.load_state_dict(selection.state_dict())
        other.consider(grounder(3.0), 2)
        assert (other.epoch, float(other.weights["bias"])) == (1, 4.0)


@pytest.fixture
def validated(config, tmp_path, monkeypatch):  # noqa: F811
    """The small run of the training tests with one validation video: a cat, then a dog."""
    from tests.training.test_train import FakeQueryEncoder

    monkeypatch.setattr(EncodedQueries, "width", FakeQueryEncoder.width)
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(4, 6))
    features = np.repeat(directions[:2], 5, axis=0)
    write_features(tmp_path / "features", "joined.mp4", EncodedVideo(np.arange(10.0), features, 10.0, "toy"), 1.0)
    moments = [Moment("joined.mp4", 10.0, "a cat", 0.0, 5.0), Moment("joined.mp4", 10.0, "a dog", 5.0, 10.0)]
    write_moments(tmp_path / "validation.jsonl", moments)
    data = dataclasses.replace(config.data, validation=str(tmp_path / "validation.jsonl"))
    return dataclasses.replace(config, data=data, epochs=6)


class TestValidation:
    def test_the_epoch_that_scores_best_is_kept(self, validated, tmp_path):
        run = train(validated, tmp_path / "out")
        rows = [json.loads(line) for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines()]
        best = max(row["validation"] for row in rows)
        assert run.selection.best >= best > 50
        kept = load_grounder(tmp_path / "out", read_config(tmp_path / "out"))
        assert make_validator(validated)(kept) == pytest.approx(run.selection.best)

    def test_a_moment_without_a_span_cannot_validate(self, validated):
        write_moments(validated.data.validation, [Moment("joined.mp4", 10.0, "a cat")])
        with pytest.raises(DataError, match="validation.jsonl"):
            make_validator(validated)

    def test_no_epochs_keep_the_start(self, validated, tmp_path):
        run = train(dataclasses.replace(validated, epochs=0), tmp_path / "none")
        assert run.selection.epoch == 0
        assert (tmp_path / "none" / "model.safetensors").is_file()
