"""A video on its way from file to features: the frames encoded so far can be used while the rest is still decoded."""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np

from grounding.encoders.registry import FrameEncoder
from grounding.features.encoded_video import EncodedVideo
from grounding.features.repeats import encode_new
from grounding.features.threads import sharing
from grounding.isolation.client import ApartReader
from grounding.video.reader import Frame

CHUNK = 32  # frames encoded at once
MOST_EXPECTED = 2**14  # rows; a container may claim any length

Progress = Callable[[float, str], None]


class Growing:
    """A video whose frames are being encoded: each step of the iteration encodes a chunk of them.

    A child process decodes the next chunk meanwhile. Whoever stops iterating stops decoder and encoder.

    Args:
        path: the video file.
        encoder: of frames.
        rate: frames sampled a second.

    Attributes:
        seconds: how far the frames reach so far.
        expected: how long the video is, as its container claims or, where it does not say, as a guess; seconds.

    Raises:
        VideoError: as ApartReader does.
    """

    def __init__(self, path: str | Path, encoder: FrameEncoder, rate: float) -> None:
        self._reader, self._encoder = ApartReader(path, rate), encoder
        self._timestamps: list[float] = []
        self._features = Rows(encoder.width, math.ceil(self.expected * rate) + CHUNK)
        self._whole = False

    def __iter__(self) -> Iterator[list[Frame]]:
        """The frames of each chunk, once they are encoded."""
        with closing(iter(self._reader)) as frames:
            for batch in batched(frames, CHUNK):
                with sharing()():
                    self._features.add(encode_new(self._encoder, [frame.image for frame in batch]).numpy())  # (B, D)
                self._timestamps += [frame.timestamp for frame in batch]
                yield batch
        self._whole = True

    @property
    def seconds(self) -> float:
        return self._timestamps[-1] if self._timestamps else 0.0

    @property
    def expected(self) -> float:
        return max(self._reader.info.duration or 2 * self.seconds + 1, self.seconds)

    def video(self) -> EncodedVideo:
        """What is encoded so far, at least one chunk; the whole video once the iteration is over."""
        timestamps, features = np.array(self._timestamps), self._features.all()  # (T,), (T, D)
        duration = self._reader.duration if self._whole else self.seconds + 1 / self._reader.rate  # decoded further
        return EncodedVideo(timestamps, features, duration, self._encoder.name, self._reader.skipped)


class Rows:
    """Rows of `width` that become more, in one piece of memory with room for those that are `expected`.

    They are kept in half precision: of two hours at 1664 that is 48 MB, and answers stay as they are.
    """

    def __init__(self, width: int, expected: int) -> None:
        self._room = np.empty((min(expected, MOST_EXPECTED), width), np.float16)
        self._count = 0

    def add(self, rows: np.ndarray) -> None:
        count = self._count + len(rows)
        if count > len(self._room):
            larger = np.empty((max(count, 2 * len(self._room)), self._room.shape[1]), np.float16)
            larger[: self._count] = self.all()
            self._room = larger
        self._room[self._count : count] = rows
        self._count = count

    def all(self) -> np.ndarray:
        """(N, width), which further rows leave as it is."""
        return self._room[: self._count]


def encode_frames(
    path: str | Path, encoder: FrameEncoder, rate: float, progress: Progress | None = None
) -> EncodedVideo:
    """Decodes a video, samples `rate` frames a second and encodes them: the one path from a file to features.

    Raises VideoError as ApartReader does; see `Predictor.encode_video`.
    """
    report = progress or (lambda fraction, message: None)
    report(0.0, "Opening the video")
    growing = Growing(path, encoder, rate)
    for _ in growing:
        report(min(growing.seconds / growing.expected, 0.99), f"Encoded {growing.seconds:.0f} s of video")
    report(1.0, "Encoded the whole video")
    return growing.video()


def batched(frames: Iterable[Frame], size: int) -> Iterator[list[Frame]]:
    """Lists of `size` frames, the last one shorter."""
    stream = iter(frames)
    while batch := list(islice(stream, size)):
        yield batch
