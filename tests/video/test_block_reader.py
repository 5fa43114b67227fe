"""Frames in another order than that of time are the frames that come in order."""

import numpy as np
import pytest

from grounding.video.block_reader import BlockReader, order_blocks
from grounding.video.probe import probe_video
from grounding.video.reader import FrameReader
from tests.clips import plain, write_video
from tests.trust.matrix import broken

SIZE = 4
CLOSED = {"g": "12", "bf": "2", "sc_threshold": "0"}


def shades(count):
    """Frames that all differ."""
    return [plain((4 * number % 250, 90, 250 - number)) for number in range(count)]


def read(path, first, rate=4.0):
    """The reader after its iteration, and what it gave."""
    reader = BlockReader(probe_video(path), rate, SIZE, first, short_side=336)
    return reader, list(reader)


def test_places_of_interest_come_first_and_neighbours_in_one_go():
    assert order_blocks([5, 2, 3, 2], 7) == [range(5, 6), range(2, 4), range(0, 2), range(4, 5), range(6, 7)]
    assert order_blocks([], 3) == [range(0, 3)]
    assert order_blocks([9, 0], 1) == [range(0, 1)]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("closed.mp4", {"encoder": CLOSED}),
        ("open.mkv", {"encoder": CLOSED | {"x264-params": "open-gop=1"}}),
        ("hevc.mp4", {"codec": "libx265", "encoder": {"x265-params": "keyint=12:open-gop=1:log-level=none"}}),
        ("uneven.mkv", {"encoder": CLOSED, "times": [0.1 * index**1.1 for index in range(100)]}),
        ("held.mp4", {"encoder": CLOSED, "times": [0.1 * index + 3 * (index > 50) for index in range(100)]}),
    ],
)
def test_frames_are_those_that_come_in_order(tmp_path, name, options):
    path = write_video(tmp_path / name, shades(100), **options)
    plainly = FrameReader(path, 4.0)
    frames = list(plainly)
    reader, indexed = read(path, [8.2, 5.0, 8.0])
    assert reader.is_exact and (reader.duration, reader.skipped) == (plainly.duration, plainly.skipped)
    assert indexed[0].timestamp <= 8.2 <= indexed[SIZE - 1].timestamp + 1
    in_order = sorted(indexed, key=lambda frame: frame.index)
    assert [frame.index for frame in in_order] == list(range(len(frames)))
    assert [frame.timestamp for frame in in_order] == [frame.timestamp for frame in frames]
    assert all(np.array_equal(one.image, other.image) for one, other in zip(in_order, frames, strict=True))


def test_what_does_not_let_itself_be_read_in_another_order_says_so(tmp_path):
    old = write_video(tmp_path / "old.avi", shades(40), codec="mpeg4")
    broken(tmp_path / "broken.mp4")
    assert not any(read(path, [3.0])[0].is_exact for path in (old, tmp_path / "broken.mp4"))
