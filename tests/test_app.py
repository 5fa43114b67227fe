"""The served app, as a program sees it."""

from collections import OrderedDict

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

import app
from grounding import page
from grounding.errors import GroundingError, VideoError
from tests.clips import BAD_KINDS, bad_file, colours


@pytest.fixture(scope="module")
def client(address):
    return Client(address, verbose=False)


def ground(client, video, query="a cat", **more):
    return client.predict(video=handle_file(str(video)), query=query, api_name="/ground", **more)


def test_the_endpoint_answers_by_the_contract(client, scenes, predictor):
    answer = ground(client, scenes, checkpoint="embedded", top_k=2)
    alone = predictor.ground(predictor.encode_video(scenes), "a cat", top_k=2).to_dict("scenes.mp4")
    assert set(answer) == set(alone)
    assert answer["video"] == "scenes.mp4"
    assert len(answer["segments"]) <= 2
    assert answer["segments"][0]["start"] == pytest.approx(alone["segments"][0]["start"])
    assert answer["scores"] == pytest.approx(alone["scores"], abs=1e-4)


def test_checkpoint_and_top_k_have_defaults(client, scenes):
    assert ground(client, scenes)["checkpoint"] == "embedded"


@pytest.mark.parametrize("kind", [kind for kind in BAD_KINDS if kind not in ("missing", "folder")])
def test_a_bad_file_is_one_clear_error(client, tmp_path, kind):
    with pytest.raises(AppError, match=f"{kind}.mp4"):
        ground(client, bad_file(kind, tmp_path))


@pytest.mark.parametrize("query", ["", "   ", "x" * 10_000])
def test_a_bad_query_is_one_clear_error(client, scenes, query):
    with pytest.raises(AppError, match="The query"):
        ground(client, scenes, query)


@pytest.mark.parametrize("checkpoint", ["nonsense", "../checkpoints/embedded", "/etc"])
def test_only_listed_checkpoints_can_be_asked_for(client, scenes, checkpoint):
    with pytest.raises(AppError, match="choose one of embedded"):
        ground(client, scenes, checkpoint=checkpoint)


def test_top_k_is_checked(client, scenes):
    with pytest.raises(AppError, match="at least one"):
        ground(client, scenes, top_k=0)


def test_the_app_keeps_to_this_machine_by_default(monkeypatch):
    seen = {}
    monkeypatch.setattr(app, "serve", lambda **options: seen.update(options))
    monkeypatch.delenv("GRADIO_SERVER_NAME", raising=False)
    monkeypatch.delenv("SPACE_ID", raising=False)
    app.main()
    assert seen["server_name"] == "127.0.0.1"
    monkeypatch.setenv("SPACE_ID", "someone/demo")
    app.main()
    assert seen["server_name"] == "0.0.0.0"


class Counting:
    """A predictor that counts how often it encodes."""

    def __init__(self):
        self.encoded = []

    def encode_video(self, path, progress):
        self.encoded.append(path)
        return f"features of {path}"


@pytest.fixture
def counting(monkeypatch):
    counted = Counting()
    monkeypatch.setattr(page, "load_predictor", lambda name: counted)
    return counted


def test_a_clip_is_encoded_once_per_checkpoint(counting, tmp_path):
    path, memory = str(colours(tmp_path / "a.mp4")), OrderedDict()
    first = page.encode(path, "one", memory, None)
    assert page.encode(path, "one", memory, None) == first
    assert len(counting.encoded) == 1
    page.encode(path, "two", memory, None)
    assert len(counting.encoded) == 2


def test_another_clip_under_the_same_name_is_encoded(counting, tmp_path):
    path, memory = colours(tmp_path / "a.mp4"), OrderedDict()
    page.encode(str(path), "one", memory, None)
    colours(path, seconds=1.0)
    page.encode(str(path), "one", memory, None)
    assert len(counting.encoded) == 2


def test_visitors_share_nothing(counting, tmp_path):
    path = str(colours(tmp_path / "a.mp4"))
    page.encode(path, "one", OrderedDict(), None)
    page.encode(path, "one", OrderedDict(), None)
    assert len(counting.encoded) == 2


def test_memory_is_bounded_and_forgets_the_oldest(counting, tmp_path):
    memory = OrderedDict()
    paths = [str(colours(tmp_path / f"{n}.mp4", seconds=0.5 + n / 10)) for n in range(page.KEPT + 1)]
    for path in paths:
        page.encode(path, "one", memory, None)
    assert len(memory) == page.KEPT
    assert f"features of {paths[0]}" not in memory.values()


def test_no_clip_is_one_clear_sentence():
    with pytest.raises(VideoError, match="upload a video"):
        page.encode(None, "embedded", OrderedDict(), None)


def test_a_message_never_carries_markup():
    shown = page.problem(GroundingError("<img src=x onerror=alert(1)>"))
    assert "<img" not in shown
    assert "&lt;img" in shown


def test_a_problem_changes_nothing_but_the_message(tmp_path):
    message, *rest, memory = page.find(str(bad_file("text", tmp_path)), "a cat", "embedded", 5, OrderedDict())
    assert "text.mp4" in message
    assert all(value == page.gr.skip() for value in rest)
    assert memory == {}
