import av
import numpy as np
import pytest

from grounding.errors import VideoError
from grounding.video import transcode as transcoding
from grounding.video.clips import cut_clip
from grounding.video.reader import FrameReader
from tests.clips import (
    BAD_KINDS,
    BLUE,
    GREEN,
    RED,
    bad_file,
    colours,
    flash_and_tone,
    frames_at,
    heard,
    plain,
    turned,
    write_video,
)

HEVC = {"x265-params": "log-level=none"}


def colour(path, time):
    return frames_at(path, [time])[0].mean(axis=(0, 1))


def near(path, time, expected):
    return np.abs(colour(path, time) - expected).max() < 12


def flash(path):
    """When the picture turns blue."""
    return next(
        time for time, _, picture in FrameReader(path, 1.0).read_timed() if picture().mean(axis=(0, 1))[2] > 128
    )


def tone(path):
    """When the sound begins."""
    loud, rate = heard(path)
    return np.argmax(loud > 0.2) / rate


def seconds(path):
    with av.open(str(path)) as container:
        return container.duration / 1e6


def test_a_cut_holds_what_is_on_screen_between_its_times(tmp_path):
    clip = cut_clip(colours(tmp_path / "a.mp4"), 1.55, 4.25, tmp_path / "cut.mp4")
    assert seconds(clip) == pytest.approx(2.7, abs=0.01)
    assert near(clip, 0.0, RED)
    assert near(clip, 0.44, RED)
    assert near(clip, 0.46, GREEN)
    assert near(clip, 2.44, GREEN)
    assert near(clip, 2.46, BLUE)


