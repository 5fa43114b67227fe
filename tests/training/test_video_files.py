import shutil
import subprocess

import pytest

from grounding.errors import VideoError
from tests.clips import colours
from training.extract import describe_left_out
from training.video_files import find_videos, walk_files


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    colours(path, seconds=0.5)
    return path


@pytest.mark.parametrize("name", ["a.mp4", "more/b.MP4", "phone.3gp", "VTS_01_1.VOB", "old.ASF", "00001.m2ts"])
def test_videos_are_found_by_suffix_whatever_the_case(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"")
    assert find_videos(tmp_path).videos == [name]


@pytest.mark.parametrize(
    "arguments",
    [
        ["-f", "mpegts"],
        ["-f", "mpegts", "-mpegts_m2ts_mode", "1"],
        ["-f", "matroska"],
        ["-f", "avi"],
        ["-f", "flv", "-c:v", "flv1"],
        ["-f", "asf", "-c:v", "wmv2"],
        ["-f", "vob", "-c:v", "mpeg2video"],
        ["-f", "mov"],
    ],
)
def test_videos_are_found_by_content_whatever_the_name(tmp_path, clip, arguments):
    for name in ("recording.bak", "recording.txt"):
        command = ["ffmpeg", "-v", "error", "-i", clip, "-r", "25", *arguments, tmp_path / name]
        subprocess.run(command, check=True)
    assert find_videos(tmp_path).videos == ["recording.bak", "recording.txt"]


def test_what_is_no_video_is_left_out(tmp_path, clip):
    shutil.copy(clip, tmp_path / "a.mp4")
    (tmp_path / "notes.txt").write_text("The free end of a rope\n" * 100)  # free, there, is what an mp4 may begin with
    (tmp_path / "song.m4a").write_bytes(b"\0\0\0 ftypM4A ")
    (tmp_path / "photo").write_bytes(b"\0\0\0 ftypheic")
    (tmp_path / "gone.mp4").symlink_to(tmp_path / "nowhere.mp4")
    (tmp_path / "._a.mp4").write_bytes(b"what a Mac puts beside a file")
    found = find_videos(tmp_path)
    assert found.videos == ["a.mp4"]
    assert found.left_out == ["gone.mp4", "notes.txt", "photo", "song.m4a"]


def test_linked_folders_and_files_are_entered_and_no_circle(tmp_path, clip):
    folder, other = tmp_path / "videos", tmp_path / "other"
    folder.mkdir()
    (other / "deep").mkdir(parents=True)
    shutil.copy(clip, other / "deep" / "a.mp4")
    (folder / "linked").symlink_to(other)
    (folder / "b.mp4").symlink_to(clip)
    (other / "deep" / "back").symlink_to(other)
    (folder / "self").symlink_to(folder)
    assert find_videos(folder).videos == ["b.mp4", "linked/deep/a.mp4"]
    assert len(list(walk_files(folder))) == 2


@pytest.mark.parametrize("name", ["more", "absent"])
def test_a_folder_without_videos_is_an_error(tmp_path, name):
    (tmp_path / "more").mkdir()
    with pytest.raises(VideoError, match=f"no video in .*{name}"):
        find_videos(tmp_path / name)


def test_many_files_left_out_are_named_in_part():
    assert describe_left_out([f"{number}.txt" for number in range(12)]).endswith("9.txt and 2 more")
