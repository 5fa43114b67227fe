"""What a visitor gave and was given, as another visitor sees it, and when it goes."""

import time
from pathlib import Path
from types import SimpleNamespace

import gradio.utils
import httpx
import pytest
from gradio.routes import App
from gradio_client import Client, handle_file

from grounding.app.file_ownership import visitor_files
from grounding.app.page import build_page, make_goodbye
from tests.clips import colours


@pytest.fixture
def quick(monkeypatch):
    """A client that has left is noticed at once, and not at the next of Gradio's heartbeats."""
    monkeypatch.setattr(gradio.utils, "get_heartbeat_rate", lambda: 0.1)


def upload(address, path) -> str:
    """Where the server keeps an upload; the same for all who upload the same content by the same name."""
    with open(path, "rb") as file:
        return httpx.post(f"{address}gradio_api/upload", files={"files": (Path(path).name, file)}).json()[0]


def fetched(address, path) -> bool:
    return httpx.get(f"{address}gradio_api/file={path}").status_code == 200


def asked(address, path) -> Client:
    """A program that asked one question and is still there."""
    client = Client(address, verbose=False)
    client.predict(video=handle_file(str(path)), query="a cat", api_name="/ground")
    return client


def comes_true(is_so, within=120.0) -> bool:
    end = time.monotonic() + within
    while not is_so() and time.monotonic() < end:
        time.sleep(0.05)
    return is_so()


def gone(path) -> bool:
    return comes_true(lambda: not Path(path).exists())


def test_a_clip_goes_when_the_last_who_gave_it_leaves(address, tmp_path, quick, monkeypatch):
    files, left = visitor_files(), []
    delete = files.delete
    monkeypatch.setattr(files, "delete", lambda session: (delete(session), left.append(session)))
    clip = colours(tmp_path / "of two.mp4", seconds=0.7)
    kept = upload(address, clip)
    one, other = asked(address, clip), asked(address, clip)
    one.close()
    assert comes_true(lambda: one.session_hash in left)
    assert fetched(address, kept)
    other.close()
    assert gone(kept)
    assert not fetched(address, kept)


@pytest.mark.parametrize("guess", ["", "/..", "/../..", "x", "/x.mp4"])
def test_what_lies_beside_a_clip_cannot_be_listed_or_guessed(address, scenes, guess):
    assert not fetched(address, str(Path(upload(address, scenes)).parent) + guess)


@pytest.mark.parametrize("path", ["app.py", "../app.py", "/etc/passwd", "grounding/app/page.py"])
def test_nothing_else_of_the_server_is_handed_out(address, path):
    assert not fetched(address, path)


def test_examples_are_no_ones_to_delete(address):
    folder = Path("grounding/app/examples").resolve()
    assert fetched(address, next(folder.glob("*.mp4")))


def test_features_and_answers_go_with_the_visitor_who_left():
    page = build_page()
    holder = App.create_app(page).state_holder
    kept = {block._id for block in page.blocks.values() if getattr(block, "stateful", False)}
    for session in ("one", "other"):
        for name in kept:
            holder[session][name] = "features"
    make_goodbye(page)(SimpleNamespace(session_hash="one"))
    assert kept
    assert "one" not in holder  # not even Gradio's copy of the page's settings
    assert not holder["one"].state_data
    assert set(holder["other"].state_data) == kept
