import tracemalloc

import av
import numpy as np
import pytest

from grounding.errors import VideoError
from grounding.video import reader as video
from grounding.video.decoder import DecodedFrame
from grounding.video.reader import FrameReader
from tests.clips import (
    BLUE,
    GREEN,
    RED,
    colours,
    leave_one_way,
    plain,
    turned,
    write_video,
)


def nearest(image: np.ndarray) -> tuple[int, int, int]:
    """Which of the three colours a decoded frame shows."""
    return min((RED, GREEN, BLUE), key=lambda colour: np.abs(image.reshape(-1, 3).mean(axis=0) - colour).sum())


def pan(count: int) -> list[np.ndarray]:
    """Frames that differ, each predicted from those before it."""
    texture = np.random.default_rng(0).integers(0, 255, (64, 96, 3), dtype=np.uint8)
    return [np.roll(texture, 3 * index, axis=1) for index in range(count)]


def damage_middle(path):
    """Overwrites a tenth of the file with random bytes."""
    data = bytearray(path.read_bytes())
    start, stop = len(data) * 4 // 10, len(data) // 2
    data[start:stop] = np.random.default_rng(0).bytes(stop - start)
    path.write_bytes(data)
    return path


def test_frames_come_at_the_rate_with_their_colours(tmp_path):
    frames = list(FrameReader(colours(tmp_path / "a.mp4"), rate=2.0))
    assert [frame.timestamp for frame in frames] == pytest.approx([0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 5.5])
    assert [nearest(frame.image) for frame in frames] == [RED] * 4 + [GREEN] * 4 + [BLUE] * 4


def test_decoders_do_not_log_by_way_of_python(tmp_path):
    """The one that closes a file holds Python's lock and waits for its threads, which would wait for that lock."""
    av.logging.set_level(av.logging.ERROR)  # as torchvision 0.23 does
    next(iter(FrameReader(colours(tmp_path / "a.mp4"), 2.0)))
    assert av.logging.get_level() is None


def test_duration_is_the_end_of_the_last_frame(tmp_path):
    reader = FrameReader(colours(tmp_path / "a.mp4"), rate=1.0)
    list(reader)
    assert reader.duration == pytest.approx(6.0, abs=0.01)


def test_timestamps_are_the_frames_own_where_the_rate_varies(tmp_path):
    times = [0.0, 0.1, 0.2, 1.7, 1.8, 4.0, 4.1]
    path = write_video(tmp_path / "vfr.mkv", [plain(RED)] * 5 + [plain(BLUE)] * 2, times)
    frames = list(FrameReader(path, rate=1.0))
    assert [frame.timestamp for frame in frames] == pytest.approx([0.0, 1.0, 2.0, 3.0, 4.0], abs=2e-3)
    assert [nearest(frame.image) for frame in frames] == [RED] * 4 + [BLUE]
    assert frames[2].image is frames[3].image  # it stands still


def test_after_a_gap_each_point_of_the_grid_has_one_frame(tmp_path):
    path = write_video(tmp_path / "gap.mkv", [plain(RED)] * 5, [0.0, 2.9, 3.0, 3.1, 4.0])
    assert [f.timestamp for f in FrameReader(path, rate=1.0)] == pytest.approx([0.0, 1.0, 2.0, 3.0, 4.0], abs=2e-3)


def test_timestamps_rounded_to_milliseconds_still_reach_the_grid(tmp_path):
    path = write_video(tmp_path / "film.mkv", [plain(RED)] * 24, fps=24)
    assert [frame.timestamp for frame in FrameReader(path, rate=3.0)] == pytest.approx([0.0, 0.333, 0.667], abs=1e-6)


@pytest.mark.parametrize("last", [0.3, 3.0])
@pytest.mark.parametrize(
    ("suffix", "codec", "length"),
    [("webm", "libvpx-vp9", 0.1), ("ts", "libx264", 0.05)],  # a ts does not say: the shortest so far
)
def test_the_last_frame_has_its_own_length(tmp_path, last, suffix, codec, length):
    path = write_video(tmp_path / f"a.{suffix}", [plain(RED)] * 4, [0.0, 0.05, 0.15, last], codec=codec)
    reader = FrameReader(path, rate=1.0)
    list(reader)
    assert reader.duration == pytest.approx(last + length, abs=0.01)


