"""Clips that a visitor has given: encoded once, remembered for the next query, and shown while they grow."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from grounding.encoded import EncodedVideo
from grounding.film import Film, Projector
from grounding.growing import Growing
from grounding.predictor import Predictor
from grounding.serving import check_limits

KEPT = 4  # encoded clips a visitor can go back to without waiting

Memory = OrderedDict[tuple[str, str, float], "Clip"]  # by content hash, frame encoder and rate; one per visitor


@dataclass(frozen=True)
class Clip:
    """A clip as far as it is encoded.

    Attributes:
        video: its features so far.
        film: its thumbnails so far.
        expected: how long it is, as far as known, seconds.
        wait: how long the rest will take, seconds; 0 once it is whole.
        whole: whether all of it is encoded.
    """

    video: EncodedVideo
    film: Film
    expected: float
    wait: float = 0.0
    whole: bool = True

    @property
    def fraction(self) -> float:
        return 1.0 if self.whole else min(float(self.video.timestamps[-1]) / self.expected, 0.99)


def encoded(path: str | None, predictor: Predictor, memory: Memory) -> Iterator[Clip]:
    """The clip as it grows, and whole at last; at once where the visitor's memory has it. The oldest is forgotten.

    Raises VideoError and EncoderError as Predictor.encode_video does, and VideoError where there is no clip.
    """
    check_limits(path)
    key = (content_hash(path), predictor.config.frame_encoder, predictor.config.rate)
    if key not in memory:
        projector, begin = Projector(), time.monotonic()
        growing = predictor.grow_video(path)
        for frames in growing:
            projector.add(frames)
            yield _so_far(growing, projector, time.monotonic() - begin)
        video = growing.video()
        memory[key] = Clip(video, projector.film(), video.duration)
    memory.move_to_end(key)
    while len(memory) > KEPT:
        memory.popitem(last=False)
    yield memory[key]


def content_hash(path: str) -> str:
    """SHA-256 of a file, read in pieces."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _so_far(growing: Growing, projector: Projector, elapsed: float) -> Clip:
    rest = max(growing.expected - growing.seconds, 0.0)
    wait = elapsed * rest / max(growing.seconds, 1.0)
    return Clip(growing.video(), projector.film(), growing.expected, wait, whole=False)
