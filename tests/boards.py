"""Answers and boards made up on the spot."""

import numpy as np

from grounding.answer import Answer
from grounding.app.state import Asked, Board
from grounding.app.thumbnails import Projector
from grounding.segments.find import Segment
from grounding.segments.hard_negatives import HardNegative
from grounding.video.reader import Frame
from tests.clips import BLUE, GREEN, RED, plain


def answer(query: str = "something green", checkpoint: str = "embedded", lift: float = 0.0) -> Answer:
    """Six seconds, two frames a second, with two segments; `lift` is added to every score."""
    return Answer(
        query=query,
        duration=6.0,
        checkpoint=checkpoint,
        timestamps=np.arange(0, 6, 0.5),
        scores=np.linspace(0, 0.55, 12) + lift,
        segments=[Segment(2.0, 4.0, 0.8), Segment(0.0, 6.0, 0.3)],
        hard_negatives=[
            HardNegative(5.0, 0.5 + lift, 0.75, 2, 0, "after"),
            HardNegative(1.5, 0.15 + lift, 0.25, 1, 0, "before"),
            HardNegative(4.0, 0.4 + lift, 0.2, 1, 0, "after"),
        ],
    )


def asked(query: str = "something green", baseline: bool = False, **more: object) -> Asked:
    """An answer with similarities of a tenth per second, and perhaps a baseline whose scores are 0.2 higher."""
    similarities = tuple(np.linspace(0, 0.55, 12) for _ in range(2))
    return Asked(answer(query, **more), similarities, answer(query, lift=0.2) if baseline else None)


def film():
    """Red, green and blue, two seconds each."""
    projector = Projector()
    projector.add(Frame(place / 2, plain((RED, GREEN, BLUE)[place // 4])) for place in range(12))
    return projector.film()


def board(*queries: str, baseline: bool = False) -> Board:
    """A board with these queries, asked one after another."""
    made = Board("clip.mp4", film())
    for query in queries or ("something green",):
        made = made.add(asked(query, baseline))
    return made
