"""The inspection view: a segment's frames, and beside them the ones just outside that nearly fooled the model."""

import html
from collections.abc import Iterable

import numpy as np

from grounding.app.plots import SCALE_COLOURS
from grounding.app.state import Board
from grounding.segments.hard_negatives import SCALES, HardNegative
from grounding.text import escape_unprintable, format_clock, shorten

SHOWN = 5  # frames of the segment
SIDES = {"before": "Before it starts", "after": "After it ends"}

SAME = 0.03  # difference of two scores that a plot does not show


def inspection(board: Board) -> str:
    """The whole view as HTML. Every frame is a button that carries its time, for the page's script to move there."""
    rings = ", ".join(f"scale {number} within {scale.radius:g} s" for number, scale in enumerate(SCALES, start=1))
    parts = [
        "<h2>What nearly fooled the model</h2>",
        f"<p>{sentence(board)}</p>",
        *([f"<p>{comparison(board)}</p>"] if compares(board) else []),
        *(side(board, name) for name in SIDES),
        f'<p class="note">Outside the moment, the frame most like it at each scale ({rings} of the boundary), the '
        "hardest first. Similarity is to the moment as the model sees it; 1 is the same. A frame that looks alike and "
        "scores low is one that the model tells apart; one that scores high nearly fooled it. A frame is "
        "seen together with its neighbours, so right at a cut the nearest frames often come first. Press a frame to "
        "see it in the video.</p>",
        f"<h3>Inside the segment</h3>{strip(card(board, time) for time in inside_times(board))}",
    ]
    return f'<div class="inspection">{"".join(parts)}</div>'


def sentence(board: Board) -> str:
    """What one is looking at, in plain words."""
    if not board.hard:
        return "The segment fills the video, so there is no frame outside it that could have fooled the model."
    hardest, segment = board.hard[0], board.chosen
    edge = segment.start if hardest.side == "before" else segment.end
    place = "before it starts" if hardest.side == "before" else "after it ends"
    return (
        f"For “{html.escape(shorten(escape_unprintable(board.shown.answer.query), 80))}”, "
        f"{format_clock(segment.start)} to {format_clock(segment.end)}, the frame that came closest to fooling the "
        f"model is at <b>{format_clock(hardest.timestamp)}</b>, {abs(hardest.timestamp - edge):.1f} s {place}: its "
        f"similarity to the moment is <b>{hardest.similarity:.2f}</b> and its score <b>{hardest.score:.2f}</b>, where "
        f"the moment itself scores {inside_score(board, board.shown.answer.scores):.2f}."
    )


def comparison(board: Board) -> str:
    """What the model without hard-negative mining says of the same frames."""
    trained, plain = (
        (inside_score(board, scores), np.mean([scores[board.shown.at(frame.timestamp)] for frame in board.hard]))
        for scores in (board.shown.answer.scores, board.shown.baseline.scores)
    )
    return (
        f"With hard-negative mining the moment scores {trained[0]:.2f} and these boundary frames {trained[1]:.2f} on "
        f"average, <b>{trained[0] - trained[1]:z.2f}</b> apart; the same model trained without it (dashed) says "
        f"{plain[0]:.2f} and {plain[1]:.2f}, <b>{plain[0] - plain[1]:z.2f}</b> apart."
        + (" The two agree here: one curve lies on the other." if agree(board) else "")
    )


def agree(board: Board) -> bool:
    """Whether nobody could tell the two curves apart."""
    return bool(np.abs(board.shown.answer.scores - board.shown.baseline.scores).max() < SAME)


def compares(board: Board) -> bool:
    """Whether there is another model to compare with, and someone asked for it."""
    return board.compare and board.shown.baseline is not None and bool(board.hard)


def inside_times(board: Board, most: int = SHOWN) -> list[float]:
    """Timestamps of up to `most` sampled frames spread over the chosen segment, seconds."""
    times = board.shown.answer.timestamps
    inside = times[(times >= board.chosen.start) & (times < board.chosen.end)]
    return inside[np.unique(np.linspace(0, len(inside) - 1, most).round().astype(int))].tolist() if len(inside) else []


def inside_score(board: Board, scores: np.ndarray) -> float:
    """Mean of `scores` (T,) inside the chosen segment; 0 where no frame is."""
    times = board.shown.answer.timestamps
    inside = (times >= board.chosen.start) & (times < board.chosen.end)
    return float(scores[inside].mean()) if inside.any() else 0.0


def side(board: Board, name: str) -> str:
    """One boundary: the frame just inside it, then those outside, the hardest first."""
    hard = [frame for frame in board.hard if frame.side == name]
    if not hard:
        return ""
    ends = inside_times(board, 10_000)
    just = ends[0] if name == "before" else ends[-1]
    cards = [card(board, just, "just inside", "inside"), *(hard_card(board, frame) for frame in hard)]
    return f"<h3>{SIDES[name]}</h3>{strip(cards)}"


def hard_card(board: Board, frame: HardNegative) -> str:
    """A boundary frame, with its scale as it is marked on the curve."""
    title = f'<b class="scale" style="background:{SCALE_COLOURS[frame.scale]}">{frame.scale}</b> scale {frame.scale}'
    return card(board, frame.timestamp, title, "hardest" if frame == board.hard[0] else "hard")


def card(board: Board, time: float, title: str = "", kind: str = "inside") -> str:
    """A frame as a button: picture, title, time, score and similarity."""
    shown, index = board.shown, board.shown.at(time)
    values = [("score", shown.answer.scores[index])]
    if compares(board):
        values.append(("no mining", shown.baseline.scores[index]))
    if shown.similarities:
        values.append(("similarity", shown.similarities[board.segment][index]))
    rows = "".join(
        f'<span>{name} {value:.2f}</span><b class="bar"><i style="width:{max(0, min(100, round(100 * value)))}%"></i>'
        "</b>"
        for name, value in values
    )
    return (
        f'<button type="button" class="frame {kind}" data-time="{time:.3f}">'
        f'<img alt="frame at {format_clock(time)}" src="{board.film.picture(time)}">'
        f'<span class="title">{title}</span><span class="time">{format_clock(time)}</span>{rows}</button>'
    )


def strip(cards: Iterable[str]) -> str:
    return f'<div class="strip">{"".join(cards)}</div>'
