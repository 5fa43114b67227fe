from itertools import islice

import numpy as np
import pytest

from grounding.video import timeline
from grounding.video.container import open_container
from grounding.video.probe import probe_video
from grounding.video.pyav_decoder import decode_key_frame
from grounding.video.reader import FrameReader
from grounding.video.timeline import drop_backward, read_frames_from, read_key_frames
from tests.clips import plain, write_video

FORMATS = {
    "a.mp4": {"encoder": {"g": "20", "bf": "3"}},
    "a.mkv": {"encoder": {"g": "20", "bf": "3"}},
    "a.ts": {"encoder": {"g": "20"}},
    "a.avi": {"codec": "mpeg4", "encoder": {"g": "20"}},
    "a.flv": {"codec": "flv", "encoder": {"g": "20"}},
    "late.mkv": {"times": [3 + index / 10 for index in range(150)], "encoder": {"g": "20"}},
}


def write(folder, name):
    frames = [plain((index, 255 - index, 40)) for index in range(150)]
    return write_video(folder / name, frames, **FORMATS[name])


def reds(frames):
    return [(time, frame.to_ndarray(format="rgb24")[:, :, 0].mean()) for time, frame in frames]


@pytest.mark.parametrize("name", FORMATS)
def test_the_clock_is_that_of_the_answers(tmp_path, name):
    path = write(tmp_path, name)
    reader = FrameReader(path, 1.0)
    times = [time for time, *_ in reader.read_timed()]
    assert [time for time, _ in read_frames_from(probe_video(path))] == pytest.approx(times, abs=1e-6)
    assert probe_video(path).info.duration == pytest.approx(reader.duration, abs=0.11)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("start", [0.0, 4.99, 7.25, 13.0, 14.85])
def test_from_any_point_the_frames_are_those_of_the_whole(tmp_path, name, start):
    path = write(tmp_path, name)
    whole = dict(reds(read_frames_from(probe_video(path))))
    part = reds(islice(read_frames_from(probe_video(path), start), 80))
    assert part[0][0] <= start
    assert all(red == pytest.approx(whole[time], abs=1) for time, red in part if time >= start - 0.1)
    assert any(time > start for time, _ in part)


def test_a_file_that_cannot_seek_is_read_from_its_beginning(tmp_path, monkeypatch):
    monkeypatch.setattr(timeline, "seek", lambda *_: False)
    assert next(read_frames_from(probe_video(write(tmp_path, "a.mkv")), 12.0))[0] == 0


def test_a_seek_that_lands_too_late_is_not_trusted(tmp_path, monkeypatch):
    def overshooting(probe, container, seconds):
        stream = container.streams[probe.track]
        container.seek(round(13.9 / stream.time_base), stream=stream)
        return True

    monkeypatch.setattr(timeline, "seek", overshooting)
    assert next(read_frames_from(probe_video(write(tmp_path, "a.mkv")), 12.0))[0] == 0


def test_frames_without_timestamps_follow_each_other_and_late_ones_are_dropped():
    raw = [(None, "a"), (None, "b"), (1.0, "c"), (0.5, "d"), (None, "e")]
    assert list(drop_backward(iter(raw), 0.0, 0.25)) == [(0.0, "a"), (0.25, "b"), (1.0, "c"), (1.25, "e")]


def test_the_beginning_is_on_the_containers_clock(tmp_path):
    assert probe_video(write(tmp_path, "late.mkv")).start == pytest.approx(3.0)
    assert probe_video(write(tmp_path, "a.mp4")).start == 0


@pytest.mark.parametrize("name", FORMATS)
def test_key_frames_come_from_all_over_the_video_at_their_times(tmp_path, name):
    probe = probe_video(write(tmp_path, name))
    found = reds(read_key_frames(probe, 4))
    whole = dict(reds(read_frames_from(probe)))
    assert len(found) == 4
    assert all(red == pytest.approx(whole[time], abs=3) for time, red in found)
    keys = probe.packets.keys - probe.first
    assert all(np.abs(keys - time).min() < 2e-3 for time, _ in found)
    assert found[0][0] < 5 and found[-1][0] > 10
    assert len(list(read_key_frames(probe, 1000))) <= len(keys)


def test_a_key_frame_is_decoded_without_those_that_follow_it(tmp_path):
    probe = probe_video(write(tmp_path, "a.mp4"))
    key, next_key = probe.packets.keys[2:4]
    with open_container(probe.path) as container:
        assert timeline.seek(probe, container, key)
        seconds, frame = decode_key_frame(probe, container)
        following = next(container.demux(container.streams[probe.track]))
    assert (seconds, frame.key_frame) == (pytest.approx(key), True) and following.pts * following.time_base < next_key
