import threading

import numpy as np
import pytest
import torch

from grounding.errors import VideoError
from grounding.features.streaming import CHUNK, MOST_EXPECTED, Rows, StreamingEncoder, differ, encode_new
from tests.clips import BLUE, RED, bad_file, plain, write_video


class Brightness:
    """An encoder that counts how often it is called."""

    name, width = "brightness", 1

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
    counts = [len(stream.video().timestamps) for _ in stream]
    assert counts == [32, 64, 96, 100]
    assert stream.video().duration == pytest.approx(10.0, abs=0.01)
    assert stream.video().encoder == "brightness"


def test_it_says_how_far_it_is_and_how_far_it_goes(clip):
    stream = StreamingEncoder(clip, Brightness(), rate=10.0)
    next(iter(stream))
    assert stream.seconds == pytest.approx((CHUNK - 1) / 10, abs=0.01)
    assert stream.expected == pytest.approx(10.0, abs=0.1)


def test_what_is_there_early_is_the_beginning_of_the_whole(clip):
    stream = StreamingEncoder(clip, Brightness(), rate=10.0)
    steps = iter(stream)
    chunk = next(steps)
    early = stream.video()
    assert chunk.first == 0 and [frame.timestamp for frame in chunk.frames] == early.timestamps.tolist()
    for _ in steps:
        pass
    assert np.array_equal(stream.video().features[:CHUNK], early.features)


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
    next(iter(stream))
    assert stream.video().duration == pytest.approx(CHUNK / 10, abs=0.01)


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


class Numbering:
    """Gives every frame that it is asked for a number of its own."""

    name, width = "numbering", 1

    def __init__(self):
        self.count = 0

    def encode(self, frames):
        numbers = torch.arange(self.count + 1, self.count + 1 + len(frames), dtype=torch.float32)
        self.count += len(frames)
        return numbers.unsqueeze(1)


def still(shade, size=(240, 320)):
    return np.full((*size, 3), shade, np.uint8)


def numbers(frames):
    return encode_new(Numbering(), frames).flatten().tolist()


def test_frames_that_show_the_same_share_a_feature():
    assert numbers([still(5), still(5), still(90), still(90), still(5)]) == [1, 1, 2, 2, 3]


def test_what_is_the_same_is_not_encoded():
    encoder = Numbering()
    encode_new(encoder, [still(5)] * 30 + [still(90)] * 2)
    assert encoder.count == 2


def test_nothing_is_asked_of_the_encoder_where_all_is_known():
    known = np.array([[5.0]])
    assert encode_new(None, [still(5), still(5)], [known[0], None]).tolist() == [[5.0], [5.0]]


def test_slow_changes_add_up_until_they_count():
    texture = np.random.default_rng(0).random((240, 320, 3))
    assert len(set(numbers([np.uint8(100 + 0.4 * step + texture) for step in range(10)]))) > 1


def test_something_small_that_moves_is_new():
    frame, other = still(50), still(50)
    other[100:110, 200:210] = 200
    assert differ(frame, other)


def test_a_flicker_of_single_pixels_is_not_new():
    frame, other = still(50), still(50)
    other[::40, ::40] += 3
    assert not differ(frame, other)


@pytest.mark.parametrize("size", [(2, 3), (16, 9), (241, 323)])
def test_frames_of_any_size_are_compared(size):
    assert differ(still(5, size), still(90, size)) and not differ(still(5, size), still(5, size))
    assert differ(still(5, size), still(5))


def test_a_small_light_in_the_dark_is_something_new():
    dark = np.full((360, 640, 3), 16, np.uint8)
    light = dark.copy()
    light[100:102, 200:203] = 255
    assert differ(light, dark)
