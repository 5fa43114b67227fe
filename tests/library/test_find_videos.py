import os

import pytest

from grounding.errors import VideoError
from grounding.library.find_videos import find_videos


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are made on POSIX alone")
@pytest.mark.parametrize("name", ["pipe.mp4", "pipe"])
def test_a_named_pipe_is_no_video_and_nobody_waits_for_it(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(VideoError, match="no video"):
        find_videos([tmp_path])


def test_folders_give_their_videos_and_files_themselves(tmp_path):
    for name in ("b.mp4", "a.MKV", "deep/c.webm", "notes.txt", ".d.mp4", ".hidden/e.mp4", "._b.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = find_videos([tmp_path, tmp_path / "b.mp4", tmp_path / "notes.txt"])
    assert [str(path.relative_to(tmp_path)) for path in found] == ["a.MKV", "b.mp4", "deep/c.webm", "notes.txt"]


def test_a_link_that_leads_back_does_not_hang(tmp_path):
    (tmp_path / "a.mp4").touch()
    (tmp_path / "again").symlink_to(tmp_path)
    assert find_videos([tmp_path]) == [tmp_path / "a.mp4"]


def test_folders_that_link_to_each_other_are_entered_once(tmp_path):
    for name, other in (("one", "two"), ("two", "one")):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.mp4").touch()
        (tmp_path / name / "other").symlink_to(tmp_path / other)
    assert find_videos([tmp_path]) == [tmp_path / "one" / "one.mp4", tmp_path / "two" / "two.mp4"]
    found = find_videos([tmp_path / "one"])
    assert found == [tmp_path / "one" / "one.mp4", tmp_path / "one" / "other" / "two.mp4"]


def test_a_link_to_a_video_that_is_gone_is_named_when_it_is_read(tmp_path):
    (tmp_path / "a.mp4").touch()
    for name in ("gone.mp4", "gone.txt"):
        (tmp_path / name).symlink_to(tmp_path / "nothing")
    assert find_videos([tmp_path]) == [tmp_path / "a.mp4", tmp_path / "gone.mp4"]


def test_an_empty_path_is_not_the_folder_that_we_are_in(tmp_path, monkeypatch):
    (tmp_path / "a.mp4").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(VideoError, match="empty: give the path"):
        find_videos([""])


def test_a_folder_without_videos_and_a_path_that_is_none_are_said(tmp_path):
    with pytest.raises(VideoError, match="There is no video in .*: give a folder with .mp4"):
        find_videos([tmp_path])
    with pytest.raises(VideoError, match="no file or folder .*gone"):
        find_videos([tmp_path / "gone"])
