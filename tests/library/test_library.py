import os
import shutil
import threading
from dataclasses import replace

import numpy as np
import pytest

from grounding import Predictor

pytest.importorskip("lancedb")

from grounding.errors import GroundingError, QueryError, VideoError, WriteError
from grounding.library import feature_files
from grounding.library import library as module
from grounding.library.embedding import embed_frames
from grounding.library.feature_files import feature_place
from grounding.library.library import Library
from grounding.library.windows import Windows, make_windows
from tests.clips import bad_file
from tests.library.clips import SCENES
from training.extract import extract


def names(moments):
    return [os.path.basename(moment.video) for moment in moments]


def add_all(library, *paths):
    return list(library.add(paths))


@pytest.mark.parametrize(
    ("query", "video"), [("a cat", "cat.mp4"), ("a rocket starts", "rocket.mp4"), ("a cup of coffee", "coffee.mp4")]
)
def test_the_right_video_comes_first_with_a_moment_in_it(filled, query, video):
    best = filled.search(query, top_k=3)
    assert names(best)[0] == video
    assert 0 <= best[0].start < best[0].end <= 2.1
    assert [moment.score for moment in best] == sorted((moment.score for moment in best), reverse=True)


def test_videos_and_progress_are_told(tmp_path, predictor, folder):
    library = Library(tmp_path, predictor)
    steps = add_all(library, folder / "cat.mp4", folder / "rocket.mp4")
    assert [step.done for step in steps if step.fraction == 1.0] == [1, 2]
    assert {step.total for step in steps} == {2}
    assert all(0 <= step.fraction <= 1 for step in steps)
    assert library.videos() == [str(folder / "cat.mp4"), str(folder / "rocket.mp4")]


def test_nothing_is_encoded_twice(library, folder, no_encoder):
    assert add_all(library, folder) == []


def test_windows_that_are_gone_are_made_of_the_features(library, folder, no_encoder):
    for path in library.features.parent.glob("*.lance"):
        shutil.rmtree(path)
    again = Library(library.folder, library.predictor)
    assert len(add_all(again, folder)) == 3
    assert names(again.search("a cat"))[0] == "cat.mp4"


def test_a_stopped_run_keeps_what_it_did(tmp_path, predictor, folder):
    library = Library(tmp_path, predictor)
    steps = library.add([folder])
    next(step for step in steps if step.fraction == 1.0)
    steps.close()  # as Ctrl-C does
    assert len(library.videos()) == 1
    assert [step.done for step in library.add([folder]) if step.fraction == 1.0] == [2, 3]


def test_what_extract_wrote_is_searched(tmp_path, predictor, folder, no_encoder, monkeypatch):
    library = Library(tmp_path / "library", predictor)
    monkeypatch.undo()
    extract(["cat.mp4"], folder, "embedded", 2.0, feature_place(library.features, folder), "cpu")
    monkeypatch.setattr(predictor, "grow_video", lambda path: pytest.fail("encoded again"))
    add_all(library, folder / "cat.mp4")
    assert names(library.search("a cat"))[0] == "cat.mp4"


def test_a_file_that_was_replaced_is_encoded_again(library, tmp_path, folder):
    videos = shutil.copytree(folder, tmp_path / "videos")
    add_all(library, videos)
    shutil.copy(videos / "rocket.mp4", videos / "cat.mp4")
    assert [step.video for step in add_all(library, videos)][-1:] == [str(videos / "cat.mp4")]
    assert "cat.mp4" in names(library.search("a rocket", 2, [videos]))


def test_a_file_that_is_replaced_while_it_is_encoded_is_encoded_again(tmp_path, predictor, folder, monkeypatch):
    videos, embed = shutil.copytree(folder, tmp_path / "videos"), module.embed_frames

    def replace_and_embed(*given):
        shutil.copy(videos / "rocket.mp4", videos / "cat.mp4")
        return embed(*given)

    monkeypatch.setattr(module, "embed_frames", replace_and_embed)
    library = Library(tmp_path / "library", predictor)
    add_all(library, videos / "cat.mp4")
    monkeypatch.undo()
    assert [step.video for step in add_all(library, videos / "cat.mp4")][-1:] == [str(videos / "cat.mp4")]
    alone = Library(tmp_path / "alone", predictor)
    add_all(alone, videos / "rocket.mp4")
    one, other = library.load(videos / "cat.mp4"), alone.load(videos / "rocket.mp4")
    assert (one.features == other.features).all()
    assert add_all(library, videos / "cat.mp4") == []


def test_features_of_an_older_preprocessing_are_made_again(library, folder, predictor, monkeypatch):
    monkeypatch.setattr(feature_files, "PREPROCESSING", "another")
    monkeypatch.setattr(module, "PREPROCESSING", "another")
    grown, grow = [], predictor.grow_video
    monkeypatch.setattr(predictor, "grow_video", lambda path: grown.append(path) or grow(path))
    add_all(library, folder / "cat.mp4")
    assert grown == [folder / "cat.mp4"]
    assert set(names(library.search("a cat"))) == {"cat.mp4"}  # the others are left out until they are made again
    assert add_all(library, folder / "cat.mp4") == []


def test_an_upgrade_encodes_nothing_again(library, folder, no_encoder, monkeypatch):
    monkeypatch.setattr("grounding.features.cache_key.hash_code", lambda: "newer")
    assert add_all(library, folder) == []
    assert names(library.search("a cat"))[0] == "cat.mp4"


