"""What is written from the press of the button to the answer; how it looks and feels is for tests/browser."""

import re
from collections import deque

import gradio as gr
import pytest

from grounding.app import find
from grounding.app.job_queue import job_queue
from grounding.errors import VideoError
from tests.app.conftest import shown
from tests.clips import bad_file, colours
from tests.states import make_state, unchanged


def test_an_answer_fills_the_page(ask, scenes):
    screen = ask(scenes, "a cup of coffee", 2)[-1]
    best = screen.state.chosen
    assert screen.progress == ""
    assert "a cup of coffee" in screen.message
    assert len(screen.plot.data[0].x) == len(screen.state.result.answer.timestamps)
    assert len(screen.segments.choices) == len(screen.state.result.answer.segments) <= 2
    assert 'class="frame hard"' in screen.frames
    assert "data-sheet" in screen.thumbnails
    assert screen.clip == str(scenes)
    assert (screen.span["start"], screen.span["end"], screen.span["plays"]) == (best.start, best.end, False)
    assert len(screen.memory.entries) == 1


def test_fewer_segments_are_the_first_of_those_that_a_search_finds(ask, long_scenes, predictor):
    video = predictor.encode_video(long_scenes)
    for most in (1, 2, 10):
        shown = ask(long_scenes, "a rocket", most)[-1].state.result.answer
        alone = predictor.ground(video, "a rocket", most)
        assert shown.segments == alone.segments and shown.hard_negatives == alone.hard_negatives


def test_an_answer_has_as_many_segments_as_are_wanted_when_it_comes(ask, scenes):
    first = ask(scenes)[-1]
    steps = list(find.find_moment(str(scenes), "a rocket", "embedded", first.state, first.memory))
    screen = shown(steps[-1], first.state, scenes, top_k=1)
    assert [len(one.answer.segments) for one in screen.state.results] == [1, 1]


def test_waiting_is_told_from_loading_to_the_end(ask, tmp_path):
    told = [screen.progress for screen in ask(colours(tmp_path / "long.mp4", seconds=8.0))]
    assert "Loading the model" in told[0]
    assert "opening the clip" in told[0]
    assert re.search(r"Looked at 0:0\d of 0:24", told[1])
    assert told[-1] == ""


def test_the_curve_is_drawn_as_it_grows_and_only_now_and_then(ask, tmp_path, monkeypatch):
    monkeypatch.setattr(find, "REDRAW", 0.0)
    monkeypatch.setattr("grounding.app.clips.REFRESH", 0.0)
    path = colours(tmp_path / "long.mp4", seconds=8.0)
    first, second = (screen.plot for screen in ask(path)[1:3])
    assert 0 < len(first.data[0].x) < len(second.data[0].x) < 48
    assert first.layout.xaxis.range[1] == pytest.approx(24, abs=0.1)
    monkeypatch.setattr(find, "REDRAW", 1e9)
    assert all(screen.plot == gr.skip() for screen in ask(path)[:-1])


def test_a_second_query_uses_what_is_kept_and_adds_its_curve(ask, scenes, monkeypatch, predictor):
    first = ask(scenes)[-1]
    monkeypatch.setattr(predictor, "grow_video", lambda *_: pytest.fail("the clip was encoded again"))
    monkeypatch.setattr("grounding.app.clip_limits.probe_video", lambda *_: pytest.fail("the clip was opened again"))
    second = ask(scenes, "a rocket", state=first.state, memory=first.memory)[-1]
    assert [one.answer.query for one in second.state.results] == ["a cat", "a rocket"]
    assert second.state.result.answer.query == "a rocket"
    assert second.thumbnails == gr.skip()  # the browser has it


def test_what_the_visitor_does_during_a_search_is_kept(ask, scenes):
    first = ask(scenes)[-1]
    pressed = ask(scenes, "a rocket", state=first.state, memory=first.memory)[-1].state
    steps = list(find.find_moment(str(scenes), "coffee", "embedded", pressed, first.memory))
    assert all(step.state == gr.skip() for step in steps)
    meanwhile = pressed.remove().add_files([str(scenes)])
    screen = shown(steps[-1], meanwhile, scenes)
    assert [one.answer.query for one in screen.state.results] == ["a cat", "coffee"]
    assert screen.state.files == (str(scenes),) and not steps[-1].found


def test_answers_that_come_together_are_all_shown(ask, scenes):
    waiting = deque()
    for query in ("a cat", "a dog"):
        list(find.find_moment(str(scenes), query, "embedded", None, None, waiting))
    screen = find.show_found(None, waiting, str(scenes))
    assert [one.answer.query for one in screen.state.results] == ["a cat", "a dog"] and not waiting
    assert "a dog" in screen.message and "data-sheet" in screen.thumbnails  # which the first one brought


