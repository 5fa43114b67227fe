import os

import numpy as np
import pytest

from grounding.errors import VideoError
from grounding.video.clips import QUALITY, make_preview
from grounding.video.probe import probe_video
from grounding.video.reader import FrameReader
from tests.clips import BAD_KINDS, BLUE, GREEN, RED, bad_file, flash_and_tone, frames_at, heard, plain, write_video

HEVC = {"x265-params": "log-level=none"}
SIX = [plain(colour) for colour in (RED, GREEN, BLUE) * 2]
UNEVEN = [0.0, 0.5, 0.6, 1.4, 1.5, 2.0]

# name -> how it is written; none of them plays in every browser
FOREIGN = {
    "hevc.mp4": {"codec": "libx265", "encoder": HEVC},
    "mpeg4.avi": {"codec": "mpeg4"},
    "mjpeg.avi": {"codec": "mjpeg", "encoder": {"strict": "-1"}},
    "h264.mkv": {},
    "h264.ts": {},
    "wmv.asf": {"codec": "wmv2"},
    "flv.flv": {"codec": "flv"},
}


def write(folder, name, **more):
    frames = [plain(colour) for colour in (RED, GREEN, BLUE) for _ in range(6)]
    return write_video(folder / name, frames, **FOREIGN.get(name, {}) | more)


def plays(path):
    return probe_video(path).info.plays_everywhere


def times(path):
    return [time for time, *_ in FrameReader(path, 1.0).read_timed()]


def same_picture(one, other, time):
    return np.abs(frames_at(one, [time])[0].mean((0, 1)) - frames_at(other, [time])[0].mean((0, 1))).max() < 15


@pytest.mark.parametrize("name", FOREIGN)
def test_what_no_browser_plays_gets_a_copy_that_shows_the_same_at_the_same_time(tmp_path, name):
    source = write(tmp_path, name)
    copy = make_preview(source, tmp_path / "own")
    assert copy.parent == tmp_path / "own"
    assert plays(copy)
    assert times(copy) == pytest.approx(times(source), abs=0.001)
    for time in np.linspace(0, times(source)[-1], 9):
        assert same_picture(copy, source, time)


@pytest.mark.parametrize(
    ("name", "options"), [("a.mp4", {}), ("a.webm", {"codec": "libvpx"}), ("a.webm", {"codec": "libvpx-vp9"})]
)
def test_what_every_browser_plays_is_left_alone(tmp_path, name, options):
    source = write(tmp_path, name, **options)
    assert make_preview(source, tmp_path / "own") == source
    assert not (tmp_path / "own").exists()


def test_pixels_that_few_browsers_show_make_a_copy(tmp_path):
    for pixels in ("yuv420p10le", "yuv444p"):
        source = write(tmp_path, f"{pixels}.mp4", pixels=pixels)
        assert not plays(source)
        assert plays(make_preview(source, tmp_path / "own"))


def test_frames_of_uneven_length_stay_where_they_are(tmp_path):
    source = write_video(tmp_path / "a.mkv", SIX, times=UNEVEN)
    assert times(make_preview(source, tmp_path)) == pytest.approx(UNEVEN, abs=0.002)


def test_a_clip_that_begins_late_on_its_containers_clock_is_copied_to_begin_at_0(tmp_path):
    source = flash_and_tone(tmp_path / "a.mp4", seconds=3.0)
    late = write_video(tmp_path / "late.mp4", SIX, times=[time + 4 for time in UNEVEN], muxer={"use_editlist": "0"})
    assert plays(source)
    assert not plays(late)
    assert times(make_preview(late, tmp_path)) == pytest.approx(UNEVEN, abs=0.002)


def test_sound_is_kept_at_its_time(tmp_path):
    source = flash_and_tone(tmp_path / "a.mkv", codec="mpeg4", sound="flac", seconds=3.0)
    loud, rate = heard(make_preview(source, tmp_path))
    assert np.argmax(loud > 0.2) / rate == pytest.approx(2.0, abs=0.03)


def test_sound_that_browsers_do_not_play_makes_a_copy(tmp_path):
    assert not plays(flash_and_tone(tmp_path / "a.mp4", sound="ac3", seconds=3.0))


def test_a_large_picture_is_made_small(tmp_path):
    tall = [plain(RED, size=(1280, 720))] * 5
    source = write_video(tmp_path / "a.avi", tall, codec="mpeg4")
    info = FrameReader(make_preview(source, tmp_path), 1.0).info
    assert (info.width, info.height) == (QUALITY.short_side, round(QUALITY.short_side * 1280 / 720) // 2 * 2)


def test_a_copy_is_written_beside_none_of_the_same_name(tmp_path):
    (tmp_path / "one").mkdir()
    source = write(tmp_path / "one", "h264.mkv")
    copy = make_preview(source, tmp_path / "one")
    assert copy != source
    assert copy.name == "h264-preview.mp4"


@pytest.mark.parametrize("kind", BAD_KINDS)
def test_a_bad_file_is_named(tmp_path, kind):
    with pytest.raises(VideoError, match=kind):
        make_preview(bad_file(kind, tmp_path), tmp_path / "own")


def test_progress_rises_to_one_and_may_end_the_work(tmp_path):
    source, told = write(tmp_path, "mpeg4.avi"), []
    make_preview(source, tmp_path / "one", lambda fraction, message: told.append(fraction))
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1, abs=0.01)

    def stop(fraction, message):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_preview(source, tmp_path / "other", stop)
    assert not os.listdir(tmp_path / "other")
