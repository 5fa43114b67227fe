"""A video on its way from file to features: the frames encoded so far can be used while the rest is still decoded."""

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from grounding.features.chunks import BLOCK, Chunk, Known, encode_chunks
from grounding.features.encoded_video import EncodedVideo
from grounding.features.key_frames import SAME_TIME, KeyFrames
from grounding.features.new_frames import NewFrameEncoder
from grounding.isolation.client import IsolatedReader
from grounding.isolation.worker_pool import Check
from grounding.video.damage import Span

if TYPE_CHECKING:
    from grounding.encoders.registry import FrameEncoder

MOST_EXPECTED = 2**14  # rows; a container may claim any length

Progress = Callable[[float, str], None]


class StreamingEncoder:
    """A video whose frames are being encoded: each step of the iteration encodes a chunk of them.

    A child process decodes further chunks meanwhile. Whoever stops iterating stops decoder and encoder.

    Args:
        path: the video file.
        encoder: of frames.
        rate: frames sampled a second.
        check: called while the decoder is waited for; what it raises ends the work at once, see isolation.client.
        key_frames: of the same video, encoded before: they are not encoded again, and stand for what is not yet there.
        first: seconds of places of interest, the most wanted first: blocks around them are encoded before the others,
            where the file allows it. The blocks, and so the features of the whole video, are the same in any order.

    Attributes:
        seconds: how much is encoded so far.
        expected: how long the video is, as its container claims or, where it does not say, as a guess; seconds.

    Raises:
        VideoError: as IsolatedReader does.
    """

    def __init__(
        self,
        path: str | Path,
        encoder: "FrameEncoder",
        rate: float,
        check: Check | None = None,
        key_frames: KeyFrames | None = None,
        first: Sequence[float] | None = None,
    ) -> None:
        self._encoder, self._key_frames, self._check = encoder, key_frames, check
        self._start_reader = partial(IsolatedReader, path, rate, check=check, size=BLOCK)
        self._reader = self._start_reader(first=first)
        self._rows = Rows(encoder.width, math.ceil((self._reader.info.duration or 0.0) * rate) + BLOCK)
        self._whole = False

    def __iter__(self) -> Iterator[Chunk]:
        """Each chunk, once it is encoded."""
        end = yield from self._encode_chunks()
        if not self._reader.is_exact:  # it cannot be read in any order but that of time; what is encoded stays so
            self._reader = self._start_reader()
            end = yield from self._encode_chunks()
        self._rows.drop_from(end)
        self._whole = True

    @property
    def seconds(self) -> float:
        if self._rows.has_gaps:
            return len(self._rows.times) / self._reader.rate
        return float(self._rows.times[-1]) if len(self._rows.times) else 0.0

    @property
    def expected(self) -> float:
        return max(self._reader.info.duration or 2 * self.seconds + 1, self.seconds)

    @property
    def missing(self) -> list[Span]:
        """Spans (start, end) in seconds of which no frame is encoded yet."""
        if self._whole:
            return []
        places, times = self._rows.places, self._rows.times
        starts, ends = np.append(self._reader.info.start, times), np.append(times, self.expected)  # (N + 1,)
        apart = np.diff(np.concatenate([[-1], places, [np.inf]])) > 1  # (N + 1,)
        return list(zip(starts[apart].tolist(), ends[apart].tolist(), strict=True))

    def video(self) -> EncodedVideo:
        """What is encoded so far, at least one chunk, and elsewhere what key frames tell; the whole video once the
        iteration is over."""
        times, features = self._rows.times, self._rows.all()  # (T,), (T, D)
        if self._whole:
            return EncodedVideo(times, features, self._reader.duration, self._encoder.name, self._reader.skipped)
        duration, rough = times[-1] + 1 / self._reader.rate, 0  # the decoder is further
        if self._key_frames:
            elsewhere, filled = self._key_frames.fill(self._rows.places, times)  # (R,), (R, D)
            times = np.append(times, elsewhere)  # (T + R,)
            order = np.argsort(times)
            times, features = times[order], np.concatenate([features, filled])[order]
            duration, rough = max(duration, self._key_frames.duration), len(self._key_frames.timestamps)
        return EncodedVideo(times, features, duration, self._encoder.name, self._reader.skipped, rough)

    def _encode_chunks(self) -> Generator[Chunk, None, int]:
        """Each chunk, once it is encoded; returns the number of frames."""
        end, encoder, most = 0, NewFrameEncoder(self._encoder), min(self._encoder.batch, BLOCK)

        def encode(chunk: Chunk, known: Known) -> np.ndarray:
            if chunk.first % BLOCK == 0:
                encoder.forget()  # since other blocks may come before
            return encoder.encode([frame.image for frame in chunk.frames], known)  # (B, D)

        with closing(self._reader.read_indexed()) as frames:
            for chunk, rows in encode_chunks(frames, most, self._find_known, encode, self._check):
                self._rows.put(chunk.first, [frame.timestamp for frame in chunk.frames], rows)
                end = max(end, chunk.first + len(chunk.frames))
                yield chunk
                del chunk, rows  # not needed while those of the next one come
        return end

    def _find_known(self, chunk: Chunk) -> Known:
        return [self._find_row(place, frame.timestamp) for place, frame in enumerate(chunk.frames, chunk.first)]

    def _find_row(self, place: int, time: float) -> np.ndarray | None:
        """(D,) of a frame that was encoded before, in another reading or as a key frame."""
        row = self._rows.find(place, time)
        return self._key_frames.find(time) if row is None and self._key_frames else row


