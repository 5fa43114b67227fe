import av
import numpy as np
import pytest

from grounding.video.probe import probe_video
from grounding.video.reader import FrameReader
from grounding.video.remux import remux
from tests.clips import BLUE, GREEN, RED, flash_and_tone, heard, plain, write_video

HEVC = {"x265-params": "log-level=none"}
FRAMES = [plain(colour) for colour in (RED, GREEN, BLUE) * 5]


def times(path):
    return [time for time, *_ in FrameReader(path, 1.0).read_timed()]


@pytest.mark.parametrize("suffix", ["mkv", "mov", "ts", "mp4"])
@pytest.mark.parametrize("reordered", ["0", "3"])
def test_frames_keep_their_times_and_bytes(tmp_path, suffix, reordered):
    source, out = write_video(tmp_path / f"a.{suffix}", FRAMES, encoder={"bf": reordered}), tmp_path / "out.mp4"
    assert remux(probe_video(source), out)
    assert times(out) == pytest.approx(times(source), abs=0.001)
    with av.open(str(out)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert container.duration / 1e6 == pytest.approx(1.5, abs=0.11)  # a ts says nothing of the last frame
    assert out.stat().st_size < 1.5 * source.stat().st_size


def test_sound_comes_along_at_its_time(tmp_path):
    source, out = flash_and_tone(tmp_path / "a.mkv"), tmp_path / "out.mp4"
    assert remux(probe_video(source), out)
    loud, rate = heard(out)
    assert np.argmax(loud > 0.2) / rate == pytest.approx(2.0, abs=0.03)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("hevc.mkv", {"codec": "libx265", "encoder": HEVC}),
        ("mpeg4.avi", {"codec": "mpeg4"}),
        ("vp9.mkv", {"codec": "libvpx-vp9"}),
    ],
)
def test_another_codec_does_not_fit(tmp_path, name, options):
    source, out = write_video(tmp_path / name, FRAMES, **options), tmp_path / "out.mp4"
    assert not remux(probe_video(source), out)
    assert list(tmp_path.iterdir()) == [source]


def test_another_sound_does_not_fit(tmp_path):
    assert not remux(probe_video(flash_and_tone(tmp_path / "a.mkv", sound="flac")), tmp_path / "out.mp4")


def test_reordered_frames_of_uneven_length_are_not_risked(tmp_path):
    uneven = [0.04 * index for index in range(30)] + [2 + 0.6 * index for index in range(10)]
    frames = [plain((6 * index, 100, 40)) for index in range(40)]
    source, out = write_video(tmp_path / "a.mkv", frames, times=uneven, encoder={"bf": "8"}), tmp_path / "out.mp4"
    if remux(probe_video(source), out):  # then the container has to know its true length, or browsers show other frames
        with av.open(str(out)) as container:
            assert container.duration / 1e6 == pytest.approx(uneven[-1] + 0.6, abs=0.6)
        assert times(out) == pytest.approx(times(source), abs=0.001)
    else:
        assert not out.exists()