def test_a_cut_plays_in_every_browser_and_begins_at_once(tmp_path):
    clip = cut_clip(flash_and_tone(tmp_path / "a.mkv", codec="mpeg4", sound="flac"), 1.0, 3.0, tmp_path / "cut.mp4")
    with av.open(str(clip)) as container:
        picture, sound = container.streams.video[0], container.streams.audio[0]
        assert (picture.codec_context.name, picture.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert sound.codec_context.name == "aac"
        assert picture.start_time == 0
    assert clip.read_bytes().index(b"moov") < clip.read_bytes().index(b"mdat")


@pytest.mark.parametrize("start", [0.0, 1.5, 1.97])
@pytest.mark.parametrize(
    ("suffix", "codec", "sound", "encoder"),
    [("mp4", "libx264", "aac", {}), ("avi", "mpeg4", "libmp3lame", {}), ("mkv", "libx265", "flac", HEVC)],
)
def test_sound_stays_with_its_picture(tmp_path, suffix, codec, sound, encoder, start):
    source = flash_and_tone(tmp_path / f"a.{suffix}", codec=codec, sound=sound, encoder=encoder)
    clip = cut_clip(source, start, 3.2, tmp_path / "cut.mp4")
    assert flash(clip) == pytest.approx(flash(source) - start, abs=0.002)
    assert tone(clip) == pytest.approx(tone(source) - start, abs=0.03)
    loud, rate = heard(clip)
    assert len(loud) / rate == pytest.approx(3.2 - start, abs=0.03)


def test_sound_that_begins_late_stays_late_and_a_cut_before_it_is_silent(tmp_path):
    source = flash_and_tone(tmp_path / "a.mkv", sound_from=1.5)
    assert tone(cut_clip(source, 1.0, 3.0, tmp_path / "late.mp4")) == pytest.approx(1.0, abs=0.03)
    loud, rate = heard(cut_clip(source, 0.2, 1.2, tmp_path / "silent.mp4"))
    assert loud.max() < 0.01
    assert len(loud) / rate == pytest.approx(1.0, abs=0.03)


def test_a_source_without_sound_gives_a_cut_without(tmp_path):
    assert not len(heard(cut_clip(colours(tmp_path / "a.mp4"), 0, 1, tmp_path / "cut.mp4"))[0])


def test_a_cut_late_in_a_long_video_is_exact_though_it_seeks(tmp_path):
    count = 300  # 30 s, a key frame every 25 frames: the frame's number is written into its red
    frames = [plain((index * 255 // count, 0, 0)) for index in range(count)]
    source = write_video(tmp_path / "a.mkv", frames, encoder={"g": "25"})
    clip = cut_clip(source, 22.32, 23.51, tmp_path / "cut.mp4")
    assert seconds(clip) == pytest.approx(1.19, abs=0.02)
    for time in (0.0, 0.5, 1.1):
        assert np.abs(colour(clip, time) - colour(source, 22.32 + time)).max() < 3


def test_frames_of_uneven_length_keep_theirs(tmp_path):
    times = [0.0, 0.1, 0.9, 1.0, 1.7, 2.0]
    source = write_video(tmp_path / "a.mkv", [plain(c) for c in (RED, GREEN, BLUE) * 2], times=times)
    clip = cut_clip(source, 0.5, 1.85, tmp_path / "cut.mp4")
    assert [time for time, *_ in FrameReader(clip, 1.0).read_timed()] == pytest.approx([0.0, 0.4, 0.5, 1.2], abs=0.002)
    assert seconds(clip) == pytest.approx(1.35, abs=0.01)


def test_an_odd_size_loses_a_pixel_and_nothing_else(tmp_path):
    frames = [plain(RED, size=(65, 97))] * 10
    source = write_video(tmp_path / "a.avi", frames, codec="mjpeg", encoder={"strict": "-1"})
    clip = cut_clip(source, 0.0, 0.5, tmp_path / "cut.mp4")
    info = FrameReader(clip, 1.0).info
    assert (info.width, info.height) == (96, 64)
    assert near(clip, 0.2, RED)


def test_a_turned_picture_is_written_upright(tmp_path):
    image = np.concatenate([plain(RED, (64, 48)), plain(BLUE, (64, 48))], axis=1)  # red left, blue right
    source = turned(write_video(tmp_path / "a.mp4", [image] * 10), tmp_path / "turned.mp4")
    clip = cut_clip(source, 0.2, 0.8, tmp_path / "cut.mp4")
    (upright,), (original,) = frames_at(clip, [0.1]), frames_at(source, [0.3])
    assert upright.shape == original.shape == (96, 64, 3)
    assert np.abs(upright.astype(int) - original).mean() < 6


def test_ten_bits_become_eight(tmp_path):
    source = write_video(tmp_path / "a.mkv", [plain(GREEN)] * 10, codec="libx265", encoder=HEVC, pixels="yuv420p10le")
    clip = cut_clip(source, 0.2, 0.8, tmp_path / "cut.mp4")
    with av.open(str(clip)) as container:
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"
    assert near(clip, 0.1, GREEN)


def test_pixels_that_are_not_square_become_square(tmp_path):
    source = write_video(tmp_path / "a.mkv", [plain(RED)] * 10, encoder={"x264-params": "sar=2/1"})
    info = FrameReader(cut_clip(source, 0.2, 0.8, tmp_path / "cut.mp4"), 1.0).info
    assert (info.width, info.height) == (192, 64)


def test_the_end_of_the_video_ends_the_cut(tmp_path):
    assert seconds(cut_clip(colours(tmp_path / "a.mp4"), 5.0, 60.0, tmp_path / "cut.mp4")) == pytest.approx(
        1.0, abs=0.01
    )


@pytest.mark.parametrize(("start", "end"), [(2, 2), (3, 1), (-1, 2), (0, float("inf")), (float("nan"), 1)])
def test_times_that_are_no_interval_are_told(tmp_path, start, end):
    with pytest.raises(VideoError, match="comes before the end"):
        cut_clip(colours(tmp_path / "a.mp4"), start, end, tmp_path / "cut.mp4")


def test_a_start_after_the_end_of_the_video_is_told_and_leaves_nothing(tmp_path):
    source = colours(tmp_path / "a.mp4")
    with pytest.raises(VideoError, match="'a.mp4' has no frame at 7.00 s"):
        cut_clip(source, 7.0, 8.0, tmp_path / "cut.mp4")
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("kind", BAD_KINDS)
def test_a_bad_file_is_named(tmp_path, kind):
    with pytest.raises(VideoError, match=kind):
        cut_clip(bad_file(kind, tmp_path), 0.0, 1.0, tmp_path / "cut.mp4")
    assert not (tmp_path / "cut.mp4").exists()


def test_work_that_is_stopped_leaves_the_old_file_and_no_other(tmp_path):
    source, out = colours(tmp_path / "a.mp4"), tmp_path / "cut.mp4"
    out.write_text("old")

    def stop(fraction):
        if fraction > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut_clip(source, 0.0, 4.0, out, stop)
    assert out.read_text() == "old"
    assert sorted(tmp_path.iterdir()) == [source, out]


def test_progress_rises_to_one(tmp_path):
    told = []
    cut_clip(colours(tmp_path / "a.mp4"), 1.0, 3.0, tmp_path / "cut.mp4", told.append)
    assert told == sorted(told)
    assert told[-1] == 1


def test_there_is_progress_while_what_comes_before_is_decoded(tmp_path):
    """A live recording has no index to seek by."""
    clip = write_video(
        tmp_path / "live.webm", [plain(RED)] * 100, codec="libvpx-vp9", muxer={"live": "1"}, encoder={"g": "1000"}
    )
    told = []
    cut_clip(clip, 9.0, 9.5, tmp_path / "cut.mp4", told.append)
    assert told.count(0.0) > 20 and told[-1] == pytest.approx(1.0)


def test_without_an_h264_encoder_the_message_says_what_to_install(tmp_path, monkeypatch):
    def missing(name, mode):
        raise ValueError(name)

    monkeypatch.setattr(transcoding.av.codec, "Codec", missing)
    with pytest.raises(VideoError, match="pip install .* av"):
        cut_clip(colours(tmp_path / "a.mp4"), 0.0, 1.0, tmp_path / "cut.mp4")
