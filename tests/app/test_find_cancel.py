"""How a search ends before its answer: cancelled, taken away, asked again; and what of it stays."""

import gradio as gr

from grounding.app import find
from grounding.app.job_queue import job_queue
from grounding.errors import EncoderError, VideoError
from tests.app.conftest import shown
from tests.clips import colours
from tests.states import make_state, unchanged


def test_a_cancel_ends_the_work_and_leaves_the_page_as_it_was(ask, tmp_path, monkeypatch, predictor):
    monkeypatch.setattr(find, "REDRAW", 0.0)
    before, path = make_state("a dog"), colours(tmp_path / "long.mp4", seconds=16.0)
    steps = find.find_moment(str(path), "a cat", "embedded", before, None)
    assert [next(steps) for _ in range(2)][-1].plot.data  # it grows
    job_queue().cancel("someone else")
    assert next(steps).plot.data
    job_queue().cancel(None)
    last = shown(next(steps), before, path)
    assert "Stopped before there was an answer" in last.message and last.progress == ""
    assert len(last.plot.data[0].x) == len(before.result.answer.timestamps)
    assert last.clip == str(path)
    assert list(steps) == []


def test_a_cancel_says_that_earlier_answers_stay(ask, scenes):
    before = ask(scenes, "a dog")[-1].state
    with job_queue().start("another", "a.mp4", at_model=True):
        steps = find.find_moment(str(scenes), "a cat", "embedded", before, None)
        next(steps)
        job_queue().cancel(None)
        last = next(steps)
    assert "Stopped. The answers to earlier queries stay." in last.message
    assert unchanged(last, "progress", "message", "clip")


def test_a_cancel_keeps_the_rough_answer_until_all_is_looked_at(ask, long_scenes, predictor):
    steps = find.find_moment(str(long_scenes), "a cup of coffee", "embedded", None, None)
    assert "Rough, from" in [next(steps) for _ in range(2)][-1].progress
    job_queue().cancel(None)
    last = shown(*steps, None, long_scenes)
    answer, count = last.state.result.answer, last.state.result.answer.rough
    assert count >= 3 and "Stopped. A rough answer from the frames looked at so far; press Find" in last.message
    assert last.progress == ""
    assert len(last.plot.data[0].x) == len(answer.timestamps)
    assert "data:image/jpeg" in last.frames and len(last.state.thumbnails.jpegs) == count
    assert answer.to_dict("a.mp4")["rough"] == count and not last.memory.entries
    final = ask(long_scenes, "a cup of coffee", state=last.state)[-1]
    assert [result.answer.rough for result in final.state.results] == [0] and "rough" not in final.message
    assert len(final.state.thumbnails.jpegs) == len(final.state.result.answer.timestamps)
    assert "data-sheet" in final.thumbnails


def test_a_rough_answer_is_made_at_the_model_and_its_error_is_told(long_scenes, ask, monkeypatch):
    turns = []

    def broken(*_):
        turns.append(job_queue().has_job(None))
        raise EncoderError("The graphics card has no memory left.")

    monkeypatch.setattr(find, "answer_query", broken)
    steps = find.find_moment(str(long_scenes), "a cup of coffee", "embedded", None, None)
    assert "Rough, from" in [next(steps) for _ in range(2)][-1].progress
    job_queue().cancel(None)
    [last] = steps
    assert turns == [True] and last.progress == "" and "no memory left" in last.message


def test_of_a_clip_that_was_taken_away_nothing_is_said(ask, tmp_path, monkeypatch):
    monkeypatch.setattr(find, "REDRAW", 0.0)
    path = colours(tmp_path / "long.mp4", seconds=16.0)
    steps = find.find_moment(str(path), "a cat", "embedded", None, None)
    assert [next(steps) for _ in range(2)][-1].plot.data
    job_queue().cancel(None, silent=True)
    last = shown(next(steps), None, None)
    assert last.progress == "" and last.message == gr.skip()
    assert not last.plot.data


def test_what_is_wrong_with_a_clip_that_was_taken_away_is_not_told(ask, monkeypatch):
    def leave(*_, **__):
        job_queue().cancel(None, silent=True)
        raise VideoError("It is not there any more.")

    monkeypatch.setattr(find, "encode_clip", leave)
    assert unchanged(ask("a.mp4")[-1], "progress")


def test_asking_about_another_clip_ends_the_last_work_and_shows_nothing_of_it(ask, scenes, tmp_path):
    last = find.find_moment(str(colours(tmp_path / "long.mp4", seconds=8.0)), "a cat", "embedded", None, None)
    next(last)
    steps = find.find_moment(str(scenes), "a cat", "embedded", None, None)
    assert unchanged(next(steps))  # it waits for the end of its visitor's own work
    assert [unchanged(screen) for screen in last] == [True]
    assert list(steps)[-1].found[-1].clip == str(scenes)


def test_asking_again_takes_back_what_was_said_of_the_last_work(ask, scenes):
    assert ask(scenes)[0].message == ""
    before = ask(scenes)[-1]
    assert "a cat" in ask(scenes, "a dog", state=before.state, memory=before.memory)[0].message


def test_whoever_waits_for_another_is_told_and_may_call_it_off(ask, scenes):
    with job_queue().start("another", "a.mp4", at_model=True):
        steps = find.find_moment(str(scenes), "a cat", "embedded", None, None)
        assert "one other before you" in next(steps).progress
        job_queue().cancel(None)
        last = next(steps)
    assert "Stopped" in last.message
    assert unchanged(last, "progress", "message", "clip")


def test_pictures_are_not_fetched_any_more_after_a_cancel(ask, cached, tmp_path):
    path = colours(tmp_path / "long.mp4", seconds=16.0)
    ask(path)
    last = ask(path)[-1]
    steps = find.fetch_thumbnails(last.clip, last.memory)
    next(steps)
    job_queue().cancel(None)
    assert [step.progress for step in steps] == [""]
    assert unchanged(find.show_thumbnails(last.state, last.memory))
