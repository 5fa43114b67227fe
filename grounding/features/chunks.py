"""Frames on their way to the encoder: while one chunk of them is encoded in a thread, the next is decoded."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import NamedTuple

import numpy as np

from grounding.isolation.worker_pool import POLL, Check
from grounding.video.reader import Frame

BLOCK = 32  # frames decoded in order of time, whatever comes first; the most that are encoded at once
FEWEST = 2  # frames that are encoded at once; one alone takes longer

Known = Sequence[np.ndarray | None]  # of each frame of a chunk its feature (D,) where it was encoded before


class Chunk(NamedTuple):
    """Neighbouring frames that are encoded together: `first` is the index of the first one in order of time."""

    first: int
    frames: list[Frame]


def encode_chunks(
    frames: Iterable[tuple[int, Frame]],
    most: int,
    find_known: Callable[[Chunk], Known],
    encode: Callable[[Chunk, Known], np.ndarray],
    check: Check | None = None,
) -> Iterator[tuple[Chunk, np.ndarray]]:
    """Each chunk with its features (B, D), one after the other.

    Whoever stops iterating waits for nothing; what is being encoded then is dropped.

    Args:
        frames: each with its index in order of time.
        most: frames in a chunk.
        find_known: called in this thread.
        encode: called in another thread, for one chunk at a time.
        check: called while a chunk is waited for; what it raises ends the work.
    """
    thread, started = ThreadPoolExecutor(1, "encoder"), deque[tuple[Chunk, Future[np.ndarray]]]()
    try:
        for chunk in gather_chunks(frames, most, lambda: not started or started[-1][1].done()):
            # ZeroGPU looks up in the context who asks.
            started.append((chunk, thread.submit(copy_context().run, encode, chunk, find_known(chunk))))
            del chunk  # its frames are not needed while those of the next one come
            if len(started) > 1:
                yield _finish(*started.popleft(), check)
        if started:
            yield _finish(*started.popleft(), check)
    finally:
        thread.shutdown(wait=False, cancel_futures=True)


def gather_chunks(
    frames: Iterable[tuple[int, Frame]], most: int, is_encoder_free: Callable[[], bool]
) -> Iterator[Chunk]:
    """What comes until the encoder is free, up to `most` frames. A block begins a chunk.

    So a quick encoder leaves the cores to the decoder, and a slow one has enough at once to use all of them.
    """
    chunk = Chunk(0, [])
    for index, frame in frames:
        if chunk.frames and index % BLOCK == 0:  # other blocks may have come before
            yield chunk
            chunk = Chunk(0, [])
        chunk = chunk if chunk.frames else Chunk(index, [])
        chunk.frames.append(frame)
        if len(chunk.frames) == most or (len(chunk.frames) >= FEWEST and is_encoder_free()):
            yield chunk
            chunk = Chunk(0, [])
    if chunk.frames:
        yield chunk


def _finish(chunk: Chunk, rows: Future[np.ndarray], check: Check | None) -> tuple[Chunk, np.ndarray]:
    while not wait([rows], timeout=POLL).done:
        if check:
            check()
    return chunk, rows.result()
