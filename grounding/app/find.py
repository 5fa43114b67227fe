"""What happens when someone asks for a moment: from the press of the button to the answer and its thumbnails."""

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import gradio as gr

from grounding.app.clips import Clip, encode_clip, find_thumbnails, make_missing_thumbnails
from grounding.app.file_ownership import session_from_request, visitor_files
from grounding.app.inspection import render_inspection
from grounding.app.job_queue import Job, JobCancelledError, job_queue
from grounding.app.markup import (
    render_answer,
    render_encoding,
    render_error,
    render_progress,
    render_stopped,
    render_turn,
)
from grounding.app.memory_cache import MemoryCache
from grounding.app.models import check_checkpoint, describe_model, load_baseline, load_predictor
from grounding.app.page_update import PageUpdate, show_state
from grounding.app.plots import draw_empty, draw_growing
from grounding.app.state import MAX_SEGMENTS, ClipState, QueryResult
from grounding.app.thumbnails import Thumbnails, render_sheet
from grounding.errors import GroundingError, VideoError
from grounding.validation import check_query

if TYPE_CHECKING:
    from grounding.predictor import Predictor

REDRAW = 1.0  # seconds between two pictures of a growing curve


@dataclass(frozen=True)
class Found:
    """What a search has come to: an answer, or none after a curve had grown, which has to be taken back.

    Attributes:
        clip: path of the clip.
        result: the query with its answer.
        thumbnails: of the clip, as far as there are any.
        start: of the moment that was opened, whose segment is chosen and plays, seconds; None after a question.
    """

    clip: str
    result: QueryResult | None = None
    thumbnails: Thumbnails | None = None
    start: float | None = None


@dataclass
class Search:
    """One press of the button.

    Attributes:
        video: path of the clip.
        query, checkpoint: what is asked.
        before: the state that the page shows when it is pressed; it may be another by the time of the answer.
        memory: the visitor's.
        found: what searches have come to and is not shown yet, which this one adds to.
        grown: whether the page shows the curve as far as the clip is encoded, which goes if no answer comes.
        drawn: when the growing curve was drawn last, by the clock `time.monotonic`.
    """

    video: str | None
    query: str
    checkpoint: str
    before: ClipState | None
    memory: MemoryCache[Clip]
    found: deque[Found]
    grown: bool = False
    drawn: float = 0.0

    def run(self, job: Job) -> Iterator[PageUpdate]:
        """From the wait for its turn to the answer; after a cancel the rough one. Raises what ends it without any."""
        self.query = query = check_query(self.query)
        checkpoint = check_checkpoint(self.checkpoint)
        for others in job.wait_for_turn():
            # Behind none but the visitor's own last job, which says itself how it stands.
            yield PageUpdate(progress=render_turn(others)) if others else PageUpdate()
        opening = render_progress("Loading the model and opening the clip")
        # In the place of what ended the last job.
        message = render_answer(self.before, at_work=True) if self._same_clip else ""
        yield PageUpdate(progress=opening, message=message, memory=self.memory)
        predictor, clip, self.drawn = load_predictor(checkpoint), None, time.monotonic()
        try:
            for clip in encode_clip(self.video, predictor, self.memory, job.raise_if_cancelled, query=query):
                if not clip.is_whole:
                    plot = self._draw_now_and_then(predictor, clip, query)
                    yield PageUpdate(progress=render_encoding(clip), plot=plot)
        except JobCancelledError as error:
            if error.silent or clip is None or not clip.video.rough:
                raise
        yield self._answer(predictor, clip)

    def fail(self, error: GroundingError) -> PageUpdate:
        """The last update where something is wrong: with the clip, beside it; with what is asked, below the button."""
        if isinstance(error, VideoError) and self.video:
            said = {"clip_message": render_error(error), "message": self._earlier_answer}
        else:
            said = {"message": render_error(error, kept=self._same_clip)}
        return self._restore(**said, clip=self.video)

    def stop(self, job: Job) -> PageUpdate:
        """The last update after a cancel of `job`, which is this search."""
        if not job.silent:
            return self._restore(message=render_stopped(self._same_clip), clip=self.video)
        update = self._restore()
        return update._replace(progress=gr.skip()) if job_queue().has_job(job.session, besides=job) else update

    @property
    def _same_clip(self) -> bool:
        return self.before is not None and self.before.clip == self.video

    @property
    def _earlier_answer(self) -> str:
        return render_answer(self.before) if self._same_clip else ""

    def _draw_now_and_then(self, predictor: "Predictor", clip: Clip, query: str) -> object:
        if time.monotonic() - self.drawn < REDRAW:
            return gr.skip()
        self.drawn, self.grown = time.monotonic(), True
        return draw_growing(clip.video, predictor.score_frames(clip.video, query), clip.expected, clip.missing)

    def _answer(self, predictor: "Predictor", clip: Clip) -> PageUpdate:
        self.found.append(Found(self.video, answer_query(predictor, clip, self.query), clip.thumbnails))
        return PageUpdate(found=self.found, memory=self.memory)

    def _restore(self, **more: object) -> PageUpdate:
        """What was there stays, and a curve that grew goes."""
        if self.grown:
            self.found.append(Found(self.video))
            more["found"] = self.found
        return PageUpdate(progress="", **more)


