"""What happens when someone uses the page, beside asking."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import gradio as gr

from grounding.app.clip_limits import check_clip
from grounding.app.exports import cut_segment, write_editor_files, write_results
from grounding.app.file_ownership import session_from_request, visitor_files
from grounding.app.job_queue import JobCancelledError, job_queue
from grounding.app.markup import render_error
from grounding.app.page_update import PageUpdate, clear_page, show_state
from grounding.app.plots import draw_results
from grounding.app.state import ClipState
from grounding.errors import GroundingError
from grounding.files import make_preview_name
from grounding.isolation.client import make_preview
from grounding.isolation.worker_pool import Check


def select_query(state: ClipState | None, query: int | None) -> PageUpdate:
    """Another query was picked from the list."""
    if state is None or query is None:
        return PageUpdate()
    state = state.select_query(query)
    return show_state(state, query=state.result.answer.query)


def select_segment(state: ClipState | None, segment: int | None) -> PageUpdate:
    """Another segment was picked from the list."""
    return PageUpdate() if state is None or segment is None else show_state(state.select_segment(segment))


def limit_segments(state: ClipState | None, most: int) -> PageUpdate:
    """Another number of segments is wanted, for each query."""
    return PageUpdate() if state is None else show_state(state.limit_segments(most))


def toggle_baseline(state: ClipState | None, wanted: bool) -> PageUpdate:
    """The switch to the model without hard-negative mining."""
    return PageUpdate() if state is None else show_state(replace(state, compare=wanted))


def toggle_clip(state: ClipState | None, wanted: bool) -> PageUpdate:
    """The switch to CLIP's own similarity."""
    return PageUpdate() if state is None else show_state(replace(state, show_clip=wanted))


def remove_query(state: ClipState | None) -> PageUpdate:
    """The active query leaves; the others stay."""
    state = state and state.remove()
    return clear_page(message="") if state is None else show_state(state, query=state.result.answer.query)


def cancel(request: gr.Request | None = None) -> None:
    """The cancel button: what was asked ends by itself and says so; a preview that is being made stays wanted."""
    job_queue().cancel(session_from_request(request))


def clear_clip(request: gr.Request | None = None) -> PageUpdate:
    """The clip was taken away."""
    job_queue().cancel(session_from_request(request), silent=True, background=True)
    return clear_page(progress="", message="", clip_message="", clip=None, preview=gr.Video(None, visible=False))


def check_upload(
    video: str | None,
    progress: gr.Progress = gr.Progress(),  # noqa: B008
    request: gr.Request | None = None,
) -> PageUpdate:
    """An uploaded clip is looked at: is it a video, too long, can browsers play it, or do they need a preview?"""
    if not video:
        return PageUpdate()
    session = session_from_request(request)
    visitor_files().claim(session, video)
    with job_queue().start(session, video, background=True) as job:
        try:
            check_clip(video, job.raise_if_cancelled)
            report = job.wrap_progress(lambda share, text: progress(share, desc=text))
            copy = make_preview(video, visitor_files().make_folder(session), report, job.raise_if_cancelled)
        except (GroundingError, JobCancelledError) as error:
            return PageUpdate() if job.cancelled else PageUpdate(clip_message=render_error(error), clip=video)
    if copy == Path(video):
        return PageUpdate(clip_message="", preview=gr.Video(None, visible=False))  # another clip's may have come late
    return PageUpdate(clip_message="", preview=gr.Video(str(copy), visible=True))


def drop_refused_clip(clip_message: str | None):
    """What was refused leaves the page, where another clip can be given at once; what is wrong with it stays there."""
    return gr.Video(None) if clip_message else gr.skip()


def drop_stale_preview(video: str | None, preview: str | None):
    """A preview that belongs to another clip than the one on the page leaves it."""
    own = video and preview and Path(preview).name == make_preview_name(video)
    return gr.skip() if own or not preview else gr.Video(None, visible=False)


def export_segment(
    state: ClipState | None,
    progress: gr.Progress = gr.Progress(),  # noqa: B008
    request: gr.Request | None = None,
) -> PageUpdate:
    """The chosen segment as a file."""

    def cut(folder: Path, check: Check) -> list[Path]:
        def tell(share: float, text: str) -> None:
            progress(share, desc=text)

        return [cut_segment(state.clip, state.result.answer.query, state.chosen, folder, tell, check)]

    return make_files(state, request, cut)


def export_results(state: ClipState | None, request: gr.Request | None = None) -> PageUpdate:
    """All answers as files."""

    def write(folder: Path, check: Check) -> list[Path]:
        figure = draw_results(state.results, state.active, state.segment, state.compare, state.show_clip, legend=True)
        return write_results(folder, [result.answer for result in state.results], Path(state.clip).name, figure)

    return make_files(state, request, write)


def export_for_editor(state: ClipState | None, request: gr.Request | None = None) -> PageUpdate:
    """The active query's segments as files for an editor or a player."""
    return make_files(
        state, request, lambda folder, check: write_editor_files(folder, state.result.answer, state.clip, check)
    )


def make_files(
    state: ClipState | None, request: gr.Request | None, make: Callable[[Path, Check], list[Path]]
) -> PageUpdate:
    """What `make` writes into the visitor's folder; it ends at once where the clip is taken away or its visitor leaves.

    The state is not written here: the visitor may ask more meanwhile, which an older one would undo.
    """
    if state is None:
        return PageUpdate()
    session = session_from_request(request)
    with job_queue().start(session, state.clip, background=True) as job:
        try:
            paths = make(visitor_files().make_folder(session), job.raise_if_cancelled)
        except (GroundingError, JobCancelledError) as error:
            return PageUpdate(made=None) if job.cancelled else PageUpdate(message=render_error(error), made=None)
    return PageUpdate(made=(state.clip, [str(path) for path in paths]))


def show_files(state: ClipState | None, made: tuple[str, list[str]] | None) -> PageUpdate:
    """What was made last stands with all else to be taken away of this clip; of another clip it is not shown."""
    if state is None or made is None or made[0] != state.clip:
        return PageUpdate()
    state = state.add_files(made[1])
    return PageUpdate(files=gr.Files(list(state.files), visible=True), state=state)


def drop_stale_answer(video: str | None, clip: str | None, request: gr.Request | None = None) -> PageUpdate:
    """What was said about another clip than the one on the page leaves it, and what was said without a clip."""
    if clip == video or (clip is None and job_queue().has_job(session_from_request(request))):  # which says more itself
        return PageUpdate()
    if clip is None:
        return PageUpdate(message="")
    kept = gr.skip() if video is None else ""  # why the clip was refused
    return clear_page(message="", clip_message=kept, clip=None)
