"""Clips that a visitor has given: encoded once, remembered for the next query, and shown while they grow."""

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

from grounding.app.memory_cache import Memory
from grounding.app.models import check_clip, check_length
from grounding.app.thumbnails import Film, Projector
from grounding.features.cache_key import Key
from grounding.features.encoded_video import EncodedVideo
from grounding.features.streaming import StreamingEncoder, read_chunks
from grounding.isolation.client import IsolatedReader
from grounding.predictor import Predictor


@dataclass(frozen=True)
class Clip:
    """A clip as far as it is encoded.

    Attributes:
        video: its features so far.
        film: its thumbnails so far; None where the features came from the cache, which keeps no pictures.
        expected: how long it is, as far as known, seconds.
        wait: how long the rest will take, seconds; 0 once it is whole.
        whole: whether all of it is encoded.
    """

    video: EncodedVideo
    film: Film | None
    expected: float
    wait: float = 0.0
    whole: bool = True

    @property
    def fraction(self) -> float:
        return 1.0 if self.whole else min(float(self.video.timestamps[-1]) / self.expected, 0.99)

    @property
    def size(self) -> int:
        """Bytes of memory."""
        pictures = self.film.pictures if self.film else ()
        return self.video.features.nbytes + self.video.timestamps.nbytes + sum(map(len, pictures))


def encoded(path: str | None, predictor: Predictor, memory: Memory[Clip]) -> Iterator[Clip]:
    """The clip as it grows, and whole at last; at once where the visitor's memory or the predictor's cache has it.

    Raises VideoError and EncoderError as Predictor.encode_video does, and VideoError where there is no clip.
    """
    check_clip(path, memory)
    key = predictor.key(memory.content_hash(path))
    clip = memory.get(key) or _kept(key, predictor)
    if clip is None:
        clip = yield from _grown(path, predictor)
        predictor.keep(key, path, clip.video)
    memory.put(key, clip, clip.size)
    yield clip


def developed(path: str, memory: Memory[Clip]) -> Iterator[float]:
    """Makes the thumbnails of a clip that came from the cache, and gives it them; yields the share that is done.

    Nothing happens where they are there. Raises VideoError.
    """
    for key in memory.of(path):
        clip = memory.get(key)
        if clip and clip.film is None:
            clip = replace(clip, film=(yield from _developed(path, key.rate, clip.video.duration)))
            memory.put(key, clip, clip.size)


def film_of(path: str, memory: Memory[Clip]) -> Film | None:
    """The thumbnails of a clip that is remembered with them."""
    clips = [memory.get(key) for key in memory.of(path)]
    return next((clip.film for clip in clips if clip and clip.film), None)


def _developed(path: str, rate: float, duration: float) -> Generator[float, None, Film]:
    projector = Projector()
    for frames in read_chunks(IsolatedReader(path, rate)):
        projector.add(frames)
        yield min(frames[-1].timestamp / duration, 1.0)
    return projector.film()


def _kept(key: Key, predictor: Predictor) -> Clip | None:
    video = predictor.kept(key)
    return Clip(video, None, video.duration) if video else None


def _grown(path: str, predictor: Predictor) -> Generator[Clip, None, Clip]:
    projector, begin = Projector(), time.monotonic()
    stream = predictor.grow_video(path)
    for frames in stream:
        check_length(path, stream.seconds)
        projector.add(frames)
        yield _so_far(stream, projector, time.monotonic() - begin)
    video = stream.video()
    return Clip(video, projector.film(), video.duration)


def _so_far(stream: StreamingEncoder, projector: Projector, elapsed: float) -> Clip:
    rest = max(stream.expected - stream.seconds, 0.0)
    wait = elapsed * rest / max(stream.seconds, 1.0)
    return Clip(stream.video(), projector.film(), stream.expected, wait, whole=False)