def test_an_answer_of_a_clip_that_has_left_is_not_shown(ask, scenes):
    [*_, last] = find.find_moment(str(scenes), "a cat", "embedded", None, None)
    assert unchanged(find.show_found(None, last.found.copy(), None), "progress", "plot")
    other = make_state("a dog")
    screen = find.show_found(other, last.found.copy(), other.clip)
    assert screen.plot.data and screen.state == screen.message == gr.skip() and screen.progress == ""
    with job_queue().start(None, other.clip, at_model=True):  # which says itself how it stands
        assert find.show_found(other, last.found, other.clip).progress == gr.skip()


def test_a_clip_from_the_cache_is_answered_at_once_and_its_pictures_follow(ask, cached, tmp_path):
    path = colours(tmp_path / "long.mp4", seconds=8.0)
    first, steps = ask(path)[-1], ask(path)
    assert len(steps) == 2  # loading, answered
    last = steps[-1]
    assert last.state.result.answer.segments == first.state.result.answer.segments
    assert last.thumbnails == ""
    told = [step.progress for step in find.fetch_thumbnails(last.clip, last.memory)]
    assert "Fetching the pictures" in told[0] and told[-1] == ""
    chosen = last.state.select_segment(0)  # meanwhile
    screen = find.show_thumbnails(chosen, last.memory)
    assert (screen.state.move, screen.state.thumbnails) == (chosen.move, first.state.thumbnails)
    assert screen.thumbnails == first.thumbnails and "data:image/jpeg" in screen.frames
    assert unchanged(screen, "state", "thumbnails", "frames")


def test_pictures_that_are_there_are_not_made_again(ask, scenes):
    screen = ask(scenes)[-1]
    assert [step.progress for step in find.fetch_thumbnails(screen.clip, screen.memory)] == [""]
    assert unchanged(find.show_thumbnails(screen.state, screen.memory))


def test_pictures_of_a_clip_that_has_left_are_not_missed(ask, cached, scenes, tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(scenes.read_bytes())
    ask(path)
    screen = ask(path)[-1]
    path.unlink()
    assert [step.progress for step in find.fetch_thumbnails(screen.clip, screen.memory)] == [""]
    assert unchanged(find.show_thumbnails(screen.state, screen.memory))
    assert unchanged(find.show_thumbnails(None, None)) and list(find.fetch_thumbnails(None, None))


def test_another_clip_starts_anew(ask, scenes, tmp_path):
    first = ask(scenes)[-1]
    second = ask(colours(tmp_path / "other.mp4"), state=first.state, memory=first.memory)[-1]
    assert len(second.state.results) == 1
    assert second.clip.endswith("other.mp4")


def test_the_other_model_is_asked_too_with_the_same_features(ask, scenes, monkeypatch, predictor):
    monkeypatch.setattr(find, "load_baseline", lambda config: predictor)
    calls, grow = [], predictor.grow_video
    monkeypatch.setattr(predictor, "grow_video", lambda path, *more: calls.append(path) or grow(path, *more))
    screen = ask(scenes)[-1]
    assert not screen.compare.visible
    assert (screen.state.result.baseline.scores == screen.state.result.answer.scores).all()
    assert len(calls) == 1


@pytest.mark.parametrize("kind", ["text", "truncated"])
def test_what_is_wrong_with_a_clip_is_said_beside_it_and_moves_nothing(ask, tmp_path, kind):
    video = str(bad_file(kind, tmp_path))
    screen = ask(video, state=make_state())[-1]
    assert 'role="alert"' in screen.clip_message and f"{kind}.mp4" in screen.clip_message
    assert unchanged(screen, "progress", "clip_message", "message", "clip") and screen.message == ""
    assert screen.clip == video  # so that the message is not taken for one about another clip


def test_what_is_wrong_with_a_query_says_that_the_answers_shown_are_to_others(ask, scenes):
    screen = ask(scenes, "  ")[-1]
    assert 'role="alert"' in screen.message and "The query is empty" in screen.message
    assert "earlier" not in screen.message
    assert unchanged(screen, "progress", "message", "clip") and screen.clip == str(scenes)
    before = ask(scenes)[-1].state
    assert "The answers shown are to earlier queries." in ask(scenes, "x" * 1001, state=before)[-1].message


def test_where_there_is_no_clip_this_is_said_below_the_button(ask):
    screen = ask(None)[-1]
    assert "There is no clip yet" in screen.message and unchanged(screen, "progress", "message", "clip")


def test_an_answer_takes_away_what_was_said_of_its_clip(ask, scenes):
    assert ask(scenes)[-1].clip_message == ""


def test_a_problem_on_the_way_takes_back_the_curve_that_grew(ask, tmp_path, monkeypatch, predictor):
    monkeypatch.setattr(find, "REDRAW", 0.0)

    def broken(*_):
        raise VideoError("The rest is damaged.")

    monkeypatch.setattr(find, "answer_query", broken)
    path = colours(tmp_path / "long.mp4", seconds=8.0)
    assert not ask(path)[-1].plot.data
    before = make_state()
    assert len(ask(path, state=before)[-1].plot.data[0].x) == len(before.result.answer.timestamps)
