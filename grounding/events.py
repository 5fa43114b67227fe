"""What happens when someone uses the page."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import gradio as gr

from grounding.board import Asked, Board
from grounding.clips import Clip, developed, encoded, film_of
from grounding.downloads import playable_file, result_files, segment_file
from grounding.errors import GroundingError
from grounding.files import safe_name
from grounding.film import Film, strip
from grounding.inspection import inspection
from grounding.memory import Memory
from grounding.plots import board_figure, growing_figure
from grounding.predictor import Predictor, check_query
from grounding.screen import Screen, cleared, drawn
from grounding.serving import described, known, load_baseline, load_predictor, whole
from grounding.views import done, encoding, problem, stopped, working
from grounding.visitors import session_of, visitors

REDRAW = 1.0  # seconds between two pictures of a growing curve


def find(
    video: str | None,
    query: str,
    checkpoint: str,
    top_k: int,
    board: Board | None,
    memory: Memory[Clip] | None,
    request: gr.Request | None = None,
) -> Iterator[Screen]:
    """The button: says what is going on, draws the curve as it grows, and shows the answer or what is wrong."""
    grown, memory = False, Memory() if memory is None else memory
    visitors().claim(session_of(request), video)
    try:
        query = check_query(query)
        yield Screen(waiting=working("Loading the model and opening the clip"), memory=memory)
        predictor = load_predictor(known(checkpoint))
        drawing = time.monotonic()
        for clip in encoded(video, predictor, memory):
            if not clip.whole:
                redraw = time.monotonic() - drawing >= REDRAW
                drawing, grown = (time.monotonic(), True) if redraw else (drawing, grown)
                yield Screen(waiting=encoding(clip), plot=growth(predictor, clip, query) if redraw else gr.skip())
        asked = answered(predictor, clip, query, whole(top_k))
    except GroundingError as error:
        before = Screen() if not grown else cleared() if board is None else drawn(board)
        yield before._replace(waiting="", message=problem(error), span=gr.skip(), clip=video)
        return
    new = board is None or board.clip != video
    board = (Board(video, clip.film or Film()) if new else board).add(asked)
    yield drawn(board, new, waiting="", message=told(board), clip=video, memory=memory)


def develop(video: str | None, memory: Memory[Clip] | None) -> Iterator[Screen]:
    """After an answer: the thumbnails of a clip that came from the cache are made, while people look around in it."""
    try:
        for share in developed(video, memory) if video and memory else ():
            yield Screen(waiting=working("Fetching the pictures", share))
    except (GroundingError, OSError):  # the clip has left; the answer stays
        pass
    yield Screen(waiting="")


def pictures(board: Board | None, memory: Memory[Clip] | None) -> Screen:
    """The thumbnails that came after their answer, wherever the visitor has come to meanwhile."""
    film = film_of(board.clip, memory) if board and memory and not board.film.pictures else None
    if film is None:
        return Screen()
    board = replace(board, film=film)
    return Screen(board=board, film=strip(film), frames=inspection(board))


def told(board: Board) -> str:
    """The message about the active query."""
    return done(board.shown.answer, board.shown.model)


def growth(predictor: Predictor, clip: Clip, query: str):
    """The figure of a clip that is partly encoded."""
    return growing_figure(clip.video, predictor.scores(clip.video, query), clip.expected)


def answered(predictor: Predictor, clip: Clip, query: str, top_k: int) -> Asked:
    """A query's answer, and that of the model without hard-negative mining where there is one: frames encoded once."""
    answer = predictor.ground(clip.video, query, top_k)
    baseline = load_baseline(predictor.config)
    return Asked(
        answer,
        tuple(predictor.similarities(clip.video, answer)),
        baseline.ground(clip.video, query, top_k) if baseline else None,
        model=described(predictor),
    )


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


def stop(board: Board | None) -> Screen:
    """The cancel button; the work itself is cancelled by Gradio, which closes `find`."""
    said = {"waiting": "", "message": stopped()}
    return cleared(**said) if board is None else drawn(board, **said)


def leave() -> Screen:
    """The clip was taken away."""
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
    try:
        shown = playable_file(video, visitors().folder(session), lambda share, text: progress(share, desc=text))
    except GroundingError as error:
        return Screen(message=problem(error), clip=video)
    if Path(shown) == Path(video):
        return Screen(preview=gr.Video(None, visible=False))  # that of another clip may have come late
    return Screen(preview=gr.Video(shown, visible=True))


def own_preview(video: str | None, preview: str | None):
    """A preview that belongs to another clip than the one on the page leaves it."""
    own = video and preview and Path(preview).stem.startswith(safe_name(video))
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
