"""The inspection view: a segment's frames, and beside them the ones just outside that nearly fooled the model."""

import html
from collections.abc import Iterable

import numpy as np

from grounding.app.plots import SCALE_COLOURS
from grounding.app.state import ClipState
from grounding.segments.hard_negatives import SCALES, HardNegative
from grounding.text import escape_unprintable, format_clock, shorten

SHOWN = 5  # frames of the segment
SIDES = {"before": "Before it starts", "after": "After it ends"}

INVISIBLE = 0.03  # difference of two scores that a plot does not show


def render_inspection(state: ClipState) -> str:
    """The whole view as HTML. Every frame is a button that carries its time, for the page's script to move there."""
    rings = ", ".join(f"scale {number} within {scale.radius:g} s" for number, scale in enumerate(SCALES, start=1))
    parts = [
        "<h2>What nearly fooled the model</h2>",
        f"<p>{describe_hardest(state)}</p>",
        *([f"<p>{describe_baseline(state)}</p>"] if is_compared(state) else []),
        *(render_side(state, name) for name in SIDES),
        f'<p class="note">Outside the moment, the frame most like it at each scale ({rings} of the boundary), the '
        "hardest first. Similarity is to the moment as the model sees it; 1 is the same. A frame that looks alike and "
        "scores low is one that the model tells apart; one that scores high nearly fooled it. A frame is "
        "seen together with its neighbours, so right at a cut the nearest frames often come first. Press a frame to "
        "see it in the video.</p>",
        f"<h3>Inside the segment</h3>{render_strip(render_card(state, time) for time in choose_inside(state))}",
    ]
    return f'<div class="inspection">{"".join(parts)}</div>'


def describe_hardest(state: ClipState) -> str:
    """What one is looking at, in plain words."""
    if not state.hard_negatives:
        return "The segment fills the video, so there is no frame outside it that could have fooled the model."
    hardest, segment = state.hard_negatives[0], state.chosen
    edge = segment.start if hardest.side == "before" else segment.end
    place = "before it starts" if hardest.side == "before" else "after it ends"
    return (
        f"For “{html.escape(shorten(escape_unprintable(state.result.answer.query), 80))}”, "
        f"{format_clock(segment.start)} to {format_clock(segment.end)}, the frame that came closest to fooling the "
        f"model is at <b>{format_clock(hardest.timestamp)}</b>, {abs(hardest.timestamp - edge):.1f} s {place}: its "
        f"similarity to the moment is <b>{hardest.similarity:.2f}</b> and its score <b>{hardest.score:.2f}</b>, where "
        f"the moment itself scores {mean_inside(state, state.result.answer.scores):.2f}."
    )


def describe_baseline(state: ClipState) -> str:
    """What the model without hard-negative mining says of the same frames."""
    trained, plain = (
        (
            mean_inside(state, scores),
            np.mean([scores[state.result.frame_at(frame.timestamp)] for frame in state.hard_negatives]),
        )
        for scores in (state.result.answer.scores, state.result.baseline.scores)
    )
    return (
        f"With hard-negative mining the moment scores {trained[0]:.2f} and these boundary frames {trained[1]:.2f} on "
        f"average, <b>{trained[0] - trained[1]:z.2f}</b> apart; the same model trained without it (dashed) says "
        f"{plain[0]:.2f} and {plain[1]:.2f}, <b>{plain[0] - plain[1]:z.2f}</b> apart."
        + (" The two agree here: one curve lies on the other." if is_same(state) else "")
    )


def is_same(state: ClipState) -> bool:
    """Whether nobody could tell the two curves apart."""
    return bool(np.abs(state.result.answer.scores - state.result.baseline.scores).max() < INVISIBLE)


def is_compared(state: ClipState) -> bool:
    """Whether there is another model to compare with, and someone asked for it."""
    return state.compare and state.result.baseline is not None and bool(state.hard_negatives)


def choose_inside(state: ClipState, most: int = SHOWN) -> list[float]:
    """Timestamps of up to `most` sampled frames spread over the chosen segment, seconds."""
    times = state.result.answer.timestamps
    inside = times[(times >= state.chosen.start) & (times < state.chosen.end)]
    return inside[np.unique(np.linspace(0, len(inside) - 1, most).round().astype(int))].tolist() if len(inside) else []


def mean_inside(state: ClipState, scores: np.ndarray) -> float:
    """Mean of `scores` (T,) inside the chosen segment; 0 where no frame is."""
    times = state.result.answer.timestamps
    inside = (times >= state.chosen.start) & (times < state.chosen.end)
    return float(scores[inside].mean()) if inside.any() else 0.0


def render_side(state: ClipState, name: str) -> str:
    """One boundary: the frame just inside it, then those outside, the hardest first."""
    hard = [frame for frame in state.hard_negatives if frame.side == name]
    if not hard:
        return ""
    ends = choose_inside(state, 10_000)
    just = ends[0] if name == "before" else ends[-1]
    cards = [render_card(state, just, "just inside", "inside"), *(render_hard_card(state, frame) for frame in hard)]
    return f"<h3>{SIDES[name]}</h3>{render_strip(cards)}"


def render_hard_card(state: ClipState, frame: HardNegative) -> str:
    """A boundary frame, with its scale as it is marked on the curve."""
    title = f'<b class="scale" style="background:{SCALE_COLOURS[frame.scale]}">{frame.scale}</b> scale {frame.scale}'
    return render_card(state, frame.timestamp, title, "hardest" if frame == state.hard_negatives[0] else "hard")


def render_card(state: ClipState, time: float, title: str = "", kind: str = "inside") -> str:
    """A frame as a button: picture, title, time, score and similarity."""
    shown, index = state.result, state.result.frame_at(time)
    values = [("score", shown.answer.scores[index])]
    if is_compared(state):
        values.append(("no mining", shown.baseline.scores[index]))
    if shown.similarities:
        values.append(("similarity", shown.similarities[state.segment][index]))
    rows = "".join(
        f'<span>{name} {value:.2f}</span><b class="bar"><i style="width:{max(0, min(100, round(100 * value)))}%"></i>'
        "</b>"
        for name, value in values
    )
    return (
        f'<button type="button" class="frame {kind}" data-time="{time:.3f}">'
        f'<img alt="frame at {format_clock(time)}" src="{state.thumbnails.uri_at(time)}">'
        f'<span class="title">{title}</span><span class="time">{format_clock(time)}</span>{rows}</button>'
    )


def render_strip(cards: Iterable[str]) -> str:
    return f'<div class="strip">{"".join(cards)}</div>'
