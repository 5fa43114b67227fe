import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from grounding.app import temp_folder as module
from grounding.app.temp_folder import delete_old, temp_folder
from grounding.errors import GroundingError

LIVES = """
import sys, time
from grounding.app.temp_folder import temp_folder
with temp_folder(3600) as own:
    (own / "gradio" / "clip.mp4").write_text("a visitor's")
    print(own, flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def place(monkeypatch, tmp_path):
    """Where homes are made."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def other():
    """Another process with a home, and that home."""
    process = subprocess.Popen([sys.executable, "-c", LIVES], stdout=subprocess.PIPE, text=True)
    yield process, Path(process.stdout.readline().strip())
    process.kill()
    process.wait()


def test_what_is_temporary_goes_there_and_is_deleted_at_the_end(place):
    before = tempfile.gettempdir(), os.environ.get("TMPDIR")
    with temp_folder(60) as own:
        assert place in own.parents
        assert own in Path(tempfile.mkdtemp()).parents
        assert own in Path(os.environ["GRADIO_TEMP_DIR"]).parents
        assert own.stat().st_mode & 0o077 == 0
    assert not own.exists()
    assert os.environ["GRADIO_TEMP_DIR"] == str(place)
    assert before == (tempfile.gettempdir(), os.environ.get("TMPDIR"))


def test_what_a_killed_process_left_behind_is_swept_and_a_living_one_is_left_alone(other):
    process, left = other
    assert (left / "gradio" / "clip.mp4").exists()
    with temp_folder(60):
        assert (left / "gradio" / "clip.mp4").exists()
    process.kill()  # SIGKILL: nothing of its own is run any more
    process.wait()
    with temp_folder(60) as own:
        assert not left.exists()
        assert [path for path in own.parent.iterdir() if path.is_dir()] == [own]


def test_what_nobody_touched_goes_while_the_process_lives():
    with temp_folder(age=0.2) as own:
        (own / "gradio" / "hash").mkdir()
        (own / "gradio" / "hash" / "clip.mp4").touch()
        for _ in range(1200):
            if not (own / "gradio" / "hash").exists():
                break
            time.sleep(0.05)
        assert not (own / "gradio" / "hash").exists()
        assert (own / "lock").exists()


def test_only_what_is_old_is_deleted(tmp_path, monkeypatch):
    for name in ("old/a", "new/b"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    (tmp_path / "old" / "link").symlink_to(tmp_path / "new")
    monkeypatch.setattr(module, "_idle_seconds", lambda path: 0.0 if path.name in ("new", "b") else 99.0)
    delete_old(tmp_path, 50.0)
    assert [path.name for path in sorted(tmp_path.rglob("*"))] == ["new", "b"]


def test_a_place_of_someone_else_is_refused(place, monkeypatch):
    (place / "theirs").mkdir()
    (place / f"grounding-{module._user()}").symlink_to(place / "theirs")
    with pytest.raises(GroundingError, match="belongs to someone else.*GRADIO_TEMP_DIR"), temp_folder(60):
        pass
