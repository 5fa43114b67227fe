"""An answer in words and pictures."""

import html

import numpy as np

from grounding.errors import GroundingError
from grounding.hard_negatives import HardNegative
from grounding.plots import clock
from grounding.predictor import Answer
from grounding.video import read_frames

SHOWN = 6  # frames of a segment in the gallery

Captioned = list[tuple[np.ndarray, str]]  # (H, W, 3) pictures, each with its caption


def problem(error: GroundingError) -> str:
    """A message beside the input; what comes from a visitor is shown as text, never as markup."""
    return f'<p class="problem" role="alert">{html.escape(str(error))}</p>'


def done(answer: Answer, model: str) -> str:
    """What was found, and by which model."""
    best = answer.segments[0]
    return (
        f'<p class="done" role="status"><b>{clock(best.start)} to {clock(best.end)}</b> '
        f"“{html.escape(answer.query)}”, mean score {best.score:.2f}"
        f"<small>Answered by {html.escape(model)}.</small></p>"
    )


def segment_label(answer: Answer, index: int) -> str:
    """One line for a segment in the list."""
    segment = answer.segments[index]
    return f"{index + 1} · {clock(segment.start)} to {clock(segment.end)} · score {segment.score:.2f}"


def inside_times(answer: Answer, index: int) -> np.ndarray:
    """Timestamps of up to SHOWN sampled frames spread over a segment, seconds."""
    segment = answer.segments[index]
    inside = answer.timestamps[(answer.timestamps >= segment.start) & (answer.timestamps < segment.end)]
    return inside[np.unique(np.linspace(0, len(inside) - 1, SHOWN).round().astype(int))] if len(inside) else inside


def hard_caption(frame: HardNegative) -> str:
    """What is written under a hard negative."""
    return (
        f"{clock(frame.timestamp)} · {frame.side} · scale {frame.scale}\n"
        f"score {frame.score:.2f} · similarity {frame.similarity:.2f}"
    )


def galleries(path: str, answer: Answer, index: int) -> tuple[Captioned, Captioned]:
    """Captioned frames of a segment, and of its hard negatives, the hardest first; one pass over the file.

    Raises VideoError as read_frames does.
    """
    inside = inside_times(answer, index)
    hard = [frame for frame in answer.hard_negatives if frame.segment == index]
    images = read_frames(path, [*inside, *(frame.timestamp for frame in hard)])
    scores = dict(zip(answer.timestamps, answer.scores, strict=True))
    captions = [f"{clock(time)}\nscore {scores[time]:.2f}" for time in inside] + [hard_caption(f) for f in hard]
    captioned = list(zip(images, captions, strict=True))
    return captioned[: len(inside)], captioned[len(inside) :]
