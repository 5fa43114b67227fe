"""What the page's events write; how it looks and feels is for tests/browser."""

import dataclasses
import json
from pathlib import Path

import gradio as gr
import pytest

from grounding.app import handlers
from grounding.app.job_queue import JobCancelledError, job_queue
from grounding.app.plots import GREY
from grounding.errors import VideoError
from tests.clips import RED, bad_file, colours, plain, write_video
from tests.states import make_result, make_state


def unchanged(screen, *besides):
    return all(value == gr.skip() for name, value in screen._asdict().items() if name not in besides)


def test_looking_around():
    made = make_state("a cat", "a dog", baseline=True)
    looked = handlers.select_query(made, 0)
    assert looked.state.result.answer.query == "a cat"
    assert "a cat" in looked.message
    assert "a cat" in handlers.remove_query(made).message
    assert looked.query == "a cat"
    chosen = handlers.select_segment(made, 1)
    assert "0:00.0 to 0:06.0" in chosen.message and "2: 0:00.0 to 0:06.0" in str(chosen.plot.layout.annotations)
    spans = [[2.0, 4.0], [0.0, 6.0]]
    place = {"start": 0.0, "first": 0.0, "end": 6.0, "move": chosen.state.move, "plays": True}
    assert chosen.span == {"spans": spans, **place}
    assert chosen.state.move != made.move
    compared = handlers.toggle_baseline(made, True)
    assert "without" in compared.plot.data[2].name
    assert compared.span["move"] == made.move  # the video stays
    assert [one.answer.query for one in handlers.remove_query(made).state.results] == ["a cat"]
    assert len(handlers.limit_segments(made, 1).segments.choices) == 1
    assert unchanged(handlers.select_segment(None, 1)) and unchanged(handlers.limit_segments(None, 1))


def test_what_clip_itself_says_is_drawn_grey_and_beneath_on_demand():
    made = make_state()
    assert not handlers.toggle_clip(made, True).show_clip.visible
    result = dataclasses.replace(made.result, clip_similarity=made.result.answer.scores / 2)
    shown = handlers.toggle_clip(dataclasses.replace(made, results=(result,)), True)
    assert shown.show_clip.visible and shown.show_clip.value
    assert "CLIP itself" in shown.plot.data[0].name and shown.plot.data[0].line.color == GREY
    assert list(shown.plot.data[0].y) == list(result.clip_similarity)
    assert len(handlers.toggle_clip(shown.state, False).plot.data) == len(shown.plot.data) - 1


def test_removing_the_last_query_clears_the_page():
    screen = handlers.remove_query(make_state())
    assert screen.state is None
    assert not screen.plot.data
    assert screen.answers.visible is screen.inspection.visible is False


def test_a_clip_that_is_taken_away_clears_the_page_and_ends_its_work():
    with job_queue().start(None, "a.mp4") as job:
        screen = handlers.clear_clip()
        with pytest.raises(JobCancelledError) as off:
            job.raise_if_cancelled()
    assert off.value.silent
    assert screen.state is screen.clip is None
    assert screen.progress == screen.message == ""
    assert not screen.plot.data


def test_another_clip_clears_the_page_and_the_same_one_does_not():
    screen = handlers.drop_stale_answer("new.mp4", "old.mp4")
    assert screen.message == screen.clip_message == ""
    assert screen.state is screen.clip is None
    assert handlers.drop_stale_answer(None, "refused.txt").clip_message == gr.skip()  # why it was refused
    assert unchanged(handlers.drop_stale_answer("same.mp4", "same.mp4"))


def test_what_was_said_without_a_clip_goes_when_one_comes_but_not_what_a_search_says():
    assert handlers.drop_stale_answer("new.mp4", None).message == ""
    assert unchanged(handlers.drop_stale_answer("new.mp4", None), "message")
    assert unchanged(handlers.drop_stale_answer(None, None))  # there is none yet
    with job_queue().start(None, "new.mp4", at_model=True):
        assert unchanged(handlers.drop_stale_answer("new.mp4", None))


@pytest.fixture
def own(monkeypatch, tmp_path):
    """The folder that handed-out files go to."""
    monkeypatch.setattr(handlers.visitor_files(), "make_folder", lambda session: tmp_path)
    return tmp_path


def quiet(share, desc):
    """Progress that nobody watches."""


def test_a_clip_that_browsers_play_needs_no_preview_and_another_gets_one(own, scenes):
    plays = handlers.check_upload(str(scenes), quiet)
    assert not plays.preview.visible
    assert unchanged(plays, "preview", "clip_message")
    other = write_video(own / "clip.avi", [plain(RED)] * 10, codec="mpeg4")
    shown = handlers.check_upload(str(other), quiet)
    assert shown.preview.visible
    assert unchanged(shown, "preview", "clip_message")


def test_a_preview_of_a_clip_that_is_taken_away_is_given_up(own, scenes, monkeypatch):
    def made(clip, folder, report, check):
        handlers.clear_clip()
        report(0.5, "Making a preview")
        pytest.fail("it was made to the end")

    def refused(clip, folder, report, check):
        handlers.clear_clip()
        raise VideoError("It is too long.")

    for ending in (made, refused):
        monkeypatch.setattr(handlers, "make_preview", ending)
        assert unchanged(handlers.check_upload(str(scenes), quiet))


def test_a_preview_whose_decoder_hangs_ends_at_once_when_its_clip_is_taken_away(own, scenes, monkeypatch):
    def hang(clip, folder, report, check):
        handlers.clear_clip()
        check()
        pytest.fail("it went on")

    monkeypatch.setattr(handlers, "make_preview", hang)
    assert unchanged(handlers.check_upload(str(scenes), quiet))


