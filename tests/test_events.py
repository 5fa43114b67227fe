"""What the page's events write; how it looks and feels is for tests/browser."""

import dataclasses

import gradio as gr
import pytest

from grounding import events, serving
from grounding.cache import FeatureCache
from grounding.errors import VideoError
from tests.boards import board
from tests.clips import RED, bad_file, colours, plain, write_video


@pytest.fixture
def ask(monkeypatch, predictor):
    """The button, with the session's predictor: all that it writes, step by step."""
    monkeypatch.setattr(events, "load_predictor", lambda name: predictor)
    monkeypatch.setattr(events, "load_baseline", lambda config: None)

    def pressed(video, query="a cat", top_k=5, board=None, memory=None):
        return list(events.find(video and str(video), query, "embedded", top_k, board, memory))

    return pressed


def unchanged(screen, *besides):
    return all(value == gr.skip() for name, value in screen._asdict().items() if name not in besides)


def test_an_answer_fills_the_page(ask, scenes):
    screen = ask(scenes, "a cup of coffee", 2)[-1]
    best = screen.board.chosen
    assert screen.waiting == ""
    assert "a cup of coffee" in screen.message
    assert len(screen.plot.data[0].x) == len(screen.board.shown.answer.timestamps)
    assert len(screen.segments.choices) == len(screen.board.shown.answer.segments) <= 2
    assert 'class="frame hardest"' in screen.frames
    assert "data-sheet" in screen.film
    assert screen.clip == str(scenes)
    assert (screen.span["start"], screen.span["end"], screen.span["plays"]) == (best.start, best.end, False)
    assert len(screen.memory.kept) == 1


def test_waiting_is_told_from_loading_to_the_end(ask, tmp_path):
    told = [screen.waiting for screen in ask(colours(tmp_path / "long.mp4", seconds=8.0))]
    assert "Loading the model" in told[0]
    assert "opening the clip" in told[0]
    assert "Looked at 0:15 of 0:24" in told[1]
    assert told[-1] == ""


def test_the_curve_is_drawn_as_it_grows_and_only_now_and_then(ask, tmp_path, monkeypatch):
    monkeypatch.setattr(events, "REDRAW", 0.0)
    path = colours(tmp_path / "long.mp4", seconds=8.0)
    first, second = (screen.plot for screen in ask(path)[1:3])
    assert len(first.data[0].x) == 32
    assert len(second.data[0].x) == 48
    assert first.layout.xaxis.range[1] == pytest.approx(24, abs=0.1)
    monkeypatch.setattr(events, "REDRAW", 1e9)
    assert all(screen.plot == gr.skip() for screen in ask(path)[:-1])


def test_a_second_query_uses_what_is_kept_and_adds_its_curve(ask, scenes, monkeypatch, predictor):
    first = ask(scenes)[-1]
    monkeypatch.setattr(predictor, "grow_video", lambda *_: pytest.fail("the clip was encoded again"))
    monkeypatch.setattr(serving, "length", lambda *_: pytest.fail("the clip was opened again"))
    second = ask(scenes, "a rocket", board=first.board, memory=first.memory)[-1]
    assert [one.answer.query for one in second.board.asked] == ["a cat", "a rocket"]
    assert second.board.shown.answer.query == "a rocket"
    assert second.film == gr.skip()  # the browser has it


@pytest.fixture
def cached(predictor, monkeypatch, tmp_path):
    """The predictor keeps videos on disk."""
    monkeypatch.setattr(predictor, "cache", FeatureCache(tmp_path / "kept"))


def test_a_clip_from_the_cache_is_answered_at_once_and_its_pictures_follow(ask, cached, tmp_path):
    path = colours(tmp_path / "long.mp4", seconds=8.0)
    first, steps = ask(path)[-1], ask(path)
    assert len(steps) == 2  # loading, answered
    last = steps[-1]
    assert last.board.shown.answer.segments == first.board.shown.answer.segments
    assert last.film == ""
    told = [step.waiting for step in events.develop(last.clip, last.memory)]
    assert "Fetching the pictures" in told[0] and told[-1] == ""
    chosen = last.board.choose(0)  # meanwhile
    screen = events.pictures(chosen, last.memory)
    assert (screen.board.move, screen.board.film) == (chosen.move, first.board.film)
    assert screen.film == first.film and "data:image/jpeg" in screen.frames
    assert unchanged(screen, "board", "film", "frames")


def test_pictures_that_are_there_are_not_made_again(ask, scenes):
    screen = ask(scenes)[-1]
    assert [step.waiting for step in events.develop(screen.clip, screen.memory)] == [""]
    assert unchanged(events.pictures(screen.board, screen.memory))


