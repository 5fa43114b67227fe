"""The parts of the page that events write to, by name."""

from typing import Any, NamedTuple

import gradio as gr

from grounding.app.inspection import render_inspection
from grounding.app.markup import label_queries, label_query, label_segment, render_answer, render_model, render_swatches
from grounding.app.plots import draw_empty, draw_results
from grounding.app.state import ClipState
from grounding.app.thumbnails import render_sheet
from grounding.segments.find import describe_order

COMPARE = "Compare with the same model trained without hard-negative mining"
HIDDEN = {"show_progress": "hidden", "api_visibility": "private"}
EACH = HIDDEN | {"trigger_mode": "multiple"}  # it may follow another of its kind that has not ended
# What reads the state and writes it comes one after the other, in the order of asking, so that nothing undoes the rest.
# Gradio knows no turns of one visitor alone, so this holds for all together; it takes milliseconds.
IN_TURN = EACH | {"concurrency_limit": 1, "concurrency_id": "state"}


class PageUpdate(NamedTuple):
    """Either the page's components, or what an event writes to them: nothing where it does not say."""

    query: Any = gr.skip()  # the field
    clip_message: Any = gr.skip()  # what is wrong with the clip, beside it
    progress: Any = gr.skip()  # what is happening; written by whoever works
    message: Any = gr.skip()
    plot: Any = gr.skip()
    answers: Any = gr.skip()  # the column that holds the next ones
    queries: Any = gr.skip()
    swatches: Any = gr.skip()
    compare: Any = gr.skip()
    show_clip: Any = gr.skip()
    segments: Any = gr.skip()
    inspection: Any = gr.skip()  # the column that holds the next one
    frames: Any = gr.skip()
    thumbnails: Any = gr.skip()
    preview: Any = gr.skip()  # stands in for a clip that browsers cannot play
    model: Any = gr.skip()  # who answered
    files: Any = gr.skip()  # what was made to be taken away
    made: Any = gr.skip()  # the last of it, with its clip
    span: Any = gr.skip()  # where the video is sent to, and whether it plays there
    state: Any = gr.skip()
    clip: Any = gr.skip()  # path of the one that message and state are about
    memory: Any = gr.skip()
    found: Any = gr.skip()  # what searches have come to, the first one first, before it is added to the state

    def then(self, later: "PageUpdate") -> "PageUpdate":
        """Both, `later` where both write."""
        return PageUpdate(*(old if new == gr.skip() else new for old, new in zip(self, later, strict=True)))


def clear_page(**more: Any) -> PageUpdate:
    """The page without any answer."""
    hidden = {"answers": gr.Column(visible=False), "inspection": gr.Column(visible=False), "model": ""}
    hidden["files"] = gr.Files(None, visible=False)
    return PageUpdate(plot=draw_empty(), thumbnails="", state=None, **hidden, **more)


def show_state(state: ClipState, new: bool = False, **more: Any) -> PageUpdate:
    """All that the page shows of a clip's state. `new`: the clip was not on the page before."""
    result, segments = state.result, state.result.answer.segments
    if new:
        more["thumbnails"] = render_sheet(state.thumbnails)
    more.setdefault("message", render_answer(state))
    queries = [(label_query(one, state), place) for place, one in enumerate(state.results)]
    return PageUpdate(
        plot=draw_results(state.results, state.active, state.segment, state.compare, state.show_clip),
        answers=gr.Column(visible=True),
        queries=gr.Radio(queries, value=state.active, label=label_queries(state)),
        swatches=render_swatches(state),
        compare=gr.Checkbox(value=state.compare, visible=result.baseline_differs),
        show_clip=gr.Checkbox(value=state.show_clip, visible=result.clip_similarity is not None),
        segments=gr.Radio(
            [(label_segment(result.answer, place), place) for place in range(len(segments))],
            value=state.segment,
            info=describe_order(segments),
        ),
        inspection=gr.Column(visible=True),
        frames=render_inspection(state),
        model=render_model(result),
        files=gr.Files(list(state.files) or None, visible=bool(state.files)),
        span={
            "spans": [[segment.start, segment.end] for segment in segments],
            "start": state.chosen.start,
            "first": state.first_frame,
            "end": state.chosen.end,
            "move": state.move,
            "plays": state.plays,
        },
        state=state,
        **more,
    )
