import numpy as np
import pytest

from grounding import video
from grounding.errors import VideoError
from grounding.video import FrameReader, probe, read_frames
from tests.clips import BAD_KINDS, BLUE, GREEN, RED, bad_file, colours, plain, write_video


def nearest(image: np.ndarray) -> tuple[int, int, int]:
    """Which of the three colours a decoded frame shows."""
    return min((RED, GREEN, BLUE), key=lambda colour: np.abs(image.reshape(-1, 3).mean(axis=0) - colour).sum())


def test_frames_come_at_the_rate_with_their_colours(tmp_path):
    frames = list(FrameReader(colours(tmp_path / "a.mp4"), rate=2.0))
    assert [frame.timestamp for frame in frames] == pytest.approx([0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 5.5])
    assert [nearest(frame.image) for frame in frames] == [RED] * 4 + [GREEN] * 4 + [BLUE] * 4


def test_duration_is_the_end_of_the_last_frame(tmp_path):
    reader = FrameReader(colours(tmp_path / "a.mp4"), rate=1.0)
    list(reader)
    assert reader.duration == pytest.approx(6.0, abs=0.01)


def test_timestamps_are_the_frames_own_where_the_rate_varies(tmp_path):
    times = [0.0, 0.1, 0.2, 1.7, 1.8, 4.0, 4.1]
    path = write_video(tmp_path / "vfr.mkv", [plain(RED)] * 5 + [plain(BLUE)] * 2, times)
    frames = list(FrameReader(path, rate=1.0))
    assert [frame.timestamp for frame in frames] == pytest.approx([0.0, 1.7, 4.0], abs=2e-3)
    assert nearest(frames[-1].image) == BLUE


def test_a_gap_does_not_bring_frames_closer_than_the_grid(tmp_path):
    path = write_video(tmp_path / "gap.mkv", [plain(RED)] * 5, [0.0, 2.9, 3.0, 3.1, 4.0])
    assert [f.timestamp for f in FrameReader(path, rate=1.0)] == pytest.approx([0.0, 2.9, 3.0, 4.0], abs=2e-3)


def test_times_count_from_the_first_frame(tmp_path):
    path = write_video(tmp_path / "late.mkv", [plain(RED)] * 10, [10 + index / 10 for index in range(10)])
    reader = FrameReader(path, rate=2.0)
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


def test_pyav_reads_what_opencv_cannot(tmp_path, monkeypatch):
    monkeypatch.setattr(video, "_opencv_frames", lambda path: iter(()))
    frames = list(FrameReader(colours(tmp_path / "a.mp4"), rate=1.0))
    assert [nearest(frame.image) for frame in frames] == [RED, RED, GREEN, GREEN, BLUE, BLUE]
    assert [frame.timestamp for frame in frames] == pytest.approx([0, 1, 2, 3, 4, 5])


def turned(path, out):
    """The same stream with a display matrix that says: turn by a quarter. Its 3 x 3 matrix stands in the mp4's tkhd."""
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40
    one, minus = (65536).to_bytes(4, "big"), (2**32 - 65536).to_bytes(4, "big")
    zero, unit = bytes(4), (1 << 30).to_bytes(4, "big")
    data[matrix : matrix + 36] = zero + one + zero + minus + zero + zero + zero + zero + unit
    out.write_bytes(data)
    return out


@pytest.mark.parametrize("reader", ["opencv", "pyav"])
def test_rotation_is_honoured(tmp_path, monkeypatch, reader):
    if reader == "pyav":
        monkeypatch.setattr(video, "_opencv_frames", lambda path: iter(()))
    image = np.concatenate([plain(RED, (64, 48)), plain(BLUE, (64, 48))], axis=1)  # red left, blue right
    path = turned(write_video(tmp_path / "a.mp4", [image] * 5), tmp_path / "turned.mp4")
    shown = next(iter(FrameReader(path, rate=1.0))).image
    assert shown.shape[:2] == (96, 64)
    assert (nearest(shown[:40]), nearest(shown[56:])) == (RED, BLUE)  # a quarter clockwise: left comes to the top


def test_large_frames_are_scaled_down(tmp_path):
    path = write_video(tmp_path / "large.mp4", [plain(RED, (900, 1200))])
    image = next(iter(FrameReader(path, rate=1.0))).image
    assert image.shape == (video.SHORT_SIDE, round(1200 * video.SHORT_SIDE / 900), 3)


def test_read_frames_gives_the_frames_at_the_times_in_the_order_asked(tmp_path):
    images = read_frames(colours(tmp_path / "a.mp4"), [5.0, 0.0, 2.5])
    assert [nearest(image) for image in images] == [BLUE, RED, GREEN]


def test_read_frames_meets_the_sampled_frames(tmp_path):
    ramp = [plain((5 * index, 5 * index, 5 * index)) for index in range(40)]
    path = write_video(tmp_path / "ramp.mp4", ramp)
    sampled = list(FrameReader(path, rate=1.5))
    again = read_frames(path, [frame.timestamp for frame in sampled])
    assert all(np.array_equal(frame.image, image) for frame, image in zip(sampled, again, strict=True))


def test_read_frames_past_the_end(tmp_path):
    with pytest.raises(VideoError, match="ends at 6"):
        read_frames(colours(tmp_path / "a.mp4"), [7.0])


def test_probe_says_what_the_container_claims(tmp_path):
    info = probe(colours(tmp_path / "a.mp4"))
    assert (info.width, info.height) == (96, 64)
    assert info.fps == pytest.approx(10, rel=0.01)
    assert info.duration == pytest.approx(6, rel=0.02)


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


def test_sound_and_damage_are_told_apart(tmp_path):
    for kind, words in (("sound", "no picture"), ("truncated", "cut off"), ("text", "not a video"), ("empty", "empty")):
        with pytest.raises(VideoError, match=words):
            FrameReader(bad_file(kind, tmp_path), rate=1.0)


def test_a_file_that_ends_early_gives_what_is_there(tmp_path):
    whole = colours(tmp_path / "whole.mkv")
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    reader = FrameReader(cut, rate=2.0)
    frames = list(reader)
    assert frames
    assert 0 < reader.duration < 6
