"""Files that are no video, or whose names look like something else, as a reader meets them."""

import os
import re

import pytest

from grounding.errors import VideoError
from grounding.video import container
from grounding.video.container import check_path
from grounding.video.reader import FrameReader
from tests.clips import BAD_KINDS, BLUE, RED, bad_file, plain, write_sound, write_video
from tests.video.test_reader import nearest


@pytest.mark.parametrize("kind", BAD_KINDS)
def test_a_bad_file_is_one_clear_sentence(tmp_path, kind, capfd):
    path = bad_file(kind, tmp_path)
    with pytest.raises(VideoError) as caught:
        list(FrameReader(path, rate=1.0))
    message = str(caught.value)
    assert path.name in message
    assert str(tmp_path) not in message
    assert "\n" not in message
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("kind", [b"WAVEfmt ", b"WEBPVP8 "])
def test_not_every_riff_is_a_video(tmp_path, kind):
    (tmp_path / "a.avi").write_bytes(b"RIFF" + bytes(4) + kind + bytes(400))
    with pytest.raises(VideoError, match="'a.avi' is not a video"):
        FrameReader(tmp_path / "a.avi", rate=1.0)


def test_sound_and_damage_are_told_apart(tmp_path):
    remedy = ": give a video file, such as an mp4, mov, mkv or webm"
    for kind, words in (
        ("sound", f"is not a video, it holds sound but no picture{remedy}"),
        ("truncated", "cut off"),
        ("text", f"is not a video{remedy}"),
        ("empty", "empty"),
    ):
        with pytest.raises(VideoError, match=words):
            FrameReader(bad_file(kind, tmp_path), rate=1.0)
    for folder, name in (("..", ".."), (".", "."), (tmp_path, tmp_path.name)):
        with pytest.raises(VideoError, match=f"^'{re.escape(name)}' is not a file: give a video file"):
            FrameReader(folder, rate=1.0)


def test_the_cover_of_a_song_is_no_picture(tmp_path):
    with pytest.raises(VideoError, match="no picture"):
        FrameReader(write_sound(tmp_path / "song.mp4", cover=True), rate=1.0)


@pytest.mark.parametrize("script", ["#EXTM3U\n#EXTINF:4,\n{}\n#EXT-X-ENDLIST\n", "ffconcat version 1.0\nfile {}\n"])
@pytest.mark.parametrize("begins", [False, True])
def test_a_playlist_is_not_followed(tmp_path, monkeypatch, script, begins):
    write_video(tmp_path / "other.ts", [plain(RED)] * 20)
    if begins:  # the format is refused even where the first bytes pass
        monkeypatch.setattr(container, "is_video_head", lambda head: True)
    (tmp_path / "list.mp4").write_text(script.format("other.ts"))
    with pytest.raises(VideoError, match=r"list.mp4"):
        FrameReader(tmp_path / "list.mp4", rate=1.0)


@pytest.mark.parametrize("text", ["Good morning\n" * 50, "a,b,Gc\n" * 100])
def test_text_that_begins_a_little_like_a_video(tmp_path, text):
    path = tmp_path / "notes.mp4"
    path.write_text(text)
    with pytest.raises(VideoError, match=r"'notes.mp4' is not a video"):
        FrameReader(path, rate=1.0)


@pytest.mark.parametrize("name", ["concat:a.mp4", "file:a.mp4"])
def test_a_name_that_looks_like_a_protocol_is_a_name(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "b.mp4", [plain(RED)] * 5).rename(name)
    write_video(tmp_path / "a.mp4", [plain(BLUE)] * 5)
    assert nearest(next(iter(FrameReader(name, rate=1.0))).image) == RED


@pytest.mark.parametrize("name", [os.fsdecode(b"caf\xe9.mp4"), "long" * 100 + ".mp4"])
def test_a_name_that_cannot_be_opened(tmp_path, name):
    with pytest.raises(VideoError, match="name"):
        FrameReader(tmp_path / name, rate=1.0)


def test_tags_in_another_encoding_are_no_obstacle(tmp_path):
    path = write_video(tmp_path / "a.mkv", [plain(RED)] * 5)
    path.write_bytes(path.read_bytes().replace(b"Lavf", b"L\xe9vf"))
    assert len(list(FrameReader(path, rate=10.0))) == 5


def test_an_empty_path_is_said():
    with pytest.raises(VideoError, match="The path of the video is empty"):
        check_path("")
