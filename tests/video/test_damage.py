from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from grounding.video.container import open_container
from grounding.video.damage import PatchedFrames, _is_unread, find_skipped
from grounding.video.probe import probe_video
from grounding.video.reader import FrameReader
from tests.clips import RED, colours, leave_one_way, noisy, plain, write_video
from tests.trust.matrix import broken, written

EVERY = [index / 10 for index in range(60)]


def without(start: float, end: float) -> list[float]:
    return [time for time in EVERY if not start <= time < end]


@pytest.mark.parametrize("reader", ["planned", "opencv", "pyav"])
@pytest.mark.parametrize(("suffix", "span"), [("mp4", (2.7, 3.4)), ("mkv", (2.7, 3.4)), ("ts", (2.7, 3.3))])
def test_a_broken_middle_is_told(tmp_path, monkeypatch, reader, suffix, span):
    leave_one_way(monkeypatch, reader)
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
        (without(0.0, 2.0), ((0.0, 2.0),)),
        ([], ()),
    ],
)
def test_packets_whose_frames_do_not_come_are_skipped(tmp_path, decoded, spans):
    found = find_skipped(probe_video(colours(tmp_path / "a.mp4")), decoded)
    assert [*map(tuple, found)] == [pytest.approx(span) for span in spans]


def scratched(path: Path, first: int, last: int) -> Path:
    """A video of 6 s, ten frames a second and a key frame every 2 s; most bytes of some of its frames are noise."""
    written(path, EVERY, encoder={"g": "20", "bf": "0", "sc_threshold": "0", "crf": "10"}, noise=12)
    with open_container(path) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    for place, size in packets[first : last + 1]:
        data[place + size // 4 : place + size] = np.random.default_rng(0).bytes(size - size // 4)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("planned", [True, False])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_frames_that_were_patched_up_are_told_with_those_that_follow_from_them(tmp_path, monkeypatch, suffix, planned):
    leave_one_way(monkeypatch, "planned" if planned else "pyav")
    reader = FrameReader(scratched(tmp_path / f"a.{suffix}", 24, 27), rate=2.0)
    assert len(list(reader)) == 12
    assert reader.skipped == (pytest.approx((2.4, 4.0), abs=0.25),)


def test_a_glitch_that_is_soon_over_is_not_told(tmp_path):
    reader = FrameReader(scratched(tmp_path / "a.mp4", 36, 37), rate=2.0)
    assert len(list(reader)) == 12 and reader.skipped == ()


@pytest.mark.parametrize(
    ("seen", "spoilt"),
    [
        ("K--K--", ""),
        ("K-x-K-", "23"),
        ("K-x---", "2345"),
        ("K-xX-K", "234"),
        ("xx--K-", "01"),  # a broadcast that was cut; it recovers by itself
        ("xx-x-K", "0134"),
    ],
)
def test_what_is_damaged_spoils_the_rest_up_to_the_next_key_frame(seen, spoilt):
    """K: a key frame; x, X: a damaged frame, a damaged key frame."""
    patches = PatchedFrames()
    for second, kind in enumerate(seen):
        frame = SimpleNamespace(is_corrupt=kind in "xX", key_frame=kind in "KX")
        patches.add(float(second), frame)
    assert [*np.flatnonzero(patches.find_spoilt(np.arange(len(seen), dtype=float)))] == [*map(int, spoilt)]
    assert bool(patches) == bool(spoilt)


def test_a_start_that_was_patched_up_is_told(tmp_path):
    patches = PatchedFrames()
    for second in EVERY[:10]:
        patches.add(second, SimpleNamespace(is_corrupt=second < 0.7, key_frame=False))
    assert find_skipped(probe_video(colours(tmp_path / "a.mp4")), EVERY, patches) == (pytest.approx((0.0, 0.7)),)


@pytest.mark.parametrize(("other", "damaged"), [(0, True), (9_000, False)])
def test_bytes_in_no_packet_are_damage(other, damaged):
    """10,000 bytes lie between two packets of the picture; `other` of them are sound."""
    times, places = np.array([0.0, np.nan, 5.0]), np.array([0.0, 2_000.0, 11_000.0])
    assert _is_unread(times, places, np.array([1_000.0, other, 50.0]), (0.0, 5.0)) is damaged


STILL = [index / 10 for index in range(20)] + [8 + index / 10 for index in range(20)]  # 6 s without a frame


@pytest.mark.parametrize("reader", ["planned", "opencv", "pyav"])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_beginning_that_is_lost_is_told_and_the_rest_stays_at_its_time(tmp_path, monkeypatch, suffix, reader):
    leave_one_way(monkeypatch, reader)
    path = write_video(tmp_path / f"a.{suffix}", noisy(60), encoder={"g": "20", "bf": "0", "sc_threshold": "0"})
    with open_container(path) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    for place, size in packets[:20]:
        data[place + 5 : place + size] = bytes(size - 5)
    path.write_bytes(data)
    frames = FrameReader(path, rate=2.0)
    assert [frame.timestamp for frame in frames] == pytest.approx(np.arange(2, 6, 0.5))
    assert frames.skipped == (pytest.approx((0.0, 2.0)),) and frames.duration == pytest.approx(6.0)
    assert not frames.info.plays_everywhere


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.ts", "libx264"), ("a.mpg", "mpeg2video")]
)
def test_a_picture_that_stands_still_among_moving_ones_is_no_damage(tmp_path, name, codec):
    fps = {"fps": 25, "ticks": 25} if codec == "mpeg2video" else {}
    times = [round(25 * time) / 25 for time in STILL] if fps else STILL
    frames = [plain((6 * index, 90, 250 - 6 * index)) for index in range(40)]
    reader = FrameReader(write_video(tmp_path / name, frames, times, codec, encoder={"bf": "0"}, **fps), rate=2.0)
    samples = list(reader)
    assert reader.skipped == ()
    assert [frame.timestamp for frame in samples] == pytest.approx([0.5 * k for k in range(20)], abs=0.05)
    held = [frame.image for frame in samples if 2.2 < frame.timestamp < 7.8]
    assert len(held) == 11 and all(image is held[0] for image in held)


@pytest.mark.parametrize("share", [0.0, 0.2])
def test_packets_that_a_receiver_lost_are_damage(tmp_path, share):
    """By the counters of the track, since nothing else tells: a recorder leaves out what did not arrive."""
    written(tmp_path / "a.ts", EVERY, encoder={"bf": "0", "g": "10", "crf": "10"}, noise=12)
    data = (tmp_path / "a.ts").read_bytes()
    packets = [data[start : start + 188] for start in range(0, len(data), 188)]
    film = [index for index, packet in enumerate(packets) if packet[1] & 0x1F == 1 and packet[2] == 0]  # PID 256
    middle, count = len(film) // 2, int(share * len(film)) | 1
    gone = set(film[middle : middle + count] if share else ())
    (tmp_path / "b.ts").write_bytes(b"".join(packet for index, packet in enumerate(packets) if index not in gone))
    reader = FrameReader(tmp_path / "b.ts", rate=2.0)
    list(reader)
    assert bool(reader.skipped) is bool(share)
