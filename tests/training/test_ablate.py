import json
import sys
from pathlib import Path

import numpy as np
import pytest

from grounding.checkpoint import load_grounder, read_config
from grounding.encoders.stand_in import load_stand_in
from grounding.features.encoded_video import EncodedVideo
from grounding.predictor import Predictor
from tests.training.test_train import THINGS, FakeQueryEncoder
from training.ablate import ablate, main
from training.ablation_config import (
    read_ablation,
)
from training.epoch_selection import EncodedQueries
from training.features import FeatureFolder, write_features
from training.metrics import compute_recalls
from training.moments import DataError, read_moments
from training.stand_in import _load_anchors

CONFIGS = Path(__file__).resolve().parents[2] / "training" / "configs"
METHOD = """name = "toy"
frame_encoder = "toy"
rate = 1.0
epochs = 2
videos = 3

[data]
moments = "none.jsonl"
features = "{folder}/features"

[model]
frame_width = 6
query_width = 4
width = 8
context = 3

[composition]
fewest = 1
most = 2
"""
ABLATION = """name = "toys"
config = "{folder}/method.toml"
seeds = [0, 1]
annotations = "{folder}/annotations.jsonl"
held_out = 0.25

[[variants]]
name = "video-level only"
set = {{}}

[[variants]]
name = "+ coarse"
set = {{ "objective.coarse" = 0.5 }}

[[decoders]]
name = "thresholds alone"
set = {{ changes = 0 }}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Twelve videos in two folds: three seconds of one thing, then three of another, a sentence for each."""
    monkeypatch.setattr("training.sources.load_query_encoder", lambda *args, **options: FakeQueryEncoder())
    monkeypatch.setattr(EncodedQueries, "width", 4)
    rng = np.random.default_rng(0)
    directions, rows = rng.normal(size=(4, 6)), []
    for number in range(12):
        pair = (number % 4, (number + 1) % 4)
        features = np.repeat(directions[list(pair)], 3, axis=0) + 0.05 * rng.normal(size=(6, 6))
        write_features(tmp_path / "features", f"v{number}", EncodedVideo(np.arange(6.0), features, 6.0, "toy"), 1.0)
        for place, thing in enumerate(pair):
            span = {"start": 3.0 * place, "end": 3.0 * place + 3}
            about = {"video_id": f"v{number}", "duration": 6.0, "fold": number % 2}
            rows.append(about | {"query": f"a {THINGS[thing]} in video {number}"} | span)
    (tmp_path / "annotations.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "method.toml").write_text(METHOD.format(folder=tmp_path))
    (tmp_path / "ablation.toml").write_text(ABLATION.format(folder=tmp_path))
    return tmp_path


def moments(path):
    return list(read_moments(path))


class TestAblate:
    def test_every_variant_is_scored_in_every_fold_with_every_seed(self, folder):
        table = ablate(read_ablation(folder / "ablation.toml"), folder / "out")
        rows = [line.split(" | ")[0].strip("| ") for line in table.splitlines()]
        assert rows == ["variant", "---", "video-level only", "+ coarse", "thresholds alone"]
        cells = sorted(path.parent.name for path in (folder / "out" / "coarse").glob("*/result.json"))
        assert cells == ["fold-0-seed-0", "fold-0-seed-1", "fold-1-seed-0", "fold-1-seed-1"]

    def test_a_result_is_that_of_the_predictions_beside_it(self, folder):
        ablate(read_ablation(folder / "ablation.toml"), folder / "out")
        cell = folder / "out" / "coarse" / "fold-1-seed-0"
        for row, where in (("+ coarse", cell), ("thresholds alone", cell / "thresholds-alone")):
            found = [json.loads(line)["segments"] for line in (where / "predictions.jsonl").read_text().splitlines()]
            truth = [moment.spans for moment in moments(where / "moments.jsonl")]
            result = json.loads((cell / "result.json").read_text())
            assert result["rows"][row] == compute_recalls(found, truth)
            assert result["queries"] == len(truth) == 12

    def test_folds_share_no_video_and_training_sees_no_span(self, folder):
        ablate(read_ablation(folder / "ablation.toml"), folder / "out")
        for fold in (0, 1):
            parts = {
                name: moments(folder / "out" / f"fold-{fold}" / f"{name}.jsonl") for name in ("train", "select", "test")
            }
            videos = {name: {moment.video for moment in part} for name, part in parts.items()}
            assert {name: len(names) for name, names in videos.items()} == {"train": 4, "select": 2, "test": 6}
            assert len(set.union(*videos.values())) == 12
            assert all(int(video[1:]) % 2 == fold for video in videos["test"])
            assert all(moment.start is None for moment in parts["train"])
            assert all(moment.start is not None for moment in parts["select"] + parts["test"])

    def test_what_is_done_is_not_done_again(self, folder, monkeypatch):
        ablation = read_ablation(folder / "ablation.toml")
        table = ablate(ablation, folder / "out")
        monkeypatch.setattr("training.ablate.train", lambda *args: pytest.fail("trained again"))
        assert ablate(ablation, folder / "out") == table

    def test_a_result_of_another_config_is_not_taken_for_ours(self, folder):
        ablate(read_ablation(folder / "ablation.toml"), folder / "out")
        method = (folder / "method.toml").read_text().replace("epochs = 2", "epochs = 1")
        (folder / "method.toml").write_text(method)
        with pytest.raises(DataError, match="made by another config"):
            ablate(read_ablation(folder / "ablation.toml"), folder / "out")

    def test_a_fixed_test_set(self, folder):
        (folder / "test.jsonl").write_text(
            json.dumps({"video": "v0", "duration": 6.0, "query": " a cat in video 0 ", "start": 0.0, "end": 3.0}) + "\n"
        )
        (folder / "train.jsonl").write_text(
            "".join(
                json.dumps({"video": f"v{n}", "duration": 6.0, "query": f"a {THINGS[n % 4]} in video {n}"}) + "\n"
                for n in range(4)
            )
        )
        method = (folder / "method.toml").read_text().replace("none.jsonl", f"{folder}/train.jsonl")
        (folder / "method.toml").write_text(method)
        text = (folder / "ablation.toml").read_text()
        text = text.replace(
            f'annotations = "{folder}/annotations.jsonl"\nheld_out = 0.25',
            f'moments = "{folder}/test.jsonl"\nfeatures = "{folder}/features"',
        )
        (folder / "fixed.toml").write_text(text)
        table = ablate(read_ablation(folder / "fixed.toml"), folder / "fixed")
        assert "+ coarse" in table
        result = json.loads((folder / "fixed" / "coarse" / "fold-0-seed-1" / "result.json").read_text())
        assert result["queries"] == 1


class TestJointSpace:
    @pytest.fixture
    def joint(self, folder):
        """The method in a joint space of width 6, with texts whose embeddings are known, and an open world."""
        rng = np.random.default_rng(1)
        for name in ("texts", "others"):
            texts = [f"a {thing} {number}" for number in range(3) for thing in THINGS]
            np.savez(folder / f"{name}.npz", prompts=texts, embeddings=rng.normal(size=(len(texts), 6)))
        photos = rng.normal(size=(5, 6))
        np.savez(folder / "sentences.npz", text=photos, images=photos, image_of=np.arange(5))
        np.savez(folder / "photos.npz", images=rng.normal(size=(20, 6)))
        method = METHOD.replace("query_width = 4\nwidth = 8\ncontext = 3", "query_width = 6\nwidth = 6\ncontext = 1")
        method = method.replace("context = 1", "context = 1\ncentered = true\njoint = true")
        method = method.replace('/features"', '/features"\nanchors = ["{folder}/texts.npz"]')
        (folder / "method.toml").write_text(method.format(folder=folder))
        ablation = ABLATION.replace("seeds = [0, 1]", "seeds = [0]\nopen_world = [{worlds}]")
        ablation += '[[variants]]\nname = "transfer"\nset = {{}}\ntested_by = ["{folder}/others.npz"]\n'
        worlds = f'"{folder}/sentences.npz", "{folder}/photos.npz"'
        (folder / "ablation.toml").write_text(ablation.format(folder=folder, worlds=worlds))
        _load_anchors.cache_clear()
        yield folder
        _load_anchors.cache_clear()

    def test_every_row_tells_what_was_forgotten(self, joint):
        table = ablate(read_ablation(joint / "ablation.toml"), joint / "out")
        place = table.splitlines()[0].split(" | ").index("open world")
        assert all(float(line.split(" | ")[place]) >= 0 for line in table.splitlines()[2:])

    def test_a_transfer_row_is_read_by_another_stand_in(self, joint):
        ablate(read_ablation(joint / "ablation.toml"), joint / "out")
        cell = joint / "out" / "transfer" / "fold-0-seed-0"
        config, scorer_moments = read_config(cell), moments(cell / "moments.jsonl")
        own = Predictor(config, load_grounder(cell, config), device="cpu")
        video = FeatureFolder(joint / "features", "toy", 6).load(scorer_moments[0].video)
        queries = [scorer_moments[0].query]
        own.query_encoder = EncodedQueries(queries, None, load_stand_in(cell, 6, config.stand_in))
        first = json.loads((cell / "predictions.jsonl").read_text().splitlines()[0])["segments"]
        assert [[part.start, part.end] for part in own.ground(video, queries[0]).segments] != first


class TestBadInput:
    def run(self, folder, monkeypatch):
        monkeypatch.setattr(sys, "argv", ["ablate", str(folder / "ablation.toml"), "--out", str(folder / "out")])
        return main()

    def test_an_unknown_key_of_a_variant_names_the_variant(self, folder, monkeypatch, capsys):
        text = (folder / "ablation.toml").read_text().replace("objective.coarse", "objective.rough")
        (folder / "ablation.toml").write_text(text)
        assert self.run(folder, monkeypatch) == 2
        assert "'+ coarse': objective.rough is unknown" in capsys.readouterr().err

    def test_annotations_that_are_missing_are_named(self, folder, monkeypatch, capsys):
        (folder / "annotations.jsonl").unlink()
        assert self.run(folder, monkeypatch) == 2
        assert "annotations.jsonl: no annotations with folds" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("change", "message"),
        [(("seeds = [0, 1]", "seeds = []"), "seeds"), (("held_out = 0.25", "held_out = 0.9"), "held_out")],
    )
    def test_a_setting_that_makes_no_sense_is_named(self, folder, change, message):
        text = (folder / "ablation.toml").read_text().replace(*change)
        (folder / "ablation.toml").write_text(text)
        with pytest.raises(DataError, match=message):
            read_ablation(folder / "ablation.toml")
