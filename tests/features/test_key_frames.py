"""A rough look at a whole video by its key frames."""

import subprocess
from dataclasses import replace

import numpy as np
import pytest
import torch

from grounding.features import key_frames as module
from grounding.features.chunks import BLOCK
from grounding.features.key_frames import KeyFrames, encode_key_frames
from grounding.features.streaming import StreamingEncoder, encode_frames
from tests.clips import BLUE, RED, plain, write_video


class Brightness:
    """An encoder that counts its frames."""

    name, width, batch = "brightness", 1, 8

    def __init__(self):
        self.count = 0

    def encode(self, frames):
        self.count += len(frames)
        return torch.tensor([[float(frame.mean())] for frame in frames]).reshape(-1, 1)


def shaded(count):
    """Frames that all differ."""
    return [np.full((72, 96, 3), 2 * number + 20, np.uint8) for number in range(count)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """80 seconds at one frame a second, a key frame every twelve."""
    return write_video(tmp_path_factory.mktemp("keys") / "long.mp4", shaded(80), fps=1, encoder={"g": "12"})


@pytest.fixture
def some():
    return KeyFrames(np.array([0.0, 4.0, 6.0]), np.array([[1.0], [2.0], [3.0]], np.float16), 8.0, 1.0, "brightness")


def test_each_time_gets_the_nearest_key_frame(some):
    times, features = some.fill()
    assert times.tolist() == list(range(8))
    assert features[:, 0].tolist() == [1, 1, 1, 2, 2, 2, 3, 3]
    assert some.video().duration == 8.0


def test_nothing_stands_for_what_comes_before_the_first_frame(some):
    assert replace(some, start=3.5).fill()[0].tolist() == [4, 5, 6, 7]


def test_what_is_encoded_is_left_out(some):
    places = np.arange(8)
    assert some.fill(places[:5], places[:5].astype(float))[0].tolist() == [5, 6, 7]
    assert some.fill(places, places.astype(float))[0].tolist() == []
    assert some.fill(places[[1, 2, 5]], np.array([1.1, 2.0, 5.0]))[0].tolist() == [0, 3, 4, 6, 7]


def test_a_key_frame_is_found_by_its_time(some):
    assert some.find(4.00001).tolist() == [2.0]
    assert some.find(4.5) is None and some.find(9.0) is None


def test_key_frames_span_the_video(clip):
    found = encode_key_frames(clip, Brightness(), 1.0)
    assert 3 < len(found.timestamps) <= 40
    assert found.timestamps[0] == 0 and found.timestamps[-1] > 60
    assert (np.diff(found.features[:, 0]) > 0).all()
    assert found.video().timestamps.tolist() == list(range(80))


def test_nothing_is_encoded_twice_and_the_end_is_the_same(clip):
    encoder = Brightness()
    rough = encode_key_frames(clip, encoder, 1.0)
    with_rough = encode_frames(clip, encoder, 1.0, key_frames=rough)
    plainly = encode_frames(clip, Brightness(), 1.0)
    assert encoder.count == 80
    assert np.array_equal(with_rough.features, plainly.features)
    assert np.array_equal(with_rough.timestamps, plainly.timestamps) and with_rough.duration == plainly.duration


def test_a_growing_video_spans_all_from_the_first_chunk_on(clip):
    rough = encode_key_frames(clip, Brightness(), 1.0)
    stream = StreamingEncoder(clip, Brightness(), 1.0, key_frames=rough)
    count = len(next(iter(stream)).frames)
    video = stream.video()
    assert video.timestamps.tolist() == list(range(80))
    assert video.duration == pytest.approx(80.0)
    assert np.array_equal(video.features[count:], rough.fill()[1][count:])


def test_a_short_video_is_encoded_at_once(tmp_path):
    short = write_video(tmp_path / "short.mp4", [plain(RED), plain(BLUE)] * 10, fps=1)
    assert encode_key_frames(short, Brightness(), 1.0) is None


def test_key_frames_that_are_too_far_apart_tell_nothing(clip, monkeypatch):
    monkeypatch.setattr(module, "FAR", 5.0)
    assert encode_key_frames(clip, Brightness(), 1.0) is None


def test_it_is_encoded_first_where_the_rough_curve_is_high_and_the_end_is_the_same(tmp_path):
    path = write_video(tmp_path / "long.mp4", shaded(100) + shaded(101)[:0:-1], fps=1, encoder={"g": "12"})
    encoder = Brightness()
    rough = encode_key_frames(path, encoder, 1.0)
    first = rough.choose_first(lambda video: video.features[:, 0].astype(float))  # the brightest, in the middle
    assert 90 < first[0] < 110 and len(first) == 50
    stream = StreamingEncoder(path, encoder, 1.0, key_frames=rough, first=first)
    steps = iter(stream)
    chunk = next(steps)
    assert chunk.first == 2 * BLOCK and stream.seconds == len(chunk.frames)
    last = chunk.frames[-1].timestamp
    assert [(round(start), round(end)) for start, end in stream.missing] == [(0, 64), (last, 200)]
    early = stream.video()
    assert early.rough == len(rough.timestamps) and early.timestamps.tolist() == list(range(200))
    for _ in steps:
        pass
    plainly = encode_frames(path, Brightness(), 1.0)
    assert encoder.count == 200 and not stream.missing and not stream.video().rough
    assert np.array_equal(stream.video().features, plainly.features)
    assert np.array_equal(stream.video().timestamps, plainly.timestamps)


def test_of_a_trimmed_mp4_nothing_is_encoded_twice(clip, tmp_path):
    path = tmp_path / "trimmed.mp4"  # begins between two key frames, so the block at the start cannot be sought
    subprocess.run(["ffmpeg", "-loglevel", "error", "-ss", "3.3", "-i", clip, "-c", "copy", path], check=True)
    encoder, seconds = Brightness(), []
    stream = StreamingEncoder(path, encoder, 1.0, first=[70.0])
    for _ in stream:
        seconds.append(stream.seconds)
    plainly = encode_frames(path, Brightness(), 1.0)
    assert encoder.count == len(plainly.timestamps) and seconds == sorted(seconds)
    assert np.array_equal(stream.video().features, plainly.features)
    assert np.array_equal(stream.video().timestamps, plainly.timestamps)


def test_a_file_that_cannot_be_read_in_another_order_is_read_in_that_of_time(clip, monkeypatch):
    monkeypatch.setattr(
        "grounding.isolation.client.IsolatedReader.is_exact",
        property(lambda self: "first" not in self._blocks, lambda self, value: None),
        raising=False,
    )
    stream = StreamingEncoder(clip, Brightness(), 1.0, first=[70.0])
    assert [chunk.first for chunk in stream if chunk.first % BLOCK == 0] == [64, 0, 32, 0, 32, 64]
    assert np.array_equal(stream.video().features, encode_frames(clip, Brightness(), 1.0).features)
