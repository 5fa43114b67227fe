"""The inspection view: a segment's frames, and beside them the look-alikes just outside it."""

import html
from collections.abc import Iterable

import numpy as np

from grounding.app.plots import SCALE_COLOURS, SCALE_MARKS, describe_distance
from grounding.app.state import ClipState
from grounding.segments.hard_negatives import HardNegative
from grounding.text import escape_unprintable, format_clock, shorten

SHOWN = 4  # frames of the segment
SIDES = {"before": "Before it starts", "after": "After it ends"}
AT_CUT = 1.5  # steps between two frames
SEEN = 0.5  # of the time that the model sees around a frame; so near the moment, it is seen together with it
# Of 80 joined val videos the tenth of the frames inside that look least like their moment are below 0.45, and of the
# frames up to 9 s outside one in 20 is above 0.49 and one in 100 above 0.66.
LOOK_ALIKE = 0.5  # similarity to the moment below which a frame looks different
ALIKE = 0.65  # similarity to the moment from which a frame that no cut divides from it belongs to its shot
CLOSE = 0.75  # of the moment's score: what reaches it nearly fooled the model
SAME_SHOT = "in the same shot"
ACROSS_CUT = "just across a cut"
JUMP = 0.4  # of the similarity from one frame to the next: to the model that is a cut, though pictures may look alike
NOTE = (
    "Beside each end stands, for every distance, the frame outside that looks most like the moment to the model. A "
    "similarity of 1 is the same picture, one of 0 or less has nothing in common with it. A score counts the seconds "
    "around a frame, too: near a cut it is that of both sides. Press a frame to see it in the video."
)


def render_inspection(state: ClipState) -> str:
    """The whole view as HTML. Every frame is a button that carries its time, for the page's script to move there."""
    hardest = find_hardest(state)
    parts = [
        "<h2>Just outside the segment</h2>",
        f"<p>{describe_hardest(state)}</p>",
        *([f"<p>{describe_baseline(state)}</p>"] if is_compared(state) else []),
        *(render_side(state, name, hardest) for name in SIDES),
        *([f'<p class="note">{NOTE}</p>'] if state.hard_negatives else []),
        f"<h3>Inside the segment</h3>{render_strip(render_card(state, time) for time in choose_inside(state))}",
    ]
    return f'<div class="inspection">{"".join(parts)}</div>'


def describe_hardest(state: ClipState) -> str:
    """What one is looking at, in plain words."""
    if not state.hard_negatives:
        return "The segment fills the video, so there is no frame outside it that could have fooled the model."
    query = html.escape(shorten(escape_unprintable(state.result.answer.query), 80))
    if state.chosen.stands_out is False:
        return f"Whether “{query}” happens here is uncertain, so the frames beside it are shown without a verdict."
    hardest, moment = find_hardest(state), mean_inside(state, state.result.answer.scores)
    if hardest is None:
        reasons = " or ".join(sorted({rule_out(state, frame) for frame in state.hard_negatives}))
        high = any(frame.score >= CLOSE * moment for frame in state.hard_negatives)
        why = " Where they score high, it is for the seconds around them." if high else ""
        return f"Nothing here is likely to be mistaken for “{query}”: these frames {reasons}.{why}"
    edge = state.chosen.start if hardest.side == "before" else state.chosen.end
    place = "before the moment starts" if hardest.side == "before" else "after the moment ends"
    shot = describe_shot(state, hardest)
    verdict = judge(hardest.score, moment, shot)
    return (
        f"What looks most like “{query}” to the model, at <b>{format_clock(hardest.timestamp)}</b>, "
        f"{abs(hardest.timestamp - edge):.1f} s {place}{shot and f', {shot}'}, {verdict}: it "
        f"scores <b>{hardest.score:.2f}</b>, the moment <b>{moment:.2f}</b> on average."
    )


def find_hardest(state: ClipState) -> HardNegative | None:
    """The look-alike most similar to the moment that nothing rules out; None where no moment stands out."""
    if state.chosen.stands_out is False:
        return None
    return next((frame for frame in state.hard_negatives if not rule_out(state, frame)), None)


def rule_out(state: ClipState, frame: HardNegative) -> str:
    """Why a look-alike is not likely to be mistaken for the moment; "" where it is."""
    if frame.similarity < LOOK_ALIKE:
        return "look different"
    return "are part of a better segment" if find_better_segment(state, frame) is not None else ""


def find_better_segment(state: ClipState, frame: HardNegative) -> int | None:
    """Index of the segment before the chosen one that holds a frame; None where none does."""
    better = enumerate(state.result.answer.segments[: state.segment])
    return next((index for index, one in better if one.start <= frame.timestamp < one.end), None)


