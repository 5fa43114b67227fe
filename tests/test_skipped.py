import numpy as np
import pytest

from grounding import video
from grounding.skipped import _unread, skipped
from grounding.video import FrameReader
from tests.clips import RED, colours, plain, write_video
from tests.trust.matrix import broken

EVERY = [index / 10 for index in range(60)]


def without(start: float, end: float) -> list[float]:
    return [time for time in EVERY if not start <= time < end]


@pytest.mark.parametrize("reader", ["planned", "opencv", "pyav"])
@pytest.mark.parametrize(("suffix", "span"), [("mp4", (2.8, 3.4)), ("mkv", (2.7, 3.4)), ("ts", (2.7, 3.3))])
def test_a_broken_middle_is_told(tmp_path, monkeypatch, reader, suffix, span):
    if reader != "planned":
        monkeypatch.setattr(video, "make_plan", lambda *_: None)
    if reader == "pyav":
        monkeypatch.setattr(video, "opencv_frames", lambda *_: iter(()))
    broken(tmp_path / f"a.{suffix}")
    frames = FrameReader(tmp_path / f"a.{suffix}", rate=2.0)
    list(frames)
    assert frames.skipped == (pytest.approx(span),)


def test_a_recording_that_pauses_is_whole(tmp_path):
    times = [0.0, 0.1, 0.2, 3.0, 3.1, 9.0]
    reader = FrameReader(write_video(tmp_path / "screen.mkv", [plain(RED)] * 6, times), rate=2.0)
    list(reader)
    assert reader.skipped == ()


@pytest.mark.parametrize(
    ("decoded", "spans"),
    [
        (EVERY, ()),
        (without(1.0, 1.4), ()),  # hides no sample
        (without(1.0, 2.0), ((1.0, 2.0),)),
        (without(1.0, 2.0)[:30], ((1.0, 2.0), (4.0, 6.0))),  # the end too
        (without(0.0, 2.0), ()),  # times count from the first frame that is shown
        ([], ()),
    ],
)
def test_packets_whose_frames_do_not_come_are_skipped(tmp_path, decoded, spans):
    found = skipped(colours(tmp_path / "a.mp4"), EVERY, decoded)
    assert [*map(tuple, found)] == [pytest.approx(span) for span in spans]


@pytest.mark.parametrize(("other", "damaged"), [(0, True), (9_000, False)])
def test_bytes_in_no_packet_are_damage(other, damaged):
    """10,000 bytes lie between two packets of the picture; `other` of them are sound."""
    times, places = np.array([0.0, np.nan, 5.0]), np.array([0.0, 2_000.0, 11_000.0])
    assert _unread(times, places, np.array([1_000.0, other, 50.0]), (0.0, 5.0)) is damaged
