"""What the page's events return; how it looks and feels is for tests/browser."""

from collections import OrderedDict

import gradio as gr
import pytest

from grounding import page
from grounding.errors import VideoError
from tests.clips import bad_file

MESSAGE, PLOT, SEGMENTS, INSPECTION, FRAMES, HARD, ANSWER, CLIP, START, MEMORY = range(10)


@pytest.fixture
def ask(monkeypatch, predictor):
    """The button, with the session's predictor."""
    monkeypatch.setattr(page, "load_predictor", lambda name: predictor)
    monkeypatch.setattr("grounding.serving.load_predictor", lambda name: predictor)

    def pressed(video, query="a cat", top_k=5, memory=None, progress=lambda share, desc: None):
        return page.find(video, query, "embedded", top_k, OrderedDict() if memory is None else memory, progress)

    return pressed


def test_an_answer_fills_the_page(ask, scenes):
    outputs = ask(str(scenes), "a cup of coffee", 2)
    best = outputs[ANSWER].segments[0]
    assert "a cup of coffee" in outputs[MESSAGE]
    assert len(outputs[PLOT].data[0].x) == len(outputs[ANSWER].timestamps)
    assert len(outputs[SEGMENTS].choices) == len(outputs[ANSWER].segments) <= 2
    assert outputs[FRAMES]
    assert outputs[HARD]
    assert outputs[CLIP] == str(scenes)
    assert outputs[START] == best.start
    assert len(outputs[MEMORY]) == 1


def test_waiting_is_told_from_loading_to_the_end(ask, scenes):
    told = []
    ask(str(scenes), progress=lambda share, desc: told.append((share, desc)))
    shares = [share for share, _ in told]
    assert told[0] == (0.0, "Loading the model")
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_a_second_query_uses_what_is_kept(ask, scenes, monkeypatch, predictor):
    memory = ask(str(scenes))[MEMORY]
    monkeypatch.setattr(predictor, "encode_video", lambda *_: pytest.fail("the clip was encoded again"))
    assert ask(str(scenes), "an astronaut", memory=memory)[ANSWER].query == "an astronaut"


@pytest.mark.parametrize(("kind", "query"), [("text", "a cat"), ("truncated", "a cat"), (None, "  ")])
def test_a_problem_changes_the_message_and_moves_nothing(ask, tmp_path, scenes, kind, query):
    video = str(bad_file(kind, tmp_path) if kind else scenes)
    outputs = ask(video, query)
    assert 'role="alert"' in outputs[MESSAGE]
    assert (f"{kind}.mp4" if kind else "The query is empty") in outputs[MESSAGE]
    assert all(value == gr.skip() for value in outputs[PLOT : ANSWER + 1])
    assert outputs[START] is None
    assert outputs[CLIP] == video  # so that the message is not taken for one about another clip


def test_another_segment_is_shown_and_its_start_sought(ask, scenes):
    answer = ask(str(scenes))[ANSWER]
    _, figure, frames, _, start = page.choose(str(scenes), answer, 1)
    assert start == answer.segments[1].start
    assert frames[0][1] != page.choose(str(scenes), answer, 0)[2][0][1]
    assert answer.segments[1].start in [shape.x0 for shape in figure.layout.shapes]


def test_a_clip_that_is_gone_when_a_segment_is_chosen_is_told(ask, scenes, monkeypatch):
    answer = ask(str(scenes))[ANSWER]

    def gone(*_):
        raise VideoError("There is no file.")

    monkeypatch.setattr(page, "galleries", gone)
    message, *rest, start = page.choose(str(scenes), answer, 1)
    assert "There is no file." in message
    assert all(value == gr.skip() for value in rest)
    assert start is None


def test_another_clip_clears_the_page_and_the_same_one_does_not():
    cleared = page.forget("new.mp4", "old.mp4")
    assert cleared[MESSAGE] == ""
    assert cleared[ANSWER] is cleared[CLIP] is cleared[START] is None
    assert cleared[INSPECTION].visible is False
    assert all(value == gr.skip() for value in page.forget("same.mp4", "same.mp4"))


def test_every_example_is_a_clip_that_is_there():
    rows = page.example_rows()
    assert len({clip for clip, _ in rows}) >= 3
    assert all(page.Path(clip).is_file() and query for clip, query in rows)
