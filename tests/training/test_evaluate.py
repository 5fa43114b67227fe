import dataclasses
import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import save_file

from grounding import EncodedVideo
from grounding.checkpoint import CheckpointConfig, GrounderConfig
from grounding.errors import QueryError, VideoError
from grounding.segments.find import Segment
from training.evaluate import evaluate, main, open_store
from training.features import FeatureFolder
from training.moments import DataError, Moment, write_moments


class FakePredictor:
    """Answers "from 2 to 5" with that segment, then the whole video; keeps the names of the videos it encoded."""

    config = CheckpointConfig("fake", "toy", GrounderConfig(4), rate=1.0)

    def __init__(self):
        self.encoded, self.batches = [], []

    def encode_video(self, path, progress=None):
        self.encoded.append(path.name)
        if path.name == "bad.mp4":
            raise VideoError("'bad.mp4' is no video.")
        return EncodedVideo(np.arange(10.0), np.ones((10, 4)), 10.0, "toy")

    def ground(self, video, query, top_k=5):
        return self.ground_many(video, [query], top_k)[0]

    def ground_many(self, video, queries, top_k=5):
        self.batches.append(list(queries))
        if "" in queries:
            raise QueryError("The query is empty.")
        spans = [[float(word) for word in query.split() if word.isdigit()] for query in queries]
        lists = [[Segment(*span, 0.9), Segment(0.0, video.duration, 0.5)][:top_k] for span in spans]
        return [SimpleNamespace(segments=segments, queries_by="stand-in") for segments in lists]


MOMENTS = [
    Moment("a.mp4", 10.0, "from 2 to 5", 2.0, 5.0),
    Moment("b.mp4", 10.0, "from 0 to 4", 4.0, 10.0),
    Moment("a.mp4", 10.0, "from 6 to 8", 6.0, 9.0),
]


@pytest.fixture
def run(tmp_path):
    predictor = FakePredictor()

    def go(moments=MOMENTS, out="predictions.jsonl"):
        store = open_store(predictor, tmp_path / "features", None, tmp_path / "videos")
        return evaluate(predictor, moments, store, tmp_path / out)

    go.predictor, go.folder = predictor, tmp_path
    return go


def predictions(path):
    return [json.loads(line)["segments"] for line in path.read_text().splitlines()]


def test_the_table_is_that_of_the_predictions(run):
    table = run()
    assert table["R@1,IoU=0.7"] == pytest.approx(33.33)
    assert table["R@1,IoU=0.5"] == pytest.approx(66.67)
    assert table["R@5,IoU=0.5"] == 100.0  # the whole video covers 4 to 10 by 0.6
    assert table["mIoU"] == pytest.approx(100 * (1 + 0 + 2 / 3) / 3, abs=0.01)
    assert table["queries_by"] == "stand-in"


def test_predictions_are_in_the_order_of_the_moments_best_first(run):
    run()
    assert predictions(run.folder / "predictions.jsonl") == [
        [[2.0, 5.0], [0.0, 10.0]],
        [[0.0, 4.0], [0.0, 10.0]],
        [[6.0, 8.0], [0.0, 10.0]],
    ]


def test_every_video_is_encoded_once_and_kept(run):
    run()
    run()
    assert sorted(run.predictor.encoded) == ["a.mp4", "b.mp4"]
    assert FeatureFolder(run.folder / "features", "toy", 4).has("a.mp4")


def test_annotations_may_leave_out_the_suffix_of_a_video(run):
    (run.folder / "videos").mkdir()
    (run.folder / "videos" / "a.mp4").write_bytes(b"")
    run([dataclasses.replace(MOMENTS[0], video="a")])
    assert run.predictor.encoded == ["a.mp4"]


def test_queries_of_a_video_that_stand_together_go_together(run):
    run([MOMENTS[0], MOMENTS[2], MOMENTS[1]])
    assert [len(batch) for batch in run.predictor.batches] == [2, 1]


def test_moments_without_a_span_cannot_be_scored(run):
    with pytest.raises(DataError, match="Moment 4 .*start and end"):
        run([*MOMENTS, Moment("c.mp4", 3.0, "from 0 to 1")])
    assert run.predictor.encoded == []


