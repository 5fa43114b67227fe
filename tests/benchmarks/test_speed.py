"""That the benchmark runs, on two seconds of video; nothing here is timed."""

import math
import shutil

import pytest
import torch

from grounding.video.reader import FrameReader
from tests.benchmarks import jobs, peers
from tests.benchmarks.jobs import forget_bfloat16, run
from tests.benchmarks.speed import computes_in_bfloat16, decode_only, table
from tests.benchmarks.videos import Video

pytestmark = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="needs ffmpeg")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return Video(2, height=144).file(tmp_path_factory.mktemp("work"))


def test_a_file_is_made_once_and_is_what_it_says(file):
    made = file.stat().st_mtime_ns
    assert Video(2, height=144).file(file.parent) == file and file.stat().st_mtime_ns == made
    reader = FrameReader(file, rate=2.0)
    assert len(list(reader)) == 4
    assert (reader.info.height, reader.info.fps, reader.duration) == (144, 30, pytest.approx(2.0, abs=0.05))


def test_a_job_measures_every_stage_and_its_memory(file):
    times = run("stages", str(file), float32=True)
    assert all(times[name] > 0 for name in ("decode", "preprocess", "encode", "ground", "cpu"))
    assert 100 < times["memory"] < 4000


def test_first_and_further_queries_are_measured(file):
    times = jobs.ours(str(file))
    assert all(times[name] > 0 for name in ("first", "second", "10", "100"))


def test_bfloat16_can_be_switched_off(monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True, raising=False)
    assert computes_in_bfloat16()
    forget_bfloat16()
    assert not computes_in_bfloat16()


def test_a_checkpoint_of_clip_is_measured_with_random_weights(file, tiny_checkpoint):
    times = jobs.clip(str(file), str(tiny_checkpoint), "tiny-clip")
    assert times["first"] > 0 and times["second"] > 0


@pytest.mark.parametrize("recipe", [peers.recipe, peers.recipe_in_openvino])
def test_what_ours_is_compared_with_is_measured(file, tiny_model, monkeypatch, recipe):
    monkeypatch.setattr(peers, "MODEL", "tiny-clip")
    monkeypatch.setenv("OPENCV_FFMPEG_LOGLEVEL", "-8")  # OpenCV reads it once, as it opens the first file
    times = recipe(str(file))
    assert times["first"] > 0 and times["second"] > 0 and times["frames"] == 1


def test_a_rough_answer_is_measured_where_there_is_one(file, long_scenes):
    assert jobs.rough(str(file))["first"] == math.inf
    assert 0 < jobs.rough(str(long_scenes))["first"] < math.inf


def test_decoding_alone_is_measured(file):
    assert all(value > 0 for value in decode_only(file).values())


def test_a_job_that_fails_says_why():
    with pytest.raises(RuntimeError, match="KeyError: 'nothing'"):
        run("nothing")


def test_a_table_is_markdown():
    assert (
        table(("file", "s"), [("a", 1.23456), ("b", 12345.6), ("c", math.inf)])
        == "| file | s |\n| --- | --- |\n| a | 1.23 |\n| b | 12346 |\n| c | none |"
    )