@pytest.mark.parametrize(("suffix", "codec"), [("mkv", "libx264"), ("mp4", "libx264"), ("webm", "libvpx-vp9")])
def test_times_count_from_the_first_frame(tmp_path, suffix, codec):
    times = [10 + index / 10 for index in range(10)]
    reader = FrameReader(write_video(tmp_path / f"late.{suffix}", [plain(RED)] * 10, times, codec), rate=2.0)
    assert [frame.timestamp for frame in reader] == pytest.approx([0.0, 0.5], abs=2e-3)
    assert reader.duration == pytest.approx(1.0, abs=0.01)


def test_one_frame_is_a_video(tmp_path):
    reader = FrameReader(write_video(tmp_path / "one.mp4", [plain(GREEN)]), rate=2.0)
    frames = list(reader)
    assert [frame.timestamp for frame in frames] == [0.0]
    assert nearest(frames[0].image) == GREEN
    assert reader.duration > 0


@pytest.mark.parametrize(("suffix", "codec"), [("webm", "libvpx-vp9"), ("avi", "mpeg4"), ("mov", "libx264")])
def test_other_containers(tmp_path, suffix, codec):
    path = write_video(tmp_path / f"a.{suffix}", [plain(RED)] * 10 + [plain(BLUE)] * 10, codec=codec)
    frames = list(FrameReader(path, rate=1.0))
    assert [nearest(frame.image) for frame in frames] == [RED, BLUE]


def test_av1(tmp_path):
    frames = [plain(RED)] * 10 + [plain(BLUE)] * 10
    path = write_video(tmp_path / "a.mp4", frames, codec="libsvtav1", encoder={"preset": "12"})
    reader = FrameReader(path, rate=2.0)
    sampled = list(reader)
    assert [frame.timestamp for frame in sampled] == pytest.approx([0, 0.5, 1, 1.5])
    assert [nearest(frame.image) for frame in sampled] == [RED, RED, BLUE, BLUE]
    assert reader.duration == pytest.approx(2.0)


def test_interlaced(tmp_path):
    frames = [plain(RED)] * 10 + [plain(BLUE)] * 10
    path = write_video(tmp_path / "a.mp4", frames, encoder={"x264-params": "tff=1"})
    assert [nearest(frame.image) for frame in FrameReader(path, rate=1.0)] == [RED, BLUE]


def test_a_broadcast_that_turns_interlaced_midway(tmp_path):
    first = write_video(tmp_path / "1.ts", [plain(RED)] * 20)
    times = [2 + index / 10 for index in range(20)]
    second = write_video(tmp_path / "2.ts", [plain(BLUE)] * 20, times, encoder={"x264-params": "tff=1"})
    (tmp_path / "both.ts").write_bytes(first.read_bytes() + second.read_bytes())
    assert [nearest(frame.image) for frame in FrameReader(tmp_path / "both.ts", rate=1.0)] == [RED, RED, BLUE, BLUE]


def test_frames_without_a_timestamp_follow_the_one_before(tmp_path):
    path = write_video(tmp_path / "b.avi", [plain(RED)] * 19 + [plain(BLUE)], codec="mpeg4", encoder={"bf": "2"})
    reader = FrameReader(path, rate=10.0)
    frames = list(reader)  # an avi has no timestamps for the frames that the decoder still holds at the end
    assert len(frames) == 20
    assert nearest(frames[-1].image) == BLUE
    assert [frame.timestamp for frame in FrameReader(path, rate=20.0)] == pytest.approx(np.arange(40) / 20)
    assert reader.duration == pytest.approx(2.0)
    assert reader.info.fps is None  # this one claims 1000


def test_a_frame_that_goes_back_in_time_is_left_out(tmp_path, monkeypatch):
    times = [0.0, 0.1, 0.05, 0.2, 0.3]
    colours = [RED, RED, BLUE, RED, RED]
    frames = [DecodedFrame(time, lambda c=c: plain(c)) for time, c in zip(times, colours, strict=True)]
    leave_one_way(monkeypatch, "opencv")
    monkeypatch.setattr(video.OpenCVDecoder, "decode", lambda *_: iter(frames))
    sampled = list(FrameReader(write_video(tmp_path / "a.mp4", [plain(RED)] * 4), rate=10.0))
    assert [frame.timestamp for frame in sampled] == pytest.approx([0.0, 0.1, 0.2, 0.3])
    assert {nearest(frame.image) for frame in sampled} == {RED}


