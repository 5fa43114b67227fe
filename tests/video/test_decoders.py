"""What holds for each decoder, over both of them; what each is right for; what PyAV alone does."""

import cv2
import numpy as np
import pytest

from grounding.errors import VideoError
from grounding.video import opencv_decoder, pyav_decoder
from grounding.video.container import open_container
from grounding.video.opencv_decoder import OpenCVDecoder
from grounding.video.probe import probe_video
from grounding.video.pyav_decoder import PyAVDecoder, decode_frames
from grounding.video.reader import FrameReader
from grounding.video.timeline import read_frames_from
from tests.clips import BLUE, GREEN, RED, colours, leave_one_way, plain, turned, write_video

both = pytest.mark.parametrize("decoder", [PyAVDecoder(), OpenCVDecoder()], ids=["pyav", "opencv"])


def decode(decoder, path, short_side=336):
    return [(frame.seconds, frame.get_image()) for frame in decoder.decode(probe_video(path), short_side)]


def is_near(image, colour):
    return np.abs(image.mean(axis=(0, 1)) - colour).max() < 12


@both
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_frames_come_with_their_times_and_colours(tmp_path, decoder, suffix):
    frames = decode(decoder, colours(tmp_path / f"a.{suffix}", seconds=0.5))
    assert [seconds for seconds, _ in frames] == pytest.approx([index / 10 for index in range(15)], abs=2e-3)
    expected = [RED] * 5 + [GREEN] * 5 + [BLUE] * 5
    assert all(is_near(image, colour) for (_, image), colour in zip(frames, expected, strict=True))


@both
def test_times_are_the_frames_own(tmp_path, decoder):
    times = [0.0, 0.1, 1.7, 1.8, 4.0]
    path = write_video(tmp_path / "a.mkv", [plain(RED)] * 5, times)
    assert [seconds for seconds, _ in decode(decoder, path)] == pytest.approx(times, abs=2e-3)


@both
@pytest.mark.parametrize(("short_side", "shape"), [(336, (450, 600, 3)), (90, (90, 120, 3)), (2000, (900, 1200, 3))])
def test_large_pictures_are_scaled_down_by_a_whole_factor(tmp_path, decoder, short_side, shape):
    path = write_video(tmp_path / "large.mp4", [plain(RED, (900, 1200))])
    ((_, image),) = decode(decoder, path, short_side)
    assert image.shape == shape and is_near(image, RED)


@both
def test_a_picture_is_upright(tmp_path, decoder):
    image = np.concatenate([plain(RED, (64, 48)), plain(BLUE, (64, 48))], axis=1)  # red left, blue right
    path = turned(write_video(tmp_path / "a.mp4", [image] * 3), tmp_path / "turned.mp4")
    shown = decode(decoder, path)[0][1]
    assert shown.shape == (96, 64, 3)
    assert is_near(shown[:40], RED) and is_near(shown[56:], BLUE)  # a quarter clockwise: left comes to the top


@both
def test_pictures_nobody_asks_for_are_not_converted(tmp_path, decoder, monkeypatch):
    path = write_video(tmp_path / "a.mp4", [plain(RED, (720, 1280))] * 4)
    conversions = []
    monkeypatch.setattr(cv2, "resize", lambda *args, **more: conversions.append(1) or args[0])
    frames = list(decoder.decode(probe_video(path), 64))
    assert len(frames) == 4 and not conversions
    if isinstance(decoder, PyAVDecoder):
        frames[0].get_image()
        assert len(conversions) == 1


@both
def test_a_picture_that_grows_beyond_the_limit_is_an_error(tmp_path, decoder, monkeypatch):
    path = write_video(tmp_path / "a.mp4", [plain(RED)] * 3)
    probe = probe_video(path)
    limits = opencv_decoder.get_limits()
    object.__setattr__(limits, "megapixels", 1e-3)
    try:
        with pytest.raises(VideoError, match="GROUNDING_DECODE_MEGAPIXELS"):
            [frame.get_image() for frame in decoder.decode(probe, 336)]
    finally:
        object.__setattr__(limits, "megapixels", 40.0)


def test_a_picture_that_opencv_cannot_convert_is_an_error(tmp_path, monkeypatch):
    class Capture:
        grab, get, release = (lambda self: True), (lambda self, name: 0.0), (lambda self: None)
        retrieve = lambda self: (False, None)  # noqa: E731

    probe = probe_video(colours(tmp_path / "a.mp4"))
    monkeypatch.setattr(opencv_decoder.cv2, "VideoCapture", lambda *args: Capture())
    with pytest.raises(VideoError, match=r"'a.mp4' can be decoded: convert it"):
        next(OpenCVDecoder().decode(probe, 336)).get_image()


@pytest.mark.parametrize(
    ("name", "options", "can"),
    [
        ("plain.mp4", {}, True),
        ("plain.webm", {"codec": "libvpx-vp9"}, True),
        ("interlaced.mp4", {"encoder": {"x264-params": "tff=1"}}, False),
        ("broadcast.ts", {}, False),
        ("oblong.mp4", {"encoder": {"x264-params": "sar=2/1"}}, False),
    ],
)
def test_opencv_is_left_to_plain_files(tmp_path, name, options, can):
    probe = probe_video(write_video(tmp_path / name, [plain(RED)] * 5, **options))
    assert OpenCVDecoder().can_decode(probe) is can
    assert PyAVDecoder().can_decode(probe)


@pytest.mark.parametrize(
    ("cores", "size", "alone"), [(2, (64, 96), True), (4, (64, 96), False), (2, (728, 1288), False)]
)
def test_a_small_film_leaves_one_of_two_cores_to_the_encoder(tmp_path, monkeypatch, cores, size, alone):
    monkeypatch.setattr(pyav_decoder, "count_cores", lambda: cores)
    probe = probe_video(write_video(tmp_path / "a.mp4", [plain(RED, size)] * 2))
    with open_container(probe.path) as container:
        assert len(list(decode_frames(probe, container))) == 2
        assert (container.streams.video[0].codec_context.thread_count == 1) == alone


@pytest.mark.parametrize("reader", ["planned", "opencv", "pyav"])
def test_frames_before_the_clock_begins_are_left_out(tmp_path, monkeypatch, reader):
    leave_one_way(monkeypatch, reader)
    frames = [plain(colour) for colour in (RED, GREEN, BLUE) for _ in range(20)]
    muxer = {"output_ts_offset": "-3", "avoid_negative_ts": "disabled"}  # as a cut without encoding leaves it
    path = write_video(tmp_path / "a.mkv", frames, encoder={"bf": "0"}, muxer=muxer)
    samples = list(FrameReader(path, rate=2.0))
    assert [sample.timestamp for sample in samples] == pytest.approx(np.arange(0, 3, 0.5))
    shown = [GREEN] * 2 + [BLUE] * 4
    assert all(is_near(sample.image, colour) for sample, colour in zip(samples, shown, strict=True))
    assert [time for time, _ in read_frames_from(probe_video(path))] == pytest.approx(np.arange(0, 3, 0.1))