def test_features_of_another_encoder_are_an_error(run):
    run()
    run.predictor.config = CheckpointConfig("fake", "other", GrounderConfig(4))
    with pytest.raises(DataError, match="'toy', not 'other'"):
        run()


def test_a_failed_run_leaves_the_old_predictions(run):
    run()
    before = (run.folder / "predictions.jsonl").read_text()
    with pytest.raises(VideoError):
        run([*MOMENTS, Moment("bad.mp4", 3.0, "from 0 to 1", 0.0, 1.0)])
    assert (run.folder / "predictions.jsonl").read_text() == before


def test_predictions_may_go_into_a_new_folder(run):
    run(out="new/predictions.jsonl")
    assert len(predictions(run.folder / "new" / "predictions.jsonl")) == 3


def test_an_output_that_cannot_be_written_is_told_before_anything_is_encoded(run):
    (run.folder / "file").write_text("")
    with pytest.raises(DataError, match="file cannot be written"):
        run(out="file/predictions.jsonl")
    assert run.predictor.encoded == []


class TestWithoutVideos:
    def test_published_features_are_scored_with_the_durations_of_the_moments(self, run):
        save_file({name: np.ones((10, 4)) for name in ("a.mp4", "b.mp4")}, run.folder / "features.safetensors")
        save_file({name: np.arange(10.0) for name in ("a.mp4", "b.mp4")}, run.folder / "times.safetensors")
        store = open_store(run.predictor, run.folder / "features.safetensors", run.folder / "times.safetensors", None)
        moments = [dataclasses.replace(moment, duration=9.5) for moment in MOMENTS]
        assert evaluate(run.predictor, moments, store, run.folder / "out.jsonl")["R@1,IoU=0.5"] == pytest.approx(66.67)
        assert predictions(run.folder / "out.jsonl")[0][1] == [0.0, 9.5]

    def test_a_folder_of_features_will_do(self, run):
        run()
        table = evaluate(
            run.predictor, MOMENTS, open_store(run.predictor, run.folder / "features", None, None), run.folder / "o"
        )
        assert table["R@1,IoU=0.5"] == pytest.approx(66.67)

    def test_a_video_that_is_not_there_is_named(self, run):
        store = open_store(run.predictor, run.folder / "features", None, None)
        with pytest.raises(DataError, match=r"no features of a\.mp4"):
            evaluate(run.predictor, MOMENTS, store, run.folder / "out.jsonl")
        assert not (run.folder / "out.jsonl").exists()

    def test_a_file_without_its_timestamps_is_an_error(self, run):
        (run.folder / "features.safetensors").write_bytes(b"")
        with pytest.raises(DataError, match="timestamps"):
            open_store(run.predictor, run.folder / "features.safetensors", None, None)


class TestMain:
    def run(self, monkeypatch, folder, *moments):
        monkeypatch.setattr("training.evaluate.Predictor.from_checkpoint", lambda *args, **options: FakePredictor())
        write_moments(folder / "moments.jsonl", moments)
        options = {"--videos": "videos", "--features": "features", "--out": "out.jsonl"}
        paths = [text for name, value in options.items() for text in (name, str(folder / value))]
        monkeypatch.setattr(sys, "argv", ["evaluate", "fake", str(folder / "moments.jsonl"), *paths])
        return main()

    def test_prints_the_table(self, monkeypatch, tmp_path, capsys):
        assert self.run(monkeypatch, tmp_path, *MOMENTS) == 0
        assert json.loads(capsys.readouterr().out)["R@5,IoU=0.5"] == 100.0

    @pytest.mark.parametrize(
        "moment", [Moment("bad.mp4", 3.0, "from 0 to 1", 0.0, 1.0), Moment("a.mp4", 3.0, "from 0 to 1")]
    )
    def test_bad_data_is_one_line(self, monkeypatch, tmp_path, capsys, moment):
        assert self.run(monkeypatch, tmp_path, *MOMENTS, moment) == 2
        shown = capsys.readouterr()
        assert shown.out == ""
        assert shown.err.strip().splitlines()[-1].endswith(".")
