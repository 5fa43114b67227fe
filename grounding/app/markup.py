"""What the page says: messages, progress, lists."""

import html

from grounding.answer import Answer, describe_reading
from grounding.app.clips import Clip
from grounding.app.plots import COLOURS
from grounding.app.state import MAX_QUERIES, ClipState, QueryResult
from grounding.errors import GroundingError
from grounding.text import UNCERTAIN, describe_skipped, escape_unprintable, format_clock, format_rough_duration, shorten

STOPPED_EARLY = "Stopped. A rough answer from the frames looked at so far; press Find to finish."
EARLIER = "The answers shown are to earlier queries."
SAME_CURVE = "Trained without hard-negative mining, the model would give the same curve here."
SURE = "Stands out: it fits this sentence better than other videos do."
MARKS = ("●", "▲", "■", "◆", "▼", "★", "○", "□")  # the curves' markers


def render_error(error: GroundingError, kept: bool = False) -> str:
    """A message beside the input; what comes from a visitor is shown as text, never as markup. `kept`: answers to
    earlier queries stand on the page."""
    note = f"<small>{EARLIER}</small>" if kept else ""
    return f'<p class="problem" role="alert">{html.escape(str(error))}{note}</p>'


def render_answer(state: ClipState, at_work: bool = False) -> str:
    """What was found: the chosen segment of the active query. `at_work`: a rough answer is being finished."""
    answer, segment = state.result.answer, state.chosen
    place = f" · segment {state.segment + 1} of {len(answer.segments)}" if state.segment else ""
    said = describe_segment_doubt(state)
    sure = f"<small>{SURE}</small>" if segment.stands_out else ""
    doubt = f"<small class='doubt'>{html.escape(said)}</small>" if said else sure
    warning = f"<small>{describe_skipped(answer.skipped, answer.duration)}</small>" if answer.skipped else ""
    rough = f"<small class='rough'>{STOPPED_EARLY}</small>" if answer.rough and not at_work else ""
    guess = "Best guess: " if said and not state.segment else ""
    return (
        f'<p class="done" role="status" tabindex="-1">'
        f"{rough}{guess}<b>{format_clock(segment.start)} to {format_clock(segment.end)}</b> "
        f"“{html.escape(escape_unprintable(answer.query))}”, mean score {segment.score:.2f}"
        f"{place}{doubt}{warning}</p>"
    )


def describe_segment_doubt(state: ClipState) -> str:
    """What to say beside a chosen segment that does not stand out, "" for any other."""
    answer = state.result.answer
    if state.chosen.stands_out is not False:
        return ""
    return answer.doubt or "Uncertain: this segment does not stand out as the first one does."


def render_model(result: QueryResult) -> str:
    """Who answered, why, who read the query, and whether the other model would say the same."""
    same = SAME_CURVE if result.baseline and not result.baseline_differs else ""
    lines = filter(None, (f"{result.model}.", describe_reading([result.answer]), same))
    return f"<p>{html.escape(' '.join(lines))}</p>"


def render_stopped(kept: bool = False) -> str:
    """After a cancel that left no answer; `kept`: those to earlier queries stand on the page."""
    said = "Stopped. The answers to earlier queries stay." if kept else "Stopped before there was an answer."
    return f'<p class="done" role="status" tabindex="-1">{said}</p>'


def render_progress(text: str, fraction: float = 0.0) -> str:
    """What is happening, with a bar from 0 to 1."""
    percent = round(100 * fraction)
    return (
        f'<div class="working"><p>{html.escape(text)}</p>'
        f'<div role="progressbar" aria-label="Finding the moment" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{percent}" aria-valuetext="{html.escape(text)}"><i style="width:{percent}%"></i></div></div>'
    )


def render_turn(before: int) -> str:
    """While others are at the model or wait for it before."""
    return render_progress(f"Waiting for {'one other' if before == 1 else f'{before} others'} before you")


def render_encoding(clip: Clip) -> str:
    """How far a clip is encoded and how long the rest may take."""
    so_far, length = format_clock(clip.seconds)[:-2], format_clock(clip.expected)[:-2]
    text = f"Looked at {so_far} of {length}, {format_rough_duration(clip.seconds_left)} left"
    if clip.video.rough:
        rest = text if clip.seconds else f"Now all {length} are looked at"
        text = f"Rough, from {clip.video.rough} key frames. {rest}"
    return render_progress(text, clip.fraction)


def label_segment(answer: Answer, index: int) -> str:
    """One line for a segment in the list."""
    segment = answer.segments[index]
    mark = f" · {UNCERTAIN}" if segment.stands_out is False else ""
    span = f"{format_clock(segment.start)} to {format_clock(segment.end)}"
    return f"{index + 1} · {span} · score {segment.score:.2f}{mark}"


def label_query(result: QueryResult, state: ClipState) -> str:
    """One line for a query in the list, with its marker; with its checkpoint where several answered."""
    several = len({other.answer.checkpoint for other in state.results}) > 1
    model = f" · {result.answer.checkpoint}" if several else ""
    return f"{MARKS[result.slot]} {shorten(escape_unprintable(result.answer.query), 60)}{model}"


def label_queries(state: ClipState) -> str:
    """The name of the list, which says in time that it is full."""
    if len(state.results) < MAX_QUERIES:
        return "Queries on this clip"
    oldest = shorten(escape_unprintable(state.next_to_leave.answer.query), 30)
    return f"Queries on this clip, {MAX_QUERIES} at most: the next one takes the place of “{oldest}”"


def render_swatches(state: ClipState) -> str:
    """A style sheet that gives each query in the list the colour of its curve."""
    rules = [
        f"#queries label:nth-of-type({place}) {{--swatch: {COLOURS[result.slot]}}}"
        for place, result in enumerate(state.results, start=1)
    ]
    return f"<style>{' '.join(rules)}</style>"
