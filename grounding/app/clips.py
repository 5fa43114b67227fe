"""Clips that a visitor or a program has given: encoded at most once, kept for the next query, shown while they grow."""

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from grounding.app.clip_limits import check_clip, check_length, check_size
from grounding.app.memory_cache import MemoryCache
from grounding.app.thumbnails import ThumbnailCollector, Thumbnails, read_thumbnails
from grounding.features.encoded_video import EncodedVideo
from grounding.isolation.worker_pool import Check
from grounding.video.damage import Span

if TYPE_CHECKING:
    from grounding.features.cache_key import Key
    from grounding.predictor import Predictor

REFRESH = 0.5  # seconds between two looks at what is encoded so far: each costs as much as the clip is long


@dataclass(frozen=True)
class Clip:
    """A clip as far as it is encoded.

    Attributes:
        video: its features so far.
        thumbnails: those so far; None where the features came from the cache, which keeps no pictures.
        expected: how long it is, as far as known, seconds.
        seconds_left: how long the rest will take; 0 once it is whole.
        is_whole: whether all of it is encoded.
        seconds: how much of it is encoded.
        missing: spans of seconds that are not encoded: there `video` rests on key frames, or has nothing.
    """

    video: EncodedVideo
    thumbnails: Thumbnails | None
    expected: float
    seconds_left: float = 0.0
    is_whole: bool = True
    seconds: float = 0.0
    missing: tuple[Span, ...] = ()

    @property
    def fraction(self) -> float:
        return 1.0 if self.is_whole else min(self.seconds / self.expected, 0.99)

    @property
    def size(self) -> int:
        """Bytes of memory."""
        jpegs = self.thumbnails.jpegs if self.thumbnails else ()
        return self.video.features.nbytes + self.video.timestamps.nbytes + sum(map(len, jpegs))


def encode_clip(
    path: str | None,
    predictor: "Predictor",
    memory: MemoryCache[Clip],
    check: Check,
    pictures: bool = True,
    query: str = "",
) -> Iterator[Clip]:
    """The clip as it grows, and whole at last; at once where the visitor's memory or the predictor's cache has it.

    Args:
        path: of the clip.
        predictor: encodes it.
        memory: the visitor's.
        check: called all the while; what it raises ends the work at once, even that of a decoder that hangs.
        pictures: whether thumbnails are made on the way, and key frames are looked at first.
        query: what fits it best, as far as key frames tell, is encoded before the rest.

    Raises:
        VideoError, EncoderError: as Predictor.encode_video does, and where there is no clip or it is over the limits.
    """
    check_size(path)
    if not memory.keys_of(path):  # else its length is known to fit
        check_clip(path, check)
    key = predictor.store.make_key(memory.content_hash(path))
    clip = memory.get(key) or _load_clip(key, predictor)
    if clip is None:
        clip = yield from _grow_clip(path, predictor, check, ThumbnailCollector() if pictures else None, query)
        predictor.store.put(key, path, clip.video)
    memory.put(key, clip, clip.size)
    yield clip


def make_missing_thumbnails(path: str, memory: MemoryCache[Clip], check: Check) -> Iterator[float]:
    """Makes the thumbnails of a clip that came from the cache, and gives it them; yields the share that is done.

    Nothing happens where they are there. `check` as in encode_clip. Raises VideoError.
    """
    for key in memory.keys_of(path):
        clip = memory.get(key)
        if clip and clip.thumbnails is None:
            clip = replace(clip, thumbnails=(yield from _read_share(path, key.rate, clip.video.duration, check)))
            memory.put(key, clip, clip.size)


def find_thumbnails(path: str, memory: MemoryCache[Clip]) -> Thumbnails | None:
    """The thumbnails of a clip that is kept with them."""
    clips = [memory.get(key) for key in memory.keys_of(path)]
    return next((clip.thumbnails for clip in clips if clip and clip.thumbnails), None)


def _read_share(path: str, rate: float, duration: float, check: Check) -> Generator[float, None, Thumbnails]:
    steps = read_thumbnails(path, rate, check)
    while True:
        try:
            yield min(next(steps) / duration, 1.0)
        except StopIteration as end:
            return end.value


def _load_clip(key: "Key", predictor: "Predictor") -> Clip | None:
    video = predictor.store.get(key)
    return Clip(video, None, video.duration) if video else None


def _grow_clip(
    path: str, predictor: "Predictor", check: Check, collector: ThumbnailCollector | None, query: str
) -> Generator[Clip, None, Clip]:
    key_frames, early = None, ThumbnailCollector(far_apart=True)
    if collector:  # a program waits for the end anyway
        key_frames = predictor.encode_key_frames(path, check, early.add)
    if key_frames:
        everywhere = ((0.0, key_frames.duration),)
        yield Clip(key_frames.video(), early.thumbnails(), key_frames.duration, is_whole=False, missing=everywhere)
    begin, growing = time.monotonic(), predictor.grow_video(path, check, key_frames, query)
    video, made = None, 0.0

    for chunk in growing:
        check()
        check_length(path, growing.seconds)
        if collector:
            collector.add(chunk.frames, chunk.first)
        rest = max(growing.expected - growing.seconds, 0.0)
        seconds_left = (time.monotonic() - begin) * rest / max(growing.seconds, 1.0)
        if video is None or time.monotonic() - made > REFRESH:
            video, made, missing = growing.video(), time.monotonic(), tuple(growing.missing)
            thumbnails = collector and collector.thumbnails(early)
        yield Clip(video, thumbnails, growing.expected, seconds_left, False, growing.seconds, missing)
    video = growing.video()
    return Clip(video, collector and collector.thumbnails(), video.duration)