def test_a_search_stays_within_what_is_asked(filled, folder):
    assert set(names(filled.search("a cat", 5, [folder / "deep"]))) == {"coffee.mp4"}
    assert set(names(filled.search("a cat", 5, [folder / "rocket.mp4"]))) == {"rocket.mp4"}


def test_a_path_may_go_up_first(library, folder, monkeypatch):
    monkeypatch.chdir(folder / "deep")
    assert set(names(library.search("a cat", 5, ["../deep"]))) == {"coffee.mp4"}
    assert set(names(library.search("a cat", 5, ["../cat.mp4"]))) == {"cat.mp4"}
    library.remove(["../deep/../cat.mp4"])
    assert library.videos() == [str(folder / "deep" / "coffee.mp4"), str(folder / "rocket.mp4")]


def test_a_video_of_many_windows_leaves_room_for_others(library, folder, monkeypatch):
    monkeypatch.setattr(module, "PER_VIDEO", 5)
    cat = str(folder / "cat.mp4")
    windows = make_windows(embed_frames(library.predictor, library.load(cat)), np.arange(4) / 2, 2.0)
    many = Windows(np.zeros(90), np.ones(90), windows.vectors[[0] * 90])
    library.index.add({cat: many}, {cat: "1"})
    assert set(names(library.search("a cat", 9))) == {"cat.mp4", "rocket.mp4", "coffee.mp4"}


def test_what_is_removed_is_gone_and_the_file_stays(library, folder):
    library.remove([folder / "deep"])
    assert library.videos() == [str(folder / "cat.mp4"), str(folder / "rocket.mp4")]
    assert "coffee.mp4" not in names(library.search("a cup of coffee"))
    assert (folder / "deep" / "coffee.mp4").exists()
    assert not list(library.features.rglob("coffee*"))


def test_a_video_that_cannot_be_read_is_left_out_and_told(tmp_path, predictor, folder):
    videos = shutil.copytree(folder, tmp_path / "videos")
    bad_file("text", videos)
    library = Library(tmp_path / "library", predictor)
    problems = [step.problem for step in library.add([videos]) if step.problem]
    assert len(problems) == 1 and "text.mp4" in problems[0]
    assert len(library.videos()) == 3


def test_a_video_whose_name_is_too_long_is_told_and_the_others_are_added(tmp_path, predictor, folder):
    videos = shutil.copytree(folder, tmp_path / "videos")
    long = (videos / "cat.mp4").rename(videos / f"{'a' * 250}.mp4")  # .safetensors does not fit after it
    library = Library(tmp_path / "library", predictor)
    problems = [(step.video, step.problem) for step in library.add([videos]) if step.problem]
    assert [video for video, _ in problems] == [str(long)]
    assert "name too long" in problems[0][1].lower() and "rename" in problems[0][1]
    assert library.videos() == [str(videos / "deep" / "coffee.mp4"), str(videos / "rocket.mp4")]


def test_a_folder_may_change_while_it_is_read(tmp_path, predictor, folder):
    videos = shutil.copytree(folder, tmp_path / "videos")
    library = Library(tmp_path / "library", predictor)
    steps = library.add([videos])
    first = next(step for step in steps if step.fraction == 1.0)
    others = [name for name in SCENES if str(videos / name) != first.video]
    (videos / others[0]).unlink()
    problems = [step.problem for step in steps if step.problem]
    assert len(problems) == 1 and "There is no file" in problems[0]
    (videos / others[1]).unlink()  # and one leaves before it is searched for
    assert names(library.search("a cat", 9)) == [os.path.basename(first.video)] * len(library.search("a cat", 9))


def test_damaged_features_are_made_again_and_missing_ones_left_out(library, folder, caplog):
    path = next(library.features.rglob("cat*"))
    path.write_bytes(b"x")
    assert "cat.mp4" not in names(library.search("a cat"))
    assert "cat.mp4 is left out of the search" in caplog.text
    add_all(library, folder)
    assert names(library.search("a cat"))[0] == "cat.mp4"


def test_a_full_disk_is_said_and_loses_nothing(library, tmp_path, folder, monkeypatch):
    videos = shutil.copytree(folder, tmp_path / "videos")

    def full(*_):
        raise WriteError("'a' cannot be written (No space left on device): make room on the disk, and try again.")

    monkeypatch.setattr(module, "write_features", full)
    with pytest.raises(WriteError, match="make room"):
        add_all(library, videos)
    assert len(library.videos()) == 3
    assert names(library.search("a cat"))[0] == "cat.mp4"


def test_two_processes_may_fill_one_library(tmp_path, predictor, folder):
    done = []

    def work():
        done.append(add_all(Library(tmp_path, predictor), folder))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    library = Library(tmp_path, predictor)
    assert len(done) == 2
    assert len(library.videos()) == 3
    assert len(library.index) == 3  # each video's one window, once


def test_other_checkpoints_have_windows_of_their_own(library, predictor, tmp_path):
    other = Predictor(replace(predictor.config, weights="f" * 64), predictor.grounder, "cpu")
    assert Library(library.folder, other).videos() == []
    assert len(library.videos()) == 3


def test_bad_questions_are_said(filled, folder, tmp_path):
    with pytest.raises(QueryError, match="empty"):
        filled.search(" ")
    with pytest.raises(QueryError, match="top_k is 0"):
        filled.search("a cat", 0)
    with pytest.raises(VideoError, match="no video"):
        add_all(filled, tmp_path)


def test_a_store_that_cannot_be_made_is_said(tmp_path, predictor, folder):
    (tmp_path / "file").write_text("")
    with pytest.raises(GroundingError, match="cannot be made"):
        add_all(Library(tmp_path / "file", predictor), folder)
