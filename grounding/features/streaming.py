"""A video on its way from file to features: the frames encoded so far can be used while the rest is still decoded."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from grounding.encoders.registry import FrameEncoder
from grounding.features.encoded_video import EncodedVideo
from grounding.features.key_frames import KeyFrames
from grounding.isolation.client import IsolatedReader
from grounding.isolation.worker_pool import Check
from grounding.video.reader import Frame

CHUNK = 32  # frames encoded at once
MOST_EXPECTED = 2**14  # rows; a container may claim any length
GRID = (16, 16)  # what moves may be small, so the blocks of a frame are compared one by one
STILL = 1.0  # of 255, the mean difference in a block up to which nothing has moved
BRIGHT = 48  # of 255, the difference of a single pixel from which something new is there, however small

Progress = Callable[[float, str], None]


class StreamingEncoder:
    """A video whose frames are being encoded: each step of the iteration encodes a chunk of them.

    A child process decodes the next chunk meanwhile. Whoever stops iterating stops decoder and encoder.

    Args:
        path: the video file.
        encoder: of frames.
        rate: frames sampled a second.
        check: called while the decoder is waited for; what it raises ends the work at once, see isolation.client.
        key_frames: of the same video, encoded before: they are not encoded again, and stand for what is not yet there.

    Attributes:
        seconds: how far the frames reach so far.
        expected: how long the video is, as its container claims or, where it does not say, as a guess; seconds.

    Raises:
        VideoError: as IsolatedReader does.
    """

    def __init__(
        self,
        path: str | Path,
        encoder: FrameEncoder,
        rate: float,
        check: Check | None = None,
        key_frames: KeyFrames | None = None,
    ) -> None:
        self._reader, self._encoder, self._key_frames = IsolatedReader(path, rate, check=check), encoder, key_frames
        self._timestamps: list[float] = []
        self._features = Rows(encoder.width, math.ceil(self.expected * rate) + CHUNK)
        self._whole = False

    def __iter__(self) -> Iterator[list[Frame]]:
        """The frames of each chunk, once they are encoded."""
        for chunk in read_chunks(self._reader):
            known = [self._key_frames and self._key_frames.find(frame.timestamp) for frame in chunk]
            self._features.add(encode_new(self._encoder, [frame.image for frame in chunk], known))  # (B, D)
            self._timestamps += [frame.timestamp for frame in chunk]
            yield chunk
        self._whole = True

    @property
    def seconds(self) -> float:
        return self._timestamps[-1] if self._timestamps else 0.0

    @property
    def expected(self) -> float:
        return max(self._reader.info.duration or 2 * self.seconds + 1, self.seconds)

    def video(self) -> EncodedVideo:
        """What is encoded so far, at least one chunk, and after it what key frames tell; the whole video once the
        iteration is over."""
        timestamps, features = np.array(self._timestamps), self._features.all()  # (T,), (T, D)
        duration = self._reader.duration if self._whole else self.seconds + 1 / self._reader.rate  # decoded further
        if self._key_frames and not self._whole:
            later, rough = self._key_frames.fill(after=self.seconds)
            timestamps, features = np.append(timestamps, later), np.concatenate([features, rough])  # (T,), (T, D)
            duration = max(duration, self._key_frames.duration)
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
    path: str | Path,
    encoder: FrameEncoder,
    rate: float,
    progress: Progress | None = None,
    key_frames: KeyFrames | None = None,
) -> EncodedVideo:
    """Decodes a video, samples `rate` frames a second and encodes them: the one path from a file to features.

    Raises VideoError as IsolatedReader does; see `Predictor.encode_video`.
    """
    report = progress or (lambda fraction, message: None)
    report(0.0, "Opening the video")
    stream = StreamingEncoder(path, encoder, rate, key_frames=key_frames)
    for _ in stream:
        report(min(stream.seconds / stream.expected, 0.99), f"Encoded {stream.seconds:.0f} s of video")
    report(1.0, "Encoded the whole video")
    return stream.video()


def read_chunks(reader: IsolatedReader) -> Iterator[list[Frame]]:
    """Frames in lists of CHUNK, the last one shorter. Whoever stops iterating stops the decoder."""
    with closing(iter(reader)) as frames:
        while chunk := list(islice(frames, CHUNK)):
            yield chunk


def encode_new(
    encoder: FrameEncoder, frames: Sequence[np.ndarray], known: Sequence[np.ndarray | None] = ()
) -> np.ndarray:
    """(B, width), as the encoder's `encode`, but frames that show nothing new are not encoded again: slides, screens
    and cameras that stand still.

    A frame is compared with the last encoded one and not with its neighbour, so slow changes add up until they count.
    `known`: of each frame its feature (width,) where it was encoded before.
    """
    fresh: list[int] = []  # where in `frames` something new is
    rows: list[int] = []
    for index, frame in enumerate(frames):
        last = frames[fresh[-1]] if fresh else None
        if last is None or (frame is not last and differ(frame, last)):
            fresh.append(index)
        rows.append(len(fresh) - 1)
    missing = [index for index in fresh if not len(known) or known[index] is None]
    encoded = iter(encoder.encode([frames[index] for index in missing]).numpy())
    return np.stack([next(encoded) if index in missing else known[index] for index in fresh])[rows]  # (B, width)


def differ(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two frames show something different anywhere."""
    if one.shape != other.shape:
        return True
    difference = cv2.absdiff(one, other)  # (H, W, 3)
    if difference.max() >= BRIGHT:
        return True
    return bool(cv2.resize(difference.astype(np.float32), GRID, interpolation=cv2.INTER_AREA).max() >= STILL)
