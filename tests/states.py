"""Answers and states of the page made up on the spot."""

import gradio as gr
import numpy as np

from grounding.answer import Answer
from grounding.app.state import ClipState, QueryResult
from grounding.app.thumbnails import ThumbnailCollector, Thumbnails
from grounding.segments.find import Segment
from grounding.segments.hard_negatives import HardNegative
from grounding.video.reader import Frame
from tests.clips import BLUE, GREEN, RED, plain


def make_answer(query: str = "something green", checkpoint: str = "embedded", lift: float = 0.0) -> Answer:
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


def make_result(query: str = "something green", baseline: bool = False, **more: object) -> QueryResult:
    """An answer with similarities of a tenth per second, and perhaps a baseline whose scores are 0.2 higher."""
    similarities = tuple(np.linspace(0, 0.55, 12) for _ in range(2))
    return QueryResult(make_answer(query, **more), similarities, make_answer(query, lift=0.2) if baseline else None)


def make_thumbnails() -> Thumbnails:
    """Red, green and blue, two seconds each."""
    collector = ThumbnailCollector()
    collector.add(Frame(place / 2, plain((RED, GREEN, BLUE)[place // 4])) for place in range(12))
    return collector.thumbnails()


def make_state(*queries: str, baseline: bool = False) -> ClipState:
    """A clip's state with these queries, asked one after another."""
    state = ClipState("clip.mp4", make_thumbnails())
    for query in queries or ("something green",):
        state = state.add(make_result(query, baseline))
    return state


def unchanged(screen: tuple, *besides: str) -> bool:
    """Whether an update of the page leaves all as it is, `besides` these."""
    return all(value == gr.skip() for name, value in screen._asdict().items() if name not in besides)
