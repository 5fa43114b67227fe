from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest

pytest.importorskip("lancedb")

from grounding.app import find, library_tab, moment_gallery
from grounding.app.handlers import drop_stale_answer
from grounding.app.job_queue import job_queue
from grounding.app.library_tab import LibraryHandlers, SharedFolder
from grounding.app.memory_cache import MemoryCache
from grounding.app.page import build_page
from grounding.app.page_update import PageUpdate
from grounding.errors import VideoError
from grounding.exports.cut_list import Moment
from grounding.library.library import Library
from tests.clips import bad_file
from tests.library.clips import write_folder
from tests.states import unchanged


@pytest.fixture(scope="module")
def shared(tmp_path_factory, predictor):
    """A folder of three clips in a library that holds another video, too."""
    folder = write_folder(tmp_path_factory.mktemp("videos"))
    private = write_folder(tmp_path_factory.mktemp("private"))
    library = Library(tmp_path_factory.mktemp("library"), predictor)
    for _ in library.add([folder, private / "cat.mp4"]):
        pass
    videos = frozenset(map(str, [folder / "cat.mp4", folder / "rocket.mp4", folder / "deep" / "coffee.mp4"]))
    return SharedFolder(folder, library, videos)


@pytest.fixture
def handlers(shared, monkeypatch):
    monkeypatch.setattr(library_tab.find, "load_baseline", lambda config: None)
    return LibraryHandlers(shared)


def test_a_search_gives_moments_at_once_and_then_their_pictures(handlers, shared):
    steps = list(handlers.search("a cup of coffee"))
    (said, gallery, moments, _), (_, pictured, *_) = steps[-2:]
    assert "moments in 3 videos" in said
    assert moments[0].video == str(shared.folder / "deep" / "coffee.mp4")
    assert {moment.video for moment in moments} <= shared.videos
    assert len(gallery.value) == len(pictured.value) == len(moments) >= 3
    assert moment_gallery.read_picture(moments[0]).std() > 10
    assert moment_gallery.caption(moments[0]).endswith("coffee.mp4")


def test_what_cannot_be_read_is_named_without_its_folder(shared):
    bad, unknown = bad_file("text", shared.folder), shared.folder / "sp.gif"
    unknown.touch()
    found = SharedFolder(shared.folder, shared.library, shared.videos)
    library_tab.add_in_background(found)
    said = list(LibraryHandlers(found).search("a cat"))[-1][0]
    bad.unlink()
    unknown.unlink()
    assert "2 left out" in said and f"{bad.name}: " in said and "sp.gif: It is of a kind" in said
    assert str(shared.folder) not in said


def test_doubt_is_said_where_nothing_stands_out():
    doubtful, sure = (Moment("/v/a.mp4", "x", 0, 1, 0.5, stands_out) for stands_out in (False, True))
    said = moment_gallery.render_found([doubtful], 3, {}, {})
    assert "1 moments in 3 videos" in said and "Nothing in these videos stands out for this sentence." in said
    assert "stands out" not in moment_gallery.render_found([doubtful, sure], 3, {}, {})
    assert [moment_gallery.caption(one).split(" ·")[0] for one in (doubtful, sure)] == ["0.50, uncertain", "0.50"]


def test_what_is_wrong_is_said(handlers):
    assert "query is empty" in list(handlers.search(" "))[-1][0]


def opened(handlers, moment, memory, state=None):
    """The page after a moment was opened."""
    *_, update = handlers.find_moment(moment, memory)
    return update, find.show_found(state, update.found, moment.video)


def test_a_chosen_moment_opens_with_its_curve_and_plays(handlers):
    moments = list(handlers.search("a cat"))[-2][2]
    memory = MemoryCache()
    update, screen = opened(handlers, moments[0], memory)
    assert (screen.state.clip, screen.state.result.answer.query) == (moments[0].video, "a cat")
    assert screen.state.chosen.start == pytest.approx(moments[0].start)
    assert screen.span["plays"]
    assert update.memory.keys_of(moments[0].video)  # more can be asked of it, and nothing is encoded again


def test_what_was_asked_of_an_opened_video_meanwhile_stays(handlers):
    moment = list(handlers.search("a cat"))[-2][2][0]
    state = opened(handlers, moment, MemoryCache())[1].state
    update, screen = opened(handlers, replace(moment, query="a dog"), MemoryCache(), state)
    assert unchanged(update, "found", "memory")  # the state is written by show_found, in turn with all else
    assert [result.answer.query for result in screen.state.results] == ["a cat", "a dog"]


def test_all_that_writes_the_state_comes_one_after_the_other_here_too(shared):
    events = build_page(shared=shared).fns.values()
    places = {event.name: set() for event in events}
    for event in events:
        places[event.name].add((event.concurrency_id, event.concurrency_limit))
    for write in (find.show_found, find.show_thumbnails, drop_stale_answer):
        assert places[write.__name__] == {("state", 1)}


def test_a_list_that_was_given_up_is_said(handlers):
    with pytest.raises(gr.Error, match="search again"):
        handlers.open_video([], SimpleNamespace(index=3))


def test_a_moment_waits_for_its_turn_at_the_model(handlers):
    moment = list(handlers.search("a cat"))[-2][2][0]
    with job_queue().start("another visitor", None, at_model=True):
        steps = handlers.find_moment(moment, MemoryCache())
        assert "one other" in next(steps).progress
    *_, update = steps
    assert update.found[-1].clip == moment.video


def test_a_moment_whose_video_has_left_is_said(handlers, tmp_path, monkeypatch):
    moment = list(handlers.search("a cat"))[-2][2][0]
    encoded, gone = handlers.library.load(moment.video), Moment(str(tmp_path / "gone.mp4"), "x", 0, 1, 0)
    monkeypatch.setattr(Library, "load", lambda self, video: encoded)
    *_, update = handlers.find_moment(gone, MemoryCache())
    assert "gone.mp4" in update.message and "not in its folder any more" in update.message
    assert handlers.prepare_playback(gone.video) == PageUpdate()


def test_moments_go_to_an_editor(handlers):
    moments = list(handlers.search("a cat"))[-2][2]
    _, files = handlers.export(moments, "edl")
    assert "FROM CLIP NAME: cat.mp4" in Path(files.value[0]["path"]).read_text()
    _, files = handlers.export(moments, "csv")
    table = Path(files.value[0]["path"]).read_text()
    assert "cat.mp4" in table and str(Path(moments[0].video).parent) not in table
    said, _ = handlers.export([], "srt")
    assert "no moments" in said


def test_a_picture_that_cannot_be_read_is_grey(tmp_path):
    assert np.unique(moment_gallery.read_picture(Moment(str(tmp_path / "gone.mp4"), "x", 0, 1, 0))).tolist() == [127]


def test_files_of_which_not_all_can_be_read_are_named_without_their_folder():
    partly = {"/secret/b.mp4": "Only the first 0:12.5 of 0:32.0 could be read"}
    said = moment_gallery.render_found([], 3, {}, partly)
    assert "<summary>1 found, of which not all can be read</summary>" in said and "secret" not in said
    assert "<li>b.mp4: Only the first 0:12.5 of 0:32.0 could be read</li>" in said and "left out" not in said


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    path = tmp_path / "a.mp4"
    path.touch()
    with pytest.raises(VideoError, match="'a.mp4' is a file, and --library takes a folder"):
        library_tab.share_folder(path, tmp_path / "store")