def test_a_clock_that_is_set_back_is_an_error(tmp_path):
    part = write_video(tmp_path / "part.ts", [plain(RED)] * 20).read_bytes()
    (tmp_path / "twice.ts").write_bytes(part + part)
    with pytest.raises(VideoError, match="'twice.ts' jump backwards after 2.0 s"):
        list(FrameReader(tmp_path / "twice.ts", rate=1.0))


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_a_broken_middle_does_not_end_the_video(tmp_path, codec, capfd):
    quiet = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    path = damage_middle(write_video(tmp_path / "a.mp4", pan(60), codec=codec, encoder={"g": "250", **quiet}))
    capfd.readouterr()
    reader = FrameReader(path, rate=2.0)
    times = [frame.timestamp for frame in reader]
    assert reader.duration == pytest.approx(6.0)
    assert times[:3] == pytest.approx([0.0, 0.5, 1.0])
    assert times[-3:] == pytest.approx([4.5, 5.0, 5.5])
    assert times == sorted(set(times))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("reader", ["planned", "opencv", "pyav"])
def test_memory_does_not_grow_with_the_video(tmp_path, monkeypatch, reader):
    leave_one_way(monkeypatch, reader)
    path = write_video(tmp_path / "long.mp4", [plain(RED, (240, 320))] * 100)
    tracemalloc.start()
    count = sum(1 for _ in FrameReader(path, rate=10.0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 100
    assert peak < 10 * 240 * 320 * 3


def test_the_size_is_the_one_that_is_shown(tmp_path):
    info = FrameReader(turned(write_video(tmp_path / "a.mp4", [plain(RED)] * 5), tmp_path / "turned.mp4"), 1.0).info
    assert (info.width, info.height) == (64, 96)


@pytest.mark.parametrize("reader", ["planned", "opencv", "pyav"])
def test_rotation_is_honoured(tmp_path, monkeypatch, reader):
    leave_one_way(monkeypatch, reader)
    image = np.concatenate([plain(RED, (64, 48)), plain(BLUE, (64, 48))], axis=1)  # red left, blue right
    path = turned(write_video(tmp_path / "a.mp4", [image] * 5), tmp_path / "turned.mp4")
    shown = next(iter(FrameReader(path, rate=1.0))).image
    assert shown.shape[:2] == (96, 64)
    assert (nearest(shown[:40]), nearest(shown[56:])) == (RED, BLUE)  # a quarter clockwise: left comes to the top


def test_large_frames_are_scaled_down(tmp_path):
    path = write_video(tmp_path / "large.mp4", [plain(RED, (900, 1200))])
    image = next(iter(FrameReader(path, rate=1.0))).image
    assert image.shape == (450, 600, 3)  # a whole factor, and no less than an encoder reads
    assert next(iter(FrameReader(path, rate=1.0, short_side=90))).image.shape == (90, 120, 3)
    assert next(iter(FrameReader(path, rate=1.0, short_side=2000))).image.shape == (900, 1200, 3)


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
def test_a_rate_is_a_positive_number(tmp_path, rate):
    with pytest.raises(ValueError, match="positive number of frames a second"):
        FrameReader(colours(tmp_path / "a.mp4"), rate=rate)


def test_the_info_is_what_the_container_claims(tmp_path):
    info = FrameReader(colours(tmp_path / "a.mp4"), 1.0).info
    assert (info.width, info.height) == (96, 64)
    assert info.fps == pytest.approx(10, rel=0.01)
    assert info.duration == pytest.approx(6, rel=0.02)
    assert info.codec == "h264"


def test_a_live_recording_claims_no_duration_and_has_one(tmp_path):
    path = write_video(tmp_path / "live.webm", [plain(RED)] * 15, codec="libvpx-vp9", muxer={"live": "1"})
    reader = FrameReader(path, rate=2.0)
    assert reader.info.duration == pytest.approx(1.5, abs=0.01)  # as its packets say
    assert len(list(reader)) == 3
    assert reader.duration == pytest.approx(1.5, abs=0.01)


def test_a_file_that_ends_early_gives_what_is_there(tmp_path):
    whole = colours(tmp_path / "whole.mkv")
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    reader = FrameReader(cut, rate=2.0)
    frames = list(reader)
    assert frames
    assert 0 < reader.duration < 6