def test_pictures_of_a_clip_that_has_left_are_not_missed(ask, cached, scenes, tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(scenes.read_bytes())
    ask(path)
    screen = ask(path)[-1]
    path.unlink()
    assert [step.waiting for step in events.develop(screen.clip, screen.memory)] == [""]
    assert unchanged(events.pictures(screen.board, screen.memory))
    assert unchanged(events.pictures(None, None)) and list(events.develop(None, None))


def test_another_clip_starts_anew(ask, scenes, tmp_path):
    first = ask(scenes)[-1]
    second = ask(colours(tmp_path / "other.mp4"), board=first.board, memory=first.memory)[-1]
    assert len(second.board.asked) == 1
    assert second.clip.endswith("other.mp4")


def test_the_other_model_is_asked_too_with_the_same_features(ask, scenes, monkeypatch, predictor):
    monkeypatch.setattr(events, "load_baseline", lambda config: predictor)
    calls, grow = [], predictor.grow_video
    monkeypatch.setattr(predictor, "grow_video", lambda path: calls.append(path) or grow(path))
    screen = ask(scenes)[-1]
    assert screen.compare.visible
    assert (screen.board.shown.baseline.scores == screen.board.shown.answer.scores).all()
    assert len(calls) == 1


@pytest.mark.parametrize(("kind", "query"), [("text", "a cat"), ("truncated", "a cat"), (None, "  ")])
def test_a_problem_changes_the_message_and_moves_nothing(ask, tmp_path, scenes, kind, query):
    video = str(bad_file(kind, tmp_path) if kind else scenes)
    screen = ask(video, query, board=board())[-1]
    assert 'role="alert"' in screen.message
    assert (f"{kind}.mp4" if kind else "The query is empty") in screen.message
    assert unchanged(screen, "waiting", "message", "clip")
    assert screen.clip == video  # so that the message is not taken for one about another clip


def test_a_problem_on_the_way_takes_back_the_curve_that_grew(ask, tmp_path, monkeypatch, predictor):
    monkeypatch.setattr(events, "REDRAW", 0.0)

    def broken(*_):
        raise VideoError("The rest is damaged.")

    monkeypatch.setattr(events, "answered", broken)
    path = colours(tmp_path / "long.mp4", seconds=8.0)
    assert not ask(path)[-1].plot.data
    before = board()
    assert len(ask(path, board=before)[-1].plot.data[0].x) == len(before.shown.answer.timestamps)


def test_looking_around():
    made = board("a cat", "a dog", baseline=True)
    looked = events.look_at(made, 0)
    assert looked.board.shown.answer.query == "a cat"
    assert "a cat" in looked.message
    assert "a cat" in events.remove(made).message
    chosen = events.choose(made, 1)
    assert chosen.span == {"start": 0.0, "first": 0.0, "end": 6.0, "move": chosen.board.move, "plays": True}
    assert chosen.board.move != made.move
    compared = events.compare(made, True)
    assert "without" in compared.plot.data[2].name
    assert compared.span["move"] == made.move  # the video stays
    assert [one.answer.query for one in events.remove(made).board.asked] == ["a cat"]
    assert unchanged(events.choose(None, 1))


def test_removing_the_last_query_clears_the_page():
    screen = events.remove(board())
    assert screen.board is None
    assert not screen.plot.data
    assert screen.answers.visible is screen.inspection.visible is False


def test_after_a_cancel_the_page_is_as_before():
    assert not events.stop(None).plot.data
    made = board("a cat", "a dog")
    screen = events.stop(made)
    assert screen.board is made
    assert (screen.waiting, screen.span["move"]) == ("", made.move)


def test_another_clip_clears_the_page_and_the_same_one_does_not():
    screen = events.forget("new.mp4", "old.mp4")
    assert screen.message == ""
    assert screen.board is screen.clip is None
    assert unchanged(events.forget("same.mp4", "same.mp4"))


@pytest.fixture
def own(monkeypatch, tmp_path):
    """The folder that handed-out files go to."""
    monkeypatch.setattr(events.visitors(), "folder", lambda session: tmp_path)
    return tmp_path


def quiet(share, desc):
    """Progress that nobody watches."""


def test_a_clip_that_browsers_play_needs_no_preview_and_another_gets_one(own, scenes):
    plays = events.playable(str(scenes), quiet)
    assert not plays.preview.visible
    assert unchanged(plays, "preview")
    other = write_video(own / "clip.avi", [plain(RED)] * 10, codec="mpeg4")
    shown = events.playable(str(other), quiet)
    assert shown.preview.visible
    assert unchanged(shown, "preview")


def test_a_file_that_is_no_video_is_told_when_it_is_uploaded(own, tmp_path):
    screen = events.playable(str(bad_file("text", tmp_path)), quiet)
    assert "text.mp4" in screen.message
    assert unchanged(events.playable(None, quiet))


def test_files_to_take_away(own, scenes):
    made = dataclasses.replace(board("a cat", "a dog"), clip=str(scenes))
    cut = events.cut_out(made, quiet)
    assert (own / "scenes_2.0-4.0s.mp4").stat().st_size > 0
    assert cut.files.visible
    assert events.results(made).files.visible
    assert {path.suffix for path in own.iterdir()} == {".mp4", ".json", ".csv", ".html"}


def test_a_clip_that_is_gone_when_it_is_cut_is_told(own):
    assert 'role="alert"' in events.cut_out(dataclasses.replace(board(), clip="gone.mp4"), quiet).message


def test_a_preview_of_another_clip_leaves_the_page():
    kept = events.own_preview("/cache/1/b.mkv", "/cache/2/b-preview.mp4")
    assert kept == gr.skip()
    assert events.own_preview("/cache/1/b.mp4", "/cache/2/a-preview.mp4").visible is False
    assert events.own_preview(None, "/cache/2/a-preview.mp4").visible is False


def test_a_clip_that_plays_takes_the_preview_of_the_last_one_away(tmp_path):
    assert events.playable(str(colours(tmp_path / "plays.mp4"))).preview.visible is False
