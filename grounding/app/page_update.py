"""The parts of the page that events write to, by name."""

from typing import Any, NamedTuple

import gradio as gr

from grounding.app.inspection import inspection
from grounding.app.markup import query_label, segment_label, swatches
from grounding.app.plots import board_figure, empty_figure
from grounding.app.state import Board
from grounding.app.thumbnails import strip


class Screen(NamedTuple):
    """Either the page's components, or what an event writes to them: nothing where it does not say."""

    waiting: Any = gr.skip()  # what is happening; written by whoever works
    message: Any = gr.skip()
    plot: Any = gr.skip()
    answers: Any = gr.skip()  # the column that holds the next ones
    queries: Any = gr.skip()
    swatches: Any = gr.skip()
    compare: Any = gr.skip()
    segments: Any = gr.skip()
    inspection: Any = gr.skip()  # the column that holds the next one
    frames: Any = gr.skip()
    film: Any = gr.skip()
    preview: Any = gr.skip()  # stands in for a clip that browsers cannot play
    files: Any = gr.skip()  # what was made to be taken away
    span: Any = gr.skip()  # where the video is sent to, and whether it plays there
    board: Any = gr.skip()
    clip: Any = gr.skip()  # path of the one that message and board are about
    memory: Any = gr.skip()


def cleared(**more: Any) -> Screen:
    """The page without any answer."""
    return Screen(plot=empty_figure(), answers=gr.Column(visible=False), inspection=gr.Column(visible=False),
                  film="", board=None, **more)  # fmt: skip


def drawn(board: Board, new: bool = False, **more: Any) -> Screen:
    """All that the page shows of a board. `new`: its clip was not on the page before."""
    shown = board.shown
    if new:
        more["film"] = strip(board.film)
    return Screen(
        plot=board_figure(board.asked, board.active, board.segment, board.compare),
        answers=gr.Column(visible=True),
        queries=gr.Radio(
            [(query_label(one, board), place) for place, one in enumerate(board.asked)], value=board.active
        ),
        swatches=swatches(board),
        compare=gr.Checkbox(value=board.compare, visible=shown.baseline is not None),
        segments=gr.Radio(
            [(segment_label(shown.answer, place), place) for place in range(len(shown.answer.segments))],
            value=board.segment,
        ),
        inspection=gr.Column(visible=True),
        frames=inspection(board),
        files=gr.Files(None, visible=False),
        span={
            "start": board.chosen.start,
            "first": board.first_frame,
            "end": board.chosen.end,
            "move": board.move,
            "plays": board.plays,
        },
        board=board,
        **more,
    )
