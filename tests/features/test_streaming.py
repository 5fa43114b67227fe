import threading

import numpy as np
import pytest
import torch

from grounding.errors import VideoError
from grounding.features.chunks import BLOCK
from grounding.features.streaming import MOST_EXPECTED, Rows, StreamingEncoder
from tests.clips import BLUE, RED, bad_file, plain, write_video


class Brightness:
    """An encoder that counts how often it is called."""

    name, width, batch = "brightness", 1, 8

    def __init__(self):
        self.calls = 0

    def encode(self, frames):
        self.calls += 1
        return torch.tensor([[float(frame.mean())] for frame in frames])


def decoding():
    """The threads that listen to a process that decodes or waits to."""
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("worker ")}


@pytest.fixture
def clip(tmp_path):
    """Ten seconds at ten frames a second."""
    return write_video(tmp_path / "long.mp4", [plain(RED)] * 50 + [plain(BLUE)] * 50)


def test_it_grows_a_chunk_at_a_time_to_the_whole_video(clip):
    stream = StreamingEncoder(clip, Brightness(), rate=10.0)
    counts = [0, *(len(stream.video().timestamps) for _ in stream)]
    assert counts[-1] == 100 and set(np.diff(counts)) <= set(range(1, Brightness.batch + 1))
    assert stream.video().duration == pytest.approx(10.0, abs=0.01)
    assert stream.video().encoder == "brightness"


def test_it_says_how_far_it_is_and_how_far_it_goes(clip):
    stream = StreamingEncoder(clip, Brightness(), rate=10.0)
    chunk = next(iter(stream))
    assert stream.seconds == pytest.approx((len(chunk.frames) - 1) / 10, abs=0.01)
    assert stream.expected == pytest.approx(10.0, abs=0.1)


def test_what_is_there_early_is_the_beginning_of_the_whole(clip):
    stream = StreamingEncoder(clip, Brightness(), rate=10.0)
    steps = iter(stream)
    chunk = next(steps)
    early = stream.video()
    assert chunk.first == 0 and [frame.timestamp for frame in chunk.frames] == early.timestamps.tolist()
    for _ in steps:
        pass
    assert np.array_equal(stream.video().features[: len(chunk.frames)], early.features)


def test_features_are_kept_in_half_precision(clip):
    stream = StreamingEncoder(clip, Brightness(), rate=10.0)
    next(iter(stream))
    assert stream.video().features.dtype == np.float16


def test_whoever_stops_stops_the_encoder(clip):
    encoder = Brightness()
    steps = iter(StreamingEncoder(clip, encoder, rate=10.0))
    next(steps)
    steps.close()
    assert encoder.calls == 1


def test_the_first_frame_of_a_block_is_encoded_whatever_was_before(clip):
    encoder = Brightness()
    list(StreamingEncoder(clip, encoder, rate=10.0))
    assert encoder.calls == 1 + len(range(0, 100, BLOCK))  # red, blue in the midst of a block


def test_whoever_stops_stops_the_decoder(clip):
    before = decoding()
    steps = iter(StreamingEncoder(clip, Brightness(), rate=10.0))
    next(steps)
    during = decoding()
    steps.close()
    assert during - decoding()
    assert len(decoding()) <= max(len(before), 1)


def test_an_encoder_that_fails_stops_the_decoder(clip):
    during = set()

    class Broken(Brightness):
        def encode(self, frames):
            during.update(decoding())
            raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        next(iter(StreamingEncoder(clip, Broken(), rate=10.0)))
    assert during - decoding()


def test_what_is_there_early_ends_where_it_ends(clip):
    stream = StreamingEncoder(clip, Brightness(), rate=10.0)
    chunk = next(iter(stream))
    assert stream.video().duration == pytest.approx(len(chunk.frames) / 10, abs=0.01)


def test_damage_that_shows_while_decoding_is_told(tmp_path):
    part = write_video(tmp_path / "part.ts", [plain(RED)] * 20).read_bytes()
    (tmp_path / "twice.ts").write_bytes(part + part)
    with pytest.raises(VideoError, match="jump backwards"):
        list(StreamingEncoder(tmp_path / "twice.ts", Brightness(), rate=1.0))


def test_a_file_that_is_no_video_is_told_at_once(tmp_path):
    with pytest.raises(VideoError, match=r"text\.mp4"):
        StreamingEncoder(bad_file("text", tmp_path), Brightness(), rate=1.0)


@pytest.mark.parametrize("expected", [1, 4, 100, 10**12])
def test_rows_become_more_than_expected(expected):
    rows, matrix = Rows(3, expected), np.arange(33, dtype=np.float32).reshape(11, 3)
    rows.put(0, [0.0, 1.0], matrix[:2])
    early = rows.all()
    for start in range(2, 11, 3):
        rows.put(start, np.arange(start, start + 3), matrix[start : start + 3])
    assert np.array_equal(rows.all(), matrix) and np.array_equal(early, matrix[:2])
    assert rows.times.tolist() == list(range(11))
    assert rows.all().base.shape[0] <= max(MOST_EXPECTED, 22)


def test_rows_are_filled_in_any_order():
    rows, matrix = Rows(2, 1), np.arange(8, dtype=np.float32).reshape(4, 2)
    rows.put(2, [2.5, 3.5], matrix[2:])
    assert rows.has_gaps and rows.places.tolist() == [2, 3] and rows.times.tolist() == [2.5, 3.5]
    assert np.array_equal(rows.all(), matrix[2:])
    rows.put(0, [0.5, 1.5], matrix[:2])
    assert not rows.has_gaps and np.array_equal(rows.all(), matrix)
    assert rows.find(1, 1.5).tolist() == [2, 3] and rows.find(1, 1.7) is None and rows.find(4, 1.5) is None
    rows.put(1, [3.0], matrix[:1])  # of another reading: what follows is no later
    assert rows.places.tolist() == [0, 1, 3]
    rows.drop_from(1)
    assert rows.places.tolist() == [0] and rows.find(1, 3.0) is None
