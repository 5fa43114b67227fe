import numpy as np
import pytest

from grounding.video import container as decoding
from grounding.video import reader as video
from grounding.video import sampling_plan as sampling
from grounding.video.reader import FrameReader
from grounding.video.sampling_plan import Grid, make_plan
from tests.clips import RED, colours, plain, write_video

REORDERED = {"bf": "3", "g": "30", "x264-params": "b-pyramid=normal:log=-1", "x265-params": "log-level=none"}


def moving(count: int) -> list[np.ndarray]:
    """Frames of which each is brighter than the one before it, with a texture that moves."""
    texture = np.random.default_rng(0).integers(0, 60, (64, 96, 3), dtype=np.uint8)
    return [np.roll(texture, 2 * index, axis=1) + np.uint8(index) for index in range(count)]


def irregular(count: int) -> list[float]:
    gaps = np.random.default_rng(1).choice([0.02, 0.04, 0.05, 0.3, 0.9], count)
    return np.cumsum(gaps).round(3).tolist()


def both_ways(path, rate, monkeypatch):
    """What FrameReader samples with a plan, and what it samples when it decodes every frame with the same decoder."""
    planned = FrameReader(path, rate)
    frames = list(planned)
    monkeypatch.setattr(video, "make_plan", lambda *_: None)
    monkeypatch.setattr(video, "opencv_frames", lambda *_: iter(()))
    whole = FrameReader(path, rate)
    return (frames, planned.duration), (list(whole), whole.duration)


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("rate", [2.0, 3.0, 7.0, 50.0])
@pytest.mark.parametrize("varying", [False, True])
def test_a_plan_samples_the_very_same_frames(tmp_path, monkeypatch, codec, suffix, rate, varying):
    times = irregular(120) if varying else None
    path = write_video(tmp_path / f"a.{suffix}", moving(120), times, codec, fps=25, encoder=REORDERED)
    assert make_plan(path, rate) is not None
    (frames, duration), (expected, whole) = both_ways(path, rate, monkeypatch)
    assert [frame.timestamp for frame in frames] == pytest.approx([frame.timestamp for frame in expected], abs=1e-9)
    assert all(np.array_equal(one.image, other.image) for one, other in zip(frames, expected, strict=True))
    assert duration == pytest.approx(whole)


def test_a_plan_leaves_out_frames_that_no_other_needs(tmp_path):
    path = write_video(tmp_path / "a.mp4", moving(100), fps=25, encoder=REORDERED)
    wanted = make_plan(path, 1.0).wanted
    with decoding.opened(path) as (container, stream):
        decoded = sum(1 for _ in decoding.tolerant(container, stream, wanted))
    assert len(wanted) == 4
    assert 4 <= decoded < 70


def test_where_another_frame_comes_than_promised_everything_is_decoded(tmp_path, monkeypatch):
    path = colours(tmp_path / "a.mp4")
    expected = [frame.timestamp for frame in FrameReader(path, rate=2.0)]
    frames = decoding.pyav_frames

    def one_is_lost(path, short_side, wanted=None, **see):
        found = frames(path, short_side, wanted, **see)
        return (frame for index, frame in enumerate(found) if wanted is None or index != 3)

    monkeypatch.setattr(video, "pyav_frames", one_is_lost)
    reader = FrameReader(path, rate=2.0)
    assert [frame.timestamp for frame in reader] == pytest.approx(expected)
    assert reader.duration == pytest.approx(6.0, abs=0.01)


def test_the_last_frames_are_read_though_a_plan_falls_short(tmp_path, monkeypatch):
    path = colours(tmp_path / "a.mp4")
    frames = decoding.pyav_frames
    monkeypatch.setattr(video, "pyav_frames", lambda *given, **see: list(frames(*given, **see))[:5])
    assert [frame.timestamp for frame in FrameReader(path, rate=1.0)] == pytest.approx([0, 1, 2, 3, 4, 5])


@pytest.mark.parametrize(
    ("name", "codec", "encoder"),
    [
        ("a.webm", "libvpx-vp9", {}),  # hidden frames
        ("a.avi", "libx264", {"bf": "2"}),  # no timestamps
    ],
)
def test_no_plan_where_the_packets_do_not_tell(tmp_path, name, codec, encoder):
    assert make_plan(write_video(tmp_path / name, [plain(RED)] * 10, codec=codec, encoder=encoder), 2.0) is None


def test_no_plan_where_a_timestamp_is_there_twice(tmp_path, monkeypatch):
    path = colours(tmp_path / "a.mp4")
    monkeypatch.setattr(sampling, "_packets", lambda *_: (np.array([0, 100, 100, 200]), 100))
    assert make_plan(path, 2.0) is None


def test_the_grid_takes_the_first_frame_that_reaches_each_point():
    grid = Grid(2.0)
    times = [0.0, 0.4, 0.4995, 0.7, 1.2, 3.1, 3.2, 3.5]
    assert [time for time in times if grid.reached(time)] == [0.0, 0.4995, 1.2, 3.1, 3.5]
