"""What the page's events write; how it looks and feels is for tests/browser."""

import dataclasses

import gradio as gr
import pytest

from grounding.app import handlers as events
from grounding.app.job_queue import CalledOffError, desk
from grounding.errors import VideoError
from tests.boards import board
from tests.clips import RED, bad_file, colours, plain, write_video


def unchanged(screen, *besides):
    return all(value == gr.skip() for name, value in screen._asdict().items() if name not in besides)


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


def test_a_clip_that_is_taken_away_clears_the_page_and_ends_its_work():
    with desk().work(None, "a.mp4") as work:
        screen = events.leave()
        with pytest.raises(CalledOffError) as off:
            work.check()
    assert off.value.quiet
    assert screen.board is screen.clip is None
    assert screen.waiting == screen.message == ""
    assert not screen.plot.data


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


def test_a_preview_of_a_clip_that_is_taken_away_is_given_up(own, scenes, monkeypatch):
    def made(clip, folder, report):
        events.leave()
        report(0.5, "Making a preview")
        pytest.fail("it was made to the end")

    def refused(clip, folder, report):
        events.leave()
        raise VideoError("It is too long.")

    for ending in (made, refused):
        monkeypatch.setattr(events, "playable_file", ending)
        assert unchanged(events.playable(str(scenes), quiet))


def test_a_cancel_leaves_the_preview_of_the_clip(own, scenes, monkeypatch):
    def made(clip, folder, report):
        events.stop()
        report(0.5, "Making a preview")
        return "a-preview.mp4"

    monkeypatch.setattr(events, "playable_file", made)
    assert events.playable(str(scenes), quiet).preview.visible


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