def find_moment(
    video: str | None,
    query: str,
    checkpoint: str,
    state: ClipState | None,
    memory: MemoryCache[Clip] | None,
    found: deque[Found] | None = None,
    request: gr.Request | None = None,
) -> Iterator[PageUpdate]:
    """The button: says what is going on, draws the curve as it grows, and gives the answer or says what is wrong.

    What the visitor asked about another clip ends. The state is not written here: the visitor may change it meanwhile,
    which an older one would undo. What comes joins `found`, where answers to what was asked before may still wait.
    """
    session = session_from_request(request)
    visitor_files().claim(session, video)
    job_queue().cancel(session, silent=True, except_clip=video)
    memory = MemoryCache() if memory is None else memory
    search = Search(video, query, checkpoint, state, memory, deque() if found is None else found)
    with job_queue().start(session, video, at_model=True) as job:
        try:
            yield from search.run(job)
            return
        except JobCancelledError:
            last = search.stop(job)  # while it is in the queue: what was asked instead waits for its end
        except GroundingError as error:
            last = search.stop(job) if job.silent else search.fail(error)
    yield last  # here, where no error holds on to what was at work


def show_found(
    state: ClipState | None,
    found: deque[Found] | None,
    video: str | None,
    top_k: int = MAX_SEGMENTS,
    request: gr.Request | None = None,
) -> PageUpdate:
    """After a search: its answer joins the state as it is by now, with `top_k` segments at most.

    Of another clip than `video` it is not shown.
    """
    update = PageUpdate()
    while found:
        update = update.then(show_one(state, found.popleft(), video, top_k, request))
        state = state if update.state == gr.skip() else update.state
    return update


def show_one(
    state: ClipState | None, found: Found, video: str | None, top_k: int, request: gr.Request | None
) -> PageUpdate:
    """Of what was found the first."""
    if found.result is None or found.clip != video:
        at_work = job_queue().has_job(session_from_request(request))  # which says itself how it stands
        return take_back(state)._replace(progress=gr.skip() if at_work else "")
    new = state is None or state.clip != video
    before = ClipState(video) if new else state
    if new or any(one.answer.rough for one in before.results):  # of a rough answer not all pictures were there
        new, before = True, replace(before, thumbnails=found.thumbnails or before.thumbnails)
    state = before.add(found.result).limit_segments(top_k)
    if found.start is not None:
        state = state.select_segment_at(found.start)
    return show_state(state, new, progress="", clip=video, clip_message="")


def take_back(state: ClipState | None) -> PageUpdate:
    """What there was stands again where a curve grew of which nothing has come."""
    update = PageUpdate(plot=draw_empty()) if state is None else show_state(state)
    return update._replace(message=gr.skip(), span=gr.skip(), state=gr.skip())


def fetch_thumbnails(
    video: str | None, memory: MemoryCache[Clip] | None, request: gr.Request | None = None
) -> Iterator[PageUpdate]:
    """After an answer: the thumbnails of a clip that came from the cache are made, while people look around in it."""
    try:
        with job_queue().start(session_from_request(request), video) as job:
            check = job.raise_if_cancelled
            for share in make_missing_thumbnails(video, memory, check) if video and memory else ():
                check()
                yield PageUpdate(progress=render_progress("Fetching the pictures", share))
    except (GroundingError, OSError, JobCancelledError):  # the clip has left, or none are wanted; the answer stays
        pass
    yield PageUpdate(progress="")


def show_thumbnails(state: ClipState | None, memory: MemoryCache[Clip] | None) -> PageUpdate:
    """The thumbnails that came after their answer, wherever the visitor has come to meanwhile."""
    missing = state and memory and not state.thumbnails.jpegs
    thumbnails = find_thumbnails(state.clip, memory) if missing else None
    if thumbnails is None:
        return PageUpdate()
    state = replace(state, thumbnails=thumbnails)
    return PageUpdate(state=state, thumbnails=render_sheet(thumbnails), frames=render_inspection(state))


def answer_query(predictor: "Predictor", clip: Clip, query: str) -> QueryResult:
    """A query's answer with as many segments as can be asked for, and that of the model without hard-negative mining
    where there is one: frames are encoded once."""
    answer = predictor.ground(clip.video, query, MAX_SEGMENTS)
    baseline = load_baseline(predictor.config)
    return QueryResult(
        answer,
        tuple(predictor.measure_similarities(clip.video, answer)),
        baseline.ground(clip.video, query, 1) if baseline else None,
        predictor.measure_clip_similarity(clip.video, answer),
        context=predictor.grounder.frame_tower.reach / predictor.config.rate,
        model=describe_model(predictor),
        missing=clip.missing,
    )
