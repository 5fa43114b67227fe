"""Where sound comes before the picture, second 0 is that of the sound, as in every player."""

import numpy as np
import pytest

from grounding.features.streaming import encode_frames
from grounding.video.block_reader import BlockReader
from grounding.video.clips import cut_clip, make_preview
from grounding.video.media_info import read_media_info
from grounding.video.probe import probe_video
from grounding.video.reader import FrameReader
from grounding.video.timeline import read_frames_from, read_key_frames
from tests.clips import BLUE, RED, flash_and_tone, heard, leave_one_way, plain, write_video

TURNS = 5.0  # seconds at which the picture turns blue and the tone begins
WEBM = {"codec": "libvpx", "sound": "libopus"}
KINDS = {"a.mp4": {}, "a.mov": {}, "a.mkv": {}, "a.ts": {}, "a.flv": {}, "a.webm": WEBM}
PLAYED = ("a.mp4", "a.webm")


def late(folder, name, by=3.0, **more):
    """Eight seconds of sound, a picture from `by` seconds on."""
    options = {"encoder": {"g": "10", **({} if name == "a.webm" else {"bf": "2"})}} | KINDS.get(name, {}) | more
    return flash_and_tone(folder / name, TURNS, 8.0, picture_from=by, **options)


def blue_from(frames):
    """When the picture turns blue, of (seconds, image)."""
    return next(time for time, image in frames if image.mean(axis=(0, 1))[2] > 128)


def all_frames(path):
    return [(time, get_image()) for time, _, get_image in FrameReader(path, 2.0).read_timed()]


def tone_from(path):
    loud, rate = heard(path)
    return np.argmax(loud > 0.2) / rate


@pytest.mark.parametrize("reader", ["planned", "opencv", "pyav"])
@pytest.mark.parametrize("name", KINDS)
def test_samples_count_from_the_start_of_the_sound(tmp_path, monkeypatch, name, reader):
    leave_one_way(monkeypatch, reader)
    frames = FrameReader(late(tmp_path, name), 2.0)
    samples = list(frames)
    assert samples[0].timestamp == frames.info.start == pytest.approx(3.0, abs=0.06)
    assert [sample.timestamp for sample in samples[1:]] == pytest.approx(np.arange(3.5, 8, 0.5), abs=0.1)
    assert blue_from(samples) == pytest.approx(TURNS, abs=0.1)
    assert frames.duration == pytest.approx(8.0, abs=0.15) and frames.skipped == ()


@pytest.mark.parametrize("name", KINDS)
def test_whatever_reads_a_file_has_the_same_clock(tmp_path, name):
    path = late(tmp_path, name)
    probe, frames = probe_video(path), all_frames(path)
    times = [time for time, _ in frames]
    assert [time for time, _ in read_frames_from(probe)] == pytest.approx(times, abs=1e-6)
    assert next(read_frames_from(probe, 1.0))[0] == pytest.approx(times[0])
    assert next(read_frames_from(probe, 7.0))[0] <= 7.0
    assert all(np.abs(np.array(times) - time).min() < 2e-3 for time, _ in read_key_frames(probe, 4))
    assert probe.info.duration == read_media_info(path).duration == pytest.approx(8.0, abs=0.15)
    blocks = BlockReader(probe, 2.0, 4, [7.0], 336)
    found = sorted(frame.timestamp for frame in blocks)
    if name not in ("a.ts", "a.webm"):  # which do not let themselves be read in another order
        assert blocks.is_exact and found == [sample.timestamp for sample in FrameReader(path, 2.0)]


@pytest.mark.parametrize("name", KINDS)
def test_a_preview_has_picture_and_sound_where_the_file_has_them(tmp_path, name):
    path = late(tmp_path, name)
    preview = make_preview(path, tmp_path / "own")
    assert (preview == path) is (name in PLAYED)
    assert blue_from(all_frames(preview)) == pytest.approx(TURNS, abs=0.1)
    assert tone_from(preview) == pytest.approx(TURNS, abs=0.1)
    info = probe_video(preview).info
    assert info.plays_everywhere and info.duration == pytest.approx(8.0, abs=0.15)


def test_a_cut_from_the_first_frame_on_is_not_black(tmp_path):
    path = late(tmp_path, "a.mkv")
    start = round(probe_video(path).info.start - 0.005, 2)
    [first, *_] = all_frames(cut_clip(path, start, 5.0, tmp_path / "cut.mp4"))
    assert first[0] == 0 and first[1].mean(axis=(0, 1)) == pytest.approx(RED, abs=12)


@pytest.mark.parametrize("name", ["a.mkv", "a.ts", "a.mp4"])
@pytest.mark.parametrize("start", [4.0, 1.0])  # where there is a picture, and two seconds before
def test_a_cut_has_them_too(tmp_path, name, start):
    cut = cut_clip(late(tmp_path, name), start, 7.0, tmp_path / "cut.mp4")
    assert blue_from(all_frames(cut)) == pytest.approx(TURNS - start, abs=0.1)
    assert tone_from(cut) == pytest.approx(TURNS - start, abs=0.1)
    assert probe_video(cut).info.duration == pytest.approx(7.0 - start, abs=0.1)


def test_where_nothing_is_on_the_screen_nothing_is_encoded(tmp_path, embedded):
    video = encode_frames(late(tmp_path, "a.mkv"), embedded, 2.0)
    assert video.timestamps[0] == pytest.approx(3.0, abs=0.06) and len(video.timestamps) == 10
    assert video.duration == pytest.approx(8.0, abs=0.15) and video.skipped == ()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", {"by": 0.08}),  # two frames at 25 a second
        ("a.mkv", {"by": 0.04}),
        ("a.mp4", {"by": 0.0, "sound_from": 3.0}),
        ("a.ts", {"by": 0.0, "muxer": {"output_ts_offset": "1000"}}),
        ("a.mkv", {"by": 0.0, "muxer": {"output_ts_offset": "50000"}}),
        ("a.mp4", {"by": 0.0, "encoder": {"bf": "3"}}),
    ],
)
def test_a_picture_that_hardly_comes_late_counts_from_its_first_frame(tmp_path, name, options):
    path = late(tmp_path, name, **options)
    assert all_frames(path)[0][0] == probe_video(path).info.start == 0.0


def test_a_picture_without_sound_counts_from_its_first_frame(tmp_path):
    path = write_video(tmp_path / "a.mp4", [plain(RED)] * 5 + [plain(BLUE)] * 5, [7 + n / 10 for n in range(10)])
    assert probe_video(path).info.start == 0.0 and blue_from(all_frames(path)) == pytest.approx(0.5)
