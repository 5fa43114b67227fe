"""Frames in chunks, one encoded while the next is decoded."""

from contextvars import ContextVar
from threading import Event

import numpy as np
import pytest

from grounding.features.chunks import BLOCK, FEWEST, encode_chunks, gather_chunks
from grounding.video.reader import Frame


def numbered(indices):
    """Frames that hold their index."""
    return ((index, Frame(float(index), np.full((1, 1, 3), index))) for index in indices)


def encode(chunk, known):
    return np.array([frame.timestamp for frame in chunk.frames])


def know_nothing(chunk):
    return [None] * len(chunk.frames)


def sizes(indices, most, is_free):
    return [(chunk.first, len(chunk.frames)) for chunk in gather_chunks(numbered(indices), most, is_free)]


def test_while_the_encoder_is_free_a_few_go_at_once():
    assert sizes(range(5), 8, lambda: True) == [(0, FEWEST), (FEWEST, FEWEST), (2 * FEWEST, 1)]


def test_while_it_is_busy_frames_gather():
    assert sizes(range(20), 8, lambda: False) == [(0, 8), (8, 8), (16, 4)]


def test_a_block_begins_a_chunk_whatever_was_before():
    indices = [*range(2 * BLOCK, 2 * BLOCK + 3), *range(BLOCK + 2)]
    assert sizes(indices, BLOCK, lambda: False) == [(2 * BLOCK, 3), (0, BLOCK), (BLOCK, 2)]


def test_features_come_with_their_chunks_in_order():
    found = list(encode_chunks(numbered(range(50)), 8, know_nothing, encode))
    assert [frame.timestamp for chunk, _ in found for frame in chunk.frames] == list(range(50))
    assert np.concatenate([rows for _, rows in found]).tolist() == list(range(50))


def test_the_next_chunk_is_gathered_while_one_is_encoded():
    gathered = Event()

    def frames():
        for index, frame in numbered(range(FEWEST + 8)):
            if index == FEWEST + 7:
                gathered.set()
            yield index, frame

    def wait_and_encode(chunk, known):
        assert gathered.wait(60) or chunk.first
        return encode(chunk, known)

    assert [len(chunk.frames) for chunk, _ in encode_chunks(frames(), 8, know_nothing, wait_and_encode)] == [FEWEST, 8]


def test_the_encoder_sees_the_context_of_who_asks():
    visitor = ContextVar("visitor")
    visitor.set("Ann")
    [(_, rows)] = encode_chunks(numbered([0]), 8, know_nothing, lambda chunk, known: visitor.get())
    assert rows == "Ann"


def test_what_it_raises_comes_out():
    def fail(chunk, known):
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        list(encode_chunks(numbered(range(3)), 8, know_nothing, fail))


def test_check_ends_a_wait_for_a_slow_encoder_at_once():
    class CancelledError(Exception):
        pass

    started, end = Event(), Event()

    def wait_for_end(chunk, known):
        started.set()
        end.wait(60)
        return encode(chunk, known)

    def check():
        if started.is_set():
            raise CancelledError

    with pytest.raises(CancelledError):
        list(encode_chunks(numbered(range(9)), 8, know_nothing, wait_for_end, check))
    assert not end.is_set()
    end.set()
