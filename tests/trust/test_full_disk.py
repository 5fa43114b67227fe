"""A disk without room, played by the system's limit on the size of files: every file is whole, or there is none."""

import errno
import os
import resource
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import plotly.graph_objects as go
import pytest
import torch

from grounding.answer import Answer
from grounding.app import handlers
from grounding.app.exports import write_results
from grounding.errors import GroundingError, WriteError
from grounding.features.cache_key import Key
from grounding.features.encoded_video import EncodedVideo
from grounding.isolation import client
from grounding.isolation.worker_pool import WorkerPool
from grounding.library import feature_files
from grounding.segments.find import Segment
from grounding.video.clips import cut_clip, make_preview
from grounding.video.limits import DecodeLimits
from tests.clips import write_video
from tests.states import make_state
from training.export import export, write_log
from training.features import write_features
from training.files import write_whole

NOISE = [np.random.default_rng(seed).integers(0, 256, (128, 128, 3), dtype=np.uint8) for seed in range(20)]
ANSWER = Answer("a cat", 6.0, "embedded", np.arange(500.0), np.zeros(500), [Segment(1.0, 2.5, 0.7)], [])
SAYS = """
import sys
from grounding import __main__ as cli
cli.run = lambda args: cli.print_answer("an answer")
sys.exit(cli.main(["clip.mp4", "a cat"]))
"""


@contextmanager
def full_disk(room: int = 4096):
    """No file may grow beyond `room` bytes; as on a full disk, the write fails and the process goes on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def out(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture
def clip(tmp_path):
    """Noise, which does not compress, in a format that no browser plays."""
    return write_video(tmp_path / "clip.avi", NOISE, codec="mpeg4")


def assert_refused(error, out, *names):
    """One line that says what cannot be written, and no file at all beside those that were there before."""
    assert "cannot be written" in str(error.value) or "could not be written" in str(error.value)
    assert len(str(error.value).splitlines()) == 1
    assert sorted(path.name for path in out.iterdir()) == sorted(names)


def test_results(out):
    with full_disk(), pytest.raises(GroundingError, match="make room") as error:
        write_results(out, [ANSWER], "clip.mp4", go.Figure())
    assert_refused(error, out)


def test_a_preview(out, clip):
    with full_disk(), pytest.raises(GroundingError) as error:
        make_preview(clip, out)
    assert_refused(error, out)


def test_a_cut(out, clip):
    with full_disk(), pytest.raises(GroundingError) as error:
        cut_clip(clip, 0.0, 1.5, out / "cut.mp4")
    assert_refused(error, out)


def test_the_page_says_it_beside_the_input(monkeypatch, out, clip):
    monkeypatch.setattr(handlers.visitor_files(), "make_folder", lambda session: out)
    pool = WorkerPool(DecodeLimits())  # who make the preview, and have no more room than we
    monkeypatch.setattr(client, "get_pool", lambda: pool)
    with full_disk(64):
        results, upload = (
            handlers.export_results(make_state()),
            handlers.check_upload(str(clip), lambda share, desc: None),
        )
    pool.kill()
    assert all("be written" in said and 'role="alert"' in said for said in (results.message, upload.clip_message))


def test_a_folder_that_cannot_be_made(monkeypatch):
    def full(*args, **options):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr("grounding.app.file_ownership.Path.mkdir", full)
    with pytest.raises(GroundingError, match="make room"):
        handlers.visitor_files().make_folder("a")


def test_a_checkpoint_leaves_the_old_one(out):
    (out / "model.safetensors").write_text("old")
    with full_disk(), pytest.raises(GroundingError) as error:
        export({"a": torch.zeros(10_000)}, None, out)
    assert_refused(error, out, "model.safetensors")
    assert (out / "model.safetensors").read_text() == "old"


def test_a_training_state_leaves_the_old_one(out):
    (out / "state.pt").write_text("old")
    with full_disk(), pytest.raises(GroundingError) as error, write_whole(out / "state.pt") as part:
        torch.save({"a": torch.zeros(10_000)}, part)
    assert_refused(error, out, "state.pt")
    assert (out / "state.pt").read_text() == "old"


def test_a_log(out):
    with full_disk(), pytest.raises(GroundingError) as error:
        write_log([{"epoch": epoch} for epoch in range(1000)], out / "log.jsonl")
    assert_refused(error, out)


def test_features(out):
    video = EncodedVideo(np.arange(100.0), np.zeros((100, 64)), 100.0, "toy")
    with full_disk(), pytest.raises(GroundingError) as error:
        write_features(out, "a.mp4", video, 1.0)
    assert_refused(error, out)


def test_features_of_a_library(out):
    video = EncodedVideo(np.arange(100.0), np.zeros((100, 64)), 100.0, "toy")
    with full_disk(), pytest.raises(WriteError, match=r"'a.mp4.safetensors' cannot be written .*make room") as error:
        feature_files.write_features(out / "a.mp4.safetensors", video, Key("", "toy", "", 1.0, 64, ""), "")
    assert_refused(error, out)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_the_answers_of_the_command_line():
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-c", SAYS], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr == "The answers cannot be written (No space left on device): give another place for them.\n"
