import pytest

from grounding.video.probe import probe_video
from grounding.video.reader import FrameReader
from tests.clips import RED, leave_one_way, noisy, plain, shorten, write_video

FAST_START = {"movflags": "faststart"}


@pytest.mark.parametrize("reader", ["planned", "opencv", "pyav"])
@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "avi", "flv"])
def test_a_file_that_ends_early_is_told(tmp_path, monkeypatch, reader, suffix):
    leave_one_way(monkeypatch, reader)
    codec, muxer = ("mpeg4" if suffix == "avi" else "libx264"), (FAST_START if suffix in ("mp4", "mov") else {})
    clip = write_video(tmp_path / f"a.{suffix}", noisy(60), codec=codec, encoder={"bf": "0"}, muxer=muxer, ticks=10)
    whole = FrameReader(clip, rate=2.0)
    assert len(list(whole)) == 12 and whole.skipped == ()
    half = FrameReader(shorten(clip, 0.5), rate=2.0)
    last = [frame.timestamp for frame in half][-1]
    [(start, end)] = half.skipped
    assert last <= half.duration <= start + 0.01 and start == pytest.approx(half.duration, abs=0.11)
    assert (start, end) == (pytest.approx(3.0, abs=0.75), pytest.approx(6.0, abs=0.11))
    assert not half.info.plays_everywhere


def test_a_last_frame_that_is_held_is_no_early_end(tmp_path):
    times = [0.0, 0.1, 0.2, 5.0]
    clip = write_video(tmp_path / "a.mp4", [plain(RED)] * 4, times, muxer=FAST_START)
    assert probe_video(clip).stated_end is None


def test_a_fragment_that_ends_early_is_told(tmp_path):
    muxer = {"movflags": "frag_keyframe+empty_moov"}
    clip = shorten(write_video(tmp_path / "a.mp4", noisy(60), encoder={"g": "60"}, muxer=muxer), 0.5)
    assert probe_video(clip).stated_end == pytest.approx(6.0, abs=0.11)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_live_recording_that_states_no_length_is_whole(tmp_path, suffix):
    muxer = {"mp4": {"movflags": "frag_keyframe+empty_moov"}, "mkv": {"live": "1"}}[suffix]
    clip = shorten(write_video(tmp_path / f"a.{suffix}", noisy(60), encoder={"g": "10"}, muxer=muxer), 0.5)
    assert probe_video(clip).stated_end is None


@pytest.mark.parametrize("lost", [0, 1])
def test_a_second_or_less_is_not_told(tmp_path, lost):
    clip = write_video(tmp_path / "a.mkv", noisy(60))
    assert probe_video(shorten(clip, 1 - lost / 60)).stated_end is None
