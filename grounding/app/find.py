"""What happens when someone asks for a moment: from the press of the button to the answer and its pictures."""

import time
from collections.abc import Iterator
from dataclasses import replace

import gradio as gr
import plotly.graph_objects as go

from grounding.app.clips import Clip, developed, encoded, film_of
from grounding.app.inspection import inspection
from grounding.app.job_queue import CalledOffError, Work, desk
from grounding.app.markup import encoding, problem, queued, stopped, told, working
from grounding.app.memory_cache import Memory
from grounding.app.models import described, known, load_baseline, load_predictor, whole
from grounding.app.page_update import Screen, cleared, drawn
from grounding.app.plots import growing_figure
from grounding.app.state import Asked, Board
from grounding.app.thumbnails import Film, strip
from grounding.app.visitor_files import session_of, visitors
from grounding.encoders.queries import check_query
from grounding.errors import GroundingError
from grounding.predictor import Predictor

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
    """The button: says what is going on, draws the curve as it grows, and shows the answer or what is wrong.

    What the visitor asked about another clip ends.
    """
    session, grown = session_of(request), False
    visitors().claim(session, video)
    desk().call_off(session, quiet=True, but=video)
    try:
        with desk().work(session, video, at_model=True) as work:
            asked = (check_query(query), known(checkpoint), whole(top_k))
            for screen in finding(work, video, asked, board, Memory() if memory is None else memory):
                grown = grown or screen.plot != gr.skip()
                yield screen
    except (GroundingError, CalledOffError) as error:
        before = Screen() if not grown else cleared() if board is None else drawn(board)
        quiet = isinstance(error, CalledOffError) and error.quiet
        ended = quiet_end(session) if quiet else over(error, before, video)
    else:
        return
    yield ended  # here, where the error holds on to nothing that was at work


def finding(
    work: Work, video: str | None, asked: tuple[str, str, int], board: Board | None, memory: Memory[Clip]
) -> Iterator[Screen]:
    """The steps of `find`. `asked`: the query, the checkpoint and how many segments. Raises what ends it early."""
    query, checkpoint, top_k = asked
    for others in work.queue():
        yield Screen(waiting=queued(others)) if others else Screen()  # behind one's own, which says how it stands
    said = told(board) if board and board.clip == video else ""  # in the place of what ended the last work
    yield Screen(waiting=working("Loading the model and opening the clip"), message=said, memory=memory)
    predictor, drawing = load_predictor(checkpoint), time.monotonic()
    for clip in encoded(video, predictor, memory):
        work.check()
        if not clip.whole:
            redraw = time.monotonic() - drawing >= REDRAW
            drawing = time.monotonic() if redraw else drawing
            yield Screen(waiting=encoding(clip), plot=growth(predictor, clip, query) if redraw else gr.skip())
    answer = answered(predictor, clip, query, top_k)
    new = board is None or board.clip != video
    board = (Board(video, clip.film or Film()) if new else board).add(answer)
    yield drawn(board, new, waiting="", message=told(board), clip=video, memory=memory)


def over(ended: GroundingError | CalledOffError, before: Screen, video: str | None) -> Screen:
    """What is said where there is no answer; `before` takes the curve back that grew."""
    message = problem(ended) if isinstance(ended, GroundingError) else stopped()
    return before._replace(waiting="", message=message, span=gr.skip(), clip=video)


def quiet_end(session: str | None) -> Screen:
    """After the clip left, a curve that came late goes, unless the page shows how something else stands by now."""
    return Screen() if desk().asked(session) else cleared(waiting="")


def develop(video: str | None, memory: Memory[Clip] | None, request: gr.Request | None = None) -> Iterator[Screen]:
    """After an answer: the thumbnails of a clip that came from the cache are made, while people look around in it."""
    try:
        with desk().work(session_of(request), video) as work:
            for share in developed(video, memory) if video and memory else ():
                work.check()
                yield Screen(waiting=working("Fetching the pictures", share))
    except (GroundingError, OSError, CalledOffError):  # the clip has left, or no pictures are wanted; the answer stays
        pass
    yield Screen(waiting="")


def pictures(board: Board | None, memory: Memory[Clip] | None) -> Screen:
    """The thumbnails that came after their answer, wherever the visitor has come to meanwhile."""
    film = film_of(board.clip, memory) if board and memory and not board.film.pictures else None
    if film is None:
        return Screen()
    board = replace(board, film=film)
    return Screen(board=board, film=strip(film), frames=inspection(board))


def growth(predictor: Predictor, clip: Clip, query: str) -> go.Figure:
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
