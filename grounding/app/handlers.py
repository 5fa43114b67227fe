"""What happens when someone uses the page."""

from dataclasses import replace
from pathlib import Path

import gradio as gr

from grounding.app.downloads import playable_file, result_files, segment_file
from grounding.app.job_queue import CalledOffError, desk
from grounding.app.markup import problem, told
from grounding.app.page_update import Screen, cleared, drawn
from grounding.app.plots import board_figure
from grounding.app.state import Board
from grounding.app.visitor_files import session_of, visitors
from grounding.errors import GroundingError
from grounding.files import make_safe_name


def look_at(board: Board | None, query: int | None) -> Screen:
    """Another query was picked from the list."""
    if board is None or query is None:
        return Screen()
    board = board.look_at(query)
    return drawn(board, message=told(board))


def choose(board: Board | None, segment: int | None) -> Screen:
    """Another segment was picked from the list."""
    return Screen() if board is None or segment is None else drawn(board.choose(segment))


def compare(board: Board | None, wanted: bool) -> Screen:
    """The switch to the model without hard-negative mining."""
    return Screen() if board is None else drawn(replace(board, compare=wanted))


def remove(board: Board | None) -> Screen:
    """The active query leaves; the others stay."""
    board = board and board.remove()
    return cleared(message="") if board is None else drawn(board, message=told(board))


def stop(request: gr.Request | None = None) -> None:
    """The cancel button: what was asked ends by itself and says so; a preview that is being made stays wanted."""
    desk().call_off(session_of(request))


def leave(request: gr.Request | None = None) -> Screen:
    """The clip was taken away."""
    desk().call_off(session_of(request), quiet=True, beside=True)
    return cleared(waiting="", message="", clip=None, preview=gr.Video(None, visible=False))


def playable(
    video: str | None,
    progress: gr.Progress = gr.Progress(),  # noqa: B008
    request: gr.Request | None = None,
) -> Screen:
    """An uploaded clip is looked at: is it too long, can browsers play it, or do they need a preview?"""
    if not video:
        return Screen()
    session = session_of(request)
    visitors().claim(session, video)
    with desk().work(session, video, beside=True) as work:
        try:
            report = work.watched(lambda share, text: progress(share, desc=text))
            shown = playable_file(video, visitors().folder(session), report)
        except (GroundingError, CalledOffError) as error:
            return Screen() if work.off else Screen(message=problem(error), clip=video)
    if Path(shown) == Path(video):
        return Screen(preview=gr.Video(None, visible=False))  # that of another clip may have come late
    return Screen(preview=gr.Video(shown, visible=True))


def own_preview(video: str | None, preview: str | None):
    """A preview that belongs to another clip than the one on the page leaves it."""
    own = video and preview and Path(preview).stem.startswith(make_safe_name(video))
    return gr.skip() if own or not preview else gr.Video(None, visible=False)


def cut_out(
    board: Board | None,
    progress: gr.Progress = gr.Progress(),  # noqa: B008
    request: gr.Request | None = None,
) -> Screen:
    """The chosen segment as a file."""
    if board is None:
        return Screen()
    try:
        folder = visitors().folder(session_of(request))
        path = segment_file(board.clip, board.chosen, folder, lambda share, text: progress(share, desc=text))
    except GroundingError as error:
        return Screen(message=problem(error))
    return Screen(files=gr.Files([path], visible=True))


def results(board: Board | None, request: gr.Request | None = None) -> Screen:
    """All answers as files."""
    if board is None:
        return Screen()
    figure = board_figure(board.asked, board.active, board.segment, board.compare, legend=True)
    answers = [asked.answer for asked in board.asked]
    try:
        paths = result_files(board.clip, answers, figure, visitors().folder(session_of(request)))
    except GroundingError as error:
        return Screen(message=problem(error))
    return Screen(files=gr.Files(paths, visible=True))


def forget(video: str | None, clip: str | None) -> Screen:
    """What was said about another clip than the one on the page leaves it."""
    return Screen() if video == clip else cleared(message="", clip=None)
