from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("lancedb")

from grounding.app import library_tab
from grounding.app.library_tab import LibraryHandlers, SharedFolder
from grounding.app.memory_cache import MemoryCache
from grounding.exports.cut_list import Moment
from grounding.library.library import Library
from tests.library.clips import write_folder


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
    assert (gallery.value and pictured.value) is not None
    assert library_tab.read_picture(moments[0]).std() > 10
    assert library_tab.caption(moments[0]).endswith("coffee.mp4")


def test_what_is_wrong_is_said(handlers):
    assert "query is empty" in list(handlers.search(" "))[-1][0]


def test_a_chosen_moment_opens_with_its_curve_and_plays(handlers):
    moments = list(handlers.search("a cat"))[-2][2]
    memory = MemoryCache()
    update = handlers.show_moment(moments[0], memory)
    assert (update.state.clip, update.state.result.answer.query) == (moments[0].video, "a cat")
    assert update.state.chosen.start == pytest.approx(moments[0].start)
    assert update.span["plays"]
    assert update.memory.keys_of(moments[0].video)  # more can be asked of it, and nothing is encoded again


def test_moments_go_to_an_editor(handlers):
    moments = list(handlers.search("a cat"))[-2][2]
    _, files = handlers.export(moments, "edl")
    assert "FROM CLIP NAME: cat.mp4" in Path(files.value[0]["path"]).read_text()
    said, _ = handlers.export([], "srt")
    assert "no moments" in said


def test_a_picture_that_cannot_be_read_is_grey(tmp_path):
    assert np.unique(library_tab.read_picture(Moment(str(tmp_path / "gone.mp4"), "x", 0, 1, 0))).tolist() == [127]
