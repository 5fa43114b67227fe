from fractions import Fraction
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from grounding.video.container import open_container
from grounding.video.packets import make_packet_table
from grounding.video.probe import probe_video
from grounding.video.pyav_decoder import PyAVDecoder, decode_frames
from grounding.video.reader import FrameReader
from grounding.video.sampling_plan import SamplingGrid, make_plan
from tests.clips import RED, colours, leave_one_way, plain, write_video

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
    leave_one_way(monkeypatch, "pyav")
    whole = FrameReader(path, rate)
    return (frames, planned.duration), (list(whole), whole.duration)


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("rate", [2.0, 3.0, 7.0, 50.0])
@pytest.mark.parametrize("varying", [False, True])
def test_a_plan_samples_the_very_same_frames(tmp_path, monkeypatch, codec, suffix, rate, varying):
    times = irregular(120) if varying else None
    path = write_video(tmp_path / f"a.{suffix}", moving(120), times, codec, fps=25, encoder=REORDERED)
    assert make_plan(probe_video(path), rate) is not None
    (frames, duration), (expected, whole) = both_ways(path, rate, monkeypatch)
    assert [frame.timestamp for frame in frames] == pytest.approx([frame.timestamp for frame in expected], abs=1e-9)
    assert all(np.array_equal(one.image, other.image) for one, other in zip(frames, expected, strict=True))
    assert duration == pytest.approx(whole)


def test_a_plan_leaves_out_frames_that_no_other_needs(tmp_path):
    path = write_video(tmp_path / "a.mp4", moving(100), fps=25, encoder=REORDERED)
    probe = probe_video(path)
    wanted = {stamp for stamp, _ in make_plan(probe, 1.0).list_frames()}
    with open_container(path) as container:
        decoded = sum(1 for _ in decode_frames(probe, container, wanted))
    assert len(wanted) == 4
    assert 4 <= decoded < 70


def test_where_another_frame_comes_than_promised_everything_is_decoded(tmp_path, monkeypatch):
    path = colours(tmp_path / "a.mp4")
    expected = [frame.timestamp for frame in FrameReader(path, rate=2.0)]
    decode = PyAVDecoder.decode

    def lose_one(decoder, probe, short_side, wanted=None):
        found = decode(decoder, probe, short_side, wanted)
        return (frame for index, frame in enumerate(found) if wanted is None or index != 3)

    monkeypatch.setattr(PyAVDecoder, "decode", lose_one)
    reader = FrameReader(path, rate=2.0)
    assert [frame.timestamp for frame in reader] == pytest.approx(expected)
    assert reader.duration == pytest.approx(6.0, abs=0.01)


def test_the_last_frames_are_read_though_a_plan_falls_short(tmp_path, monkeypatch):
    path = colours(tmp_path / "a.mp4")
    decode = PyAVDecoder.decode
    monkeypatch.setattr(PyAVDecoder, "decode", lambda *given: list(decode(*given))[:5])
    assert [frame.timestamp for frame in FrameReader(path, rate=1.0)] == pytest.approx([0, 1, 2, 3, 4, 5])


@pytest.mark.parametrize(
    ("name", "codec", "encoder"),
    [
        ("a.webm", "libvpx-vp9", {}),  # hidden frames
        ("a.avi", "libx264", {"bf": "2"}),  # no timestamps
    ],
)
def test_no_plan_where_the_packets_do_not_tell(tmp_path, name, codec, encoder):
    path = write_video(tmp_path / name, [plain(RED)] * 10, codec=codec, encoder=encoder)
    assert make_plan(probe_video(path), 2.0) is None


@pytest.mark.parametrize(("stamps", "is_exact"), [([0, 100, 200], True), ([0, 100, 100, 200], False), ([0], False)])
def test_packets_are_exact_where_no_timestamp_is_there_twice(stamps, is_exact):
    stream = SimpleNamespace(start_time=0, time_base=Fraction(1, 100))
    film = SimpleNamespace(stream=stream, stamps=stamps, keys=[], is_exact=True, last=(2.0, 1.0))
    assert make_packet_table(film, True, 0.0).is_exact is is_exact


def take(rate: float, starts: list[float], end: float) -> list[list[float]]:
    grid = SamplingGrid(rate)
    return [grid.take(*span) for span in pairwise([*starts, end])]


def test_the_grid_takes_the_first_frame_that_reaches_each_point():
    times = [0.0, 0.4, 0.4995, 0.7, 1.0, 1.2, 1.6, 1.9, 2.0]
    assert sum(take(2.0, times, 2.1), []) == [0.0, 0.4995, 1.0, 1.6, 2.0]


def test_a_frame_that_is_held_is_taken_at_every_point_until_the_next_one():
    assert take(1.0, [0.0, 0.2, 2.9, 3.0], 5.5) == [[0.0], [1.0, 2.0], [], [3.0, 4.0, 5.0]]
    assert take(2.0, [0.0, 1.0], 2.0) == [[0.0, 0.5], [1.0, 1.5]]  # a frame a second


def test_a_clock_that_is_a_century_ahead_is_no_picture_that_stands_still():
    assert take(2.0, [0.0, 3e9], 3e9 + 0.1) == [[0.0], [3e9]]
