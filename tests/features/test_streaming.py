import threading

import numpy as np
import pytest
import torch

from grounding.errors import VideoError
from grounding.features.streaming import CHUNK, MOST_EXPECTED, Growing, Rows
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
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("child ")}


@pytest.fixture
def clip(tmp_path):
    """Ten seconds at ten frames a second."""
    return write_video(tmp_path / "long.mp4", [plain(RED)] * 50 + [plain(BLUE)] * 50)


def test_it_grows_a_chunk_at_a_time_to_the_whole_video(clip):
    growing = Growing(clip, Brightness(), rate=10.0)
    counts = [len(growing.video().timestamps) for _ in growing]
    assert counts == [32, 64, 96, 100]
    assert growing.video().duration == pytest.approx(10.0, abs=0.01)
    assert growing.video().encoder == "brightness"


def test_it_says_how_far_it_is_and_how_far_it_goes(clip):
    growing = Growing(clip, Brightness(), rate=10.0)
    next(iter(growing))
    assert growing.seconds == pytest.approx((CHUNK - 1) / 10, abs=0.01)
    assert growing.expected == pytest.approx(10.0, abs=0.1)


def test_what_is_there_early_is_the_beginning_of_the_whole(clip):
    growing = Growing(clip, Brightness(), rate=10.0)
    steps = iter(growing)
    frames = next(steps)
    early = growing.video()
    assert [frame.timestamp for frame in frames] == early.timestamps.tolist()
    for _ in steps:
        pass
    assert np.array_equal(growing.video().features[:CHUNK], early.features)


def test_features_are_kept_in_half_precision(clip):
    growing = Growing(clip, Brightness(), rate=10.0)
    next(iter(growing))
    assert growing.video().features.dtype == np.float16


def test_whoever_stops_stops_the_encoder(clip):
    encoder = Brightness()
    steps = iter(Growing(clip, encoder, rate=10.0))
    next(steps)
    steps.close()
    assert encoder.calls == 1


def test_whoever_stops_stops_the_decoder(clip):
    before = decoding()
    steps = iter(Growing(clip, Brightness(), rate=10.0))
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
        next(iter(Growing(clip, Broken(), rate=10.0)))
    assert during - decoding()


def test_what_is_there_early_ends_where_it_ends(clip):
    growing = Growing(clip, Brightness(), rate=10.0)
    next(iter(growing))
    assert growing.video().duration == pytest.approx(CHUNK / 10, abs=0.01)


def test_damage_that_shows_while_decoding_is_told(tmp_path):
    part = write_video(tmp_path / "part.ts", [plain(RED)] * 20).read_bytes()
    (tmp_path / "twice.ts").write_bytes(part + part)
    with pytest.raises(VideoError, match="jump backwards"):
        list(Growing(tmp_path / "twice.ts", Brightness(), rate=1.0))


def test_a_file_that_is_no_video_is_told_at_once(tmp_path):
    with pytest.raises(VideoError, match=r"text\.mp4"):
        Growing(bad_file("text", tmp_path), Brightness(), rate=1.0)


@pytest.mark.parametrize("expected", [1, 4, 100, 10**12])
def test_rows_become_more_than_expected(expected):
    rows, matrix = Rows(3, expected), np.arange(33, dtype=np.float32).reshape(11, 3)
    rows.add(matrix[:2])
    early = rows.all()
    for start in range(2, 11, 3):
        rows.add(matrix[start : start + 3])
    assert np.array_equal(rows.all(), matrix) and np.array_equal(early, matrix[:2])
    assert rows.all().base.shape[0] <= max(MOST_EXPECTED, 22)