def test_a_cancel_leaves_the_preview_of_the_clip(own, scenes, monkeypatch):
    def made(clip, folder, report, check):
        handlers.cancel()
        report(0.5, "Making a preview")
        return Path("a-preview.mp4")

    monkeypatch.setattr(handlers, "make_preview", made)
    assert handlers.check_upload(str(scenes), quiet).preview.visible


def test_a_file_that_is_no_video_is_told_when_it_is_uploaded(own, tmp_path):
    screen = handlers.check_upload(str(bad_file("text", tmp_path)), quiet)
    assert "text.mp4" in screen.clip_message
    assert unchanged(handlers.check_upload(None, quiet))


def test_a_clip_that_was_refused_for_a_passing_reason_stays_when_it_is_given_again(own, scenes, monkeypatch):
    def refused(clip, folder, report, check):
        raise VideoError("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(handlers, "make_preview", refused)
        said = handlers.check_upload(str(scenes), quiet).clip_message
    assert handlers.drop_refused_clip(said).value is None
    said = handlers.check_upload(str(scenes), quiet).clip_message
    assert handlers.drop_refused_clip(said) == gr.skip()


def taken_away(state, made):
    """The page after files were made, whose next event shows them."""
    return handlers.show_files(state, made.made)


def test_files_to_take_away(own, scenes):
    made = dataclasses.replace(make_state("a cat", "a dog"), clip=str(scenes))
    cut = taken_away(made, handlers.export_segment(made, quiet))
    assert (own / "scenes_a_dog_2.0-4.0s.mp4").stat().st_size > 0
    assert cut.files.visible
    both = taken_away(cut.state, handlers.export_results(cut.state))
    assert [Path(path).suffix for path in both.state.files] == [".mp4", ".json", ".csv", ".csv", ".html"]
    assert both.files.visible
    assert {path.suffix for path in own.iterdir()} == {".mp4", ".json", ".csv", ".html"}


def test_what_was_asked_while_a_segment_was_cut_stays(own, scenes):
    before = dataclasses.replace(make_state("a cat"), clip=str(scenes))
    cut = handlers.export_segment(before, quiet)
    now = before.add(make_result("a dog"))
    shown = taken_away(now, cut)
    assert [one.answer.query for one in shown.state.results] == ["a cat", "a dog"]
    assert unchanged(cut, "made") and unchanged(shown, "files", "state")
    assert unchanged(taken_away(dataclasses.replace(now, clip="another.mp4"), cut))
    assert unchanged(taken_away(None, cut))


@pytest.mark.parametrize("export", [lambda state: handlers.export_segment(state, quiet), handlers.export_for_editor])
def test_a_decoder_that_hangs_ends_at_once_when_its_clip_is_taken_away(own, scenes, monkeypatch, export):
    def hang(*arguments):
        handlers.clear_clip()
        arguments[-1]()  # the check
        pytest.fail("it went on")

    monkeypatch.setattr("grounding.app.exports.cut_clip", hang)
    monkeypatch.setattr("grounding.app.exports.read_media_info", hang)
    state = dataclasses.replace(make_state(), clip=str(scenes))
    assert unchanged(export(state), "made")
    assert export(state).made is None and not list(own.iterdir())


def test_segments_go_to_an_editor_under_the_clips_own_name(own, scenes):
    state = dataclasses.replace(make_state("a cat"), clip=str(scenes))
    made = taken_away(state, handlers.export_for_editor(state))
    files = {path.name: path.read_text(encoding="utf-8") for path in own.iterdir()}
    assert set(files) >= {f"scenes_a_cat_segments{kind}" for kind in (".edl", ".fcpxml", ".srt", ".vtt")} | {
        "scenes_a_cat_timecodes.csv"
    }
    assert made.files.visible and len(made.state.files) == len(files)
    assert "scenes.mp4" in files["scenes_a_cat_segments.edl"] and "a cat" in files["scenes_a_cat_segments.srt"]
    assert not any(str(scenes.parent) in text for text in files.values())


def test_results_do_not_say_where_the_server_keeps_a_clip(own):
    handlers.export_results(dataclasses.replace(make_state("a cat"), clip="/of-nobody-else/a.mp4"))
    assert json.loads((own / "a_results.json").read_text(encoding="utf-8"))[0]["video"] == "a.mp4"
    assert not any("of-nobody-else" in path.read_text(encoding="utf-8") for path in own.iterdir())


def test_a_clip_that_is_too_long_gets_no_copy(own, set_limits):
    set_limits(seconds=1.0)
    assert "is the most" in handlers.check_upload(str(colours(own / "a.mp4")), quiet).clip_message
    assert [path.name for path in own.iterdir()] == ["a.mp4"]


def test_a_clip_that_is_gone_when_it_is_cut_is_told(own):
    assert 'role="alert"' in handlers.export_segment(dataclasses.replace(make_state(), clip="gone.mp4"), quiet).message


def test_a_preview_of_another_clip_leaves_the_page():
    kept = handlers.drop_stale_preview("/cache/1/b.mkv", "/cache/2/b-preview.mp4")
    assert kept == gr.skip()
    assert handlers.drop_stale_preview("/cache/1/b.mp4", "/cache/2/a-preview.mp4").visible is False
    assert handlers.drop_stale_preview("/cache/1/a.mov", "/cache/2/ab-preview.mp4").visible is False
    assert handlers.drop_stale_preview(None, "/cache/2/a-preview.mp4").visible is False


def test_a_clip_that_plays_takes_the_preview_of_the_last_one_away(tmp_path):
    assert handlers.check_upload(str(colours(tmp_path / "plays.mp4"))).preview.visible is False