def judge(score: float, moment: float, shot: str = "") -> str:
    """What a look-alike did, by its score, the moment's mean, and what `describe_shot` says."""
    if shot == SAME_SHOT:
        return "may well be a part of the moment"
    if score < CLOSE * moment:
        return "was told apart"
    if shot:
        return "is scored together with the moment"
    return "fooled the model, or shows the same" if score > moment else "came close to fooling the model"


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
        f"With hard-negative mining the moment scores {trained[0]:.2f} and these look-alikes {trained[1]:.2f} on "
        f"average, <b>{trained[0] - trained[1]:z.2f}</b> apart; the same model trained without it (dashed) says "
        f"{plain[0]:.2f} and {plain[1]:.2f}, <b>{plain[0] - plain[1]:z.2f}</b> apart."
    )


def is_compared(state: ClipState) -> bool:
    """Whether there is another model to compare with, with another curve, and someone asked for it."""
    return state.compare and state.result.baseline_differs and bool(state.hard_negatives)


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


def find_just_inside(state: ClipState, side: str) -> float:
    """The frame of the segment that is next to one of its ends, seconds."""
    inside = choose_inside(state, 10_000) or [state.chosen.start]
    return inside[0] if side == "before" else inside[-1]


def describe_frame(state: ClipState, frame: HardNegative) -> list[str]:
    """What is worth knowing of a look-alike."""
    better = find_better_segment(state, frame)
    if better is not None:
        return [f"in segment {better + 1}"]
    alike = state.chosen.stands_out is not False and frame.similarity >= LOOK_ALIKE
    higher = alike and frame.score > mean_inside(state, state.result.answer.scores)
    return [*filter(None, [describe_shot(state, frame)]), *(["higher than the moment's mean"] if higher else [])]


def describe_shot(state: ClipState, frame: HardNegative) -> str:
    """Whether a look-alike belongs to the moment's shot, or is its neighbour at a cut; "" for neither."""
    first, last = sorted((frame.timestamp, find_just_inside(state, frame.side)))
    cuts = [cut for cut in find_cuts(state) if first < cut <= last]
    step = np.diff(state.result.answer.timestamps).min(initial=np.inf)
    if not cuts:
        # A cut between two grey textures goes unseen, so only what looks alike is called the same.
        looked = state.thumbnails.timestamps and not state.result.answer.rough  # between key frames there may be cuts
        return SAME_SHOT if looked and frame.similarity >= ALIKE else ""
    return ACROSS_CUT if last - first <= max(AT_CUT * step, SEEN * state.result.context) else ""


def find_cuts(state: ClipState) -> set[float]:
    """Seconds of the frames with which another shot begins, by the pictures or by the model."""
    if not state.result.similarities:
        return set(state.thumbnails.cuts)
    jumps = np.abs(np.diff(state.result.similarities[state.segment])) > JUMP  # (T - 1,)
    return {*state.thumbnails.cuts, *state.result.answer.timestamps[1:][jumps].tolist()}


def render_side(state: ClipState, name: str, hardest: HardNegative | None = None) -> str:
    """One boundary: the frame just inside it, then those outside, the nearest scale first; the `hardest` is marked."""
    hard = sorted((frame for frame in state.hard_negatives if frame.side == name), key=lambda frame: frame.scale)
    if not hard:
        return ""
    just = render_card(state, find_just_inside(state, name), "just inside", "inside")
    return f"<h3>{SIDES[name]}</h3>{render_strip([just, *(render_hard_card(state, frame, hardest) for frame in hard)])}"


def render_hard_card(state: ClipState, frame: HardNegative, hardest: HardNegative | None) -> str:
    """A boundary frame, with its scale as it is marked on the curve."""
    mark = f'<b class="scale" style="background:{SCALE_COLOURS[frame.scale]}">{SCALE_MARKS[frame.scale]}</b>'
    title = f"{mark} {describe_distance(frame.scale)}"
    notes = "".join(f"<em>{note}</em>" for note in describe_frame(state, frame))
    return render_card(state, frame.timestamp, title, "hardest" if frame == hardest else "hard", notes)


def render_card(state: ClipState, time: float, title: str = "", kind: str = "inside", notes: str = "") -> str:
    """A frame as a button: picture, title, time, score, similarity and notes."""
    result, index = state.result, state.result.frame_at(time)
    values = [("score", result.answer.scores[index])]
    if is_compared(state):
        values.append(("no mining", result.baseline.scores[index]))
    if result.similarities:
        values.append(("similarity", result.similarities[state.segment][index]))
    rows = "".join(
        f'<span>{name} {value:z.2f}</span><b class="bar {name}">'
        f'<i style="width:{max(0, min(100, round(100 * value)))}%"></i></b>'
        for name, value in values
    )
    return (
        f'<button type="button" class="frame {kind}" data-time="{time:.3f}">'
        f'<img alt="frame at {format_clock(time)}" src="{state.thumbnails.uri_at(time)}">'
        f'<span class="title">{title}</span><span class="time">{format_clock(time)}</span>{rows}{notes}</button>'
    )


def render_strip(cards: Iterable[str]) -> str:
    return f'<div class="strip">{"".join(cards)}</div>'