class Rows:
    """Rows of `width` with their times, at places from 0 on that are filled in any order; in one piece of memory with
    room for those that are `expected`.

    They are kept in half precision: of two hours at 1664 that is 48 MB, and answers stay as they are.
    """

    def __init__(self, width: int, expected: int) -> None:
        room = min(expected, MOST_EXPECTED)
        self._room, self._times, self._count = np.empty((room, width), np.float16), np.full(room, np.nan), 0

    def put(self, place: int, times: Sequence[float], rows: np.ndarray) -> None:
        """Rows (N, width) from `place` on, with their seconds (N,); rows behind them that are no later leave."""
        end = place + len(rows)
        if end > len(self._room):
            size = max(end, 2 * len(self._room))
            room, known = np.empty((size, self._room.shape[1]), np.float16), np.full(size, np.nan)
            room[: self._count], known[: self._count] = self._room[: self._count], self._times[: self._count]
            self._room, self._times = room, known
        self._room[place:end], self._times[place:end] = rows, times
        self._count = max(self._count, end)
        self._times[end:][self._times[end:] <= times[-1]] = np.nan

    def find(self, place: int, time: float) -> np.ndarray | None:
        """(width,) the row at a place, where it is of this time."""
        return self._room[place] if place < self._count and abs(self._times[place] - time) <= SAME_TIME else None

    def drop_from(self, place: int) -> None:
        """Rows from `place` on leave."""
        self._times[place:], self._count = np.nan, min(self._count, place)

    @property
    def places(self) -> np.ndarray:
        """(N,) of the rows that are there, increasing."""
        return np.flatnonzero(~np.isnan(self._times[: self._count]))

    @property
    def has_gaps(self) -> bool:
        return bool(np.isnan(self._times[: self._count]).any())

    @property
    def times(self) -> np.ndarray:
        """(N,) seconds."""
        return self._times[self.places]

    def all(self) -> np.ndarray:
        """(N, width), which further rows leave as it is."""
        return self._room[self.places] if self.has_gaps else self._room[: self._count]


def encode_frames(
    path: str | Path,
    encoder: "FrameEncoder",
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
    for chunk in stream:
        del chunk
        report(min(stream.seconds / stream.expected, 0.99), f"Encoded {stream.seconds:.0f} s of video")
    report(1.0, "Encoded the whole video")
    return stream.video()
