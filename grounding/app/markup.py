"""What the page says: messages, progress, lists."""

import html

from grounding.answer import Answer
from grounding.app.clips import Clip
from grounding.app.plots import COLOURS
from grounding.app.state import Asked, Board
from grounding.errors import GroundingError
from grounding.text import describe_skipped, escape_unprintable, format_clock, format_rough_duration, shorten

MARKS = ("●", "▲", "■", "◆", "✕")  # the curves' markers


def problem(error: GroundingError) -> str:
    """A message beside the input; what comes from a visitor is shown as text, never as markup."""
    return f'<p class="problem" role="alert">{html.escape(str(error))}</p>'


def done(answer: Answer, model: str) -> str:
    """What was found, and by which model."""
    best = answer.segments[0]
    warning = f"<small>{describe_skipped(answer.skipped)}</small>" if answer.skipped else ""
    return (
        f'<p class="done" role="status"><b>{format_clock(best.start)} to {format_clock(best.end)}</b> '
        f"“{html.escape(escape_unprintable(answer.query))}”, mean score {best.score:.2f}"
        f"{warning}<small>Answered by {html.escape(model)}.</small></p>"
    )


def told(board: Board) -> str:
    """The message about the active query."""
    return done(board.shown.answer, board.shown.model)


def stopped() -> str:
    """After a cancel."""
    return '<p class="done" role="status">Stopped. Nothing was changed.</p>'


def working(text: str, fraction: float = 0.0) -> str:
    """What is happening, with a bar from 0 to 1."""
    percent = round(100 * fraction)
    return (
        f'<div class="working"><p>{html.escape(text)}</p>'
        f'<div role="progressbar" aria-label="Finding the moment" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{percent}" aria-valuetext="{html.escape(text)}"><i style="width:{percent}%"></i></div></div>'
    )


def queued(before: int) -> str:
    """While others are at the model or wait for it before."""
    return working(f"Waiting for {'one other' if before == 1 else f'{before} others'} before you")


def encoding(clip: Clip) -> str:
    """How far a clip is encoded and how long the rest may take."""
    so_far, length = format_clock(clip.video.timestamps[-1])[:-2], format_clock(clip.expected)[:-2]
    return working(f"Looked at {so_far} of {length}, {format_rough_duration(clip.wait)} left", clip.fraction)


def segment_label(answer: Answer, index: int) -> str:
    """One line for a segment in the list."""
    segment = answer.segments[index]
    return f"{index + 1} · {format_clock(segment.start)} to {format_clock(segment.end)} · score {segment.score:.2f}"


def query_label(asked: Asked, board: Board) -> str:
    """One line for a query in the list, with its marker; with its checkpoint where several answered."""
    several = len({other.answer.checkpoint for other in board.asked}) > 1
    model = f" · {asked.answer.checkpoint}" if several else ""
    return f"{MARKS[asked.slot]} {shorten(escape_unprintable(asked.answer.query), 60)}{model}"


def swatches(board: Board) -> str:
    """A style sheet that gives each query in the list the colour of its curve."""
    rules = [
        f"#queries label:nth-of-type({place}) {{--swatch: {COLOURS[asked.slot]}}}"
        for place, asked in enumerate(board.asked, start=1)
    ]
    return f"<style>{' '.join(rules)}</style>"
