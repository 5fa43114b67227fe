"""The page's second tab: the operator's folder, searched as one. A moment that is chosen opens in the tab of a clip."""

import logging
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, NamedTuple

import gradio as gr

from grounding.app import find, handlers
from grounding.app.clip_limits import clip_limits
from grounding.app.clips import Clip
from grounding.app.file_ownership import session_from_request, visitor_files
from grounding.app.job_queue import JobCancelledError, job_queue
from grounding.app.layout import Layout
from grounding.app.markup import render_error, render_progress, render_stopped, render_turn
from grounding.app.memory_cache import MemoryCache
from grounding.app.models import check_checkpoint, default_checkpoint, load_predictor
from grounding.app.moment_gallery import read_picture, render_found, show_gallery
from grounding.app.page_update import EACH, IN_TURN, PageUpdate
from grounding.errors import GroundingError, VideoError
from grounding.exports.cut_list import Moment
from grounding.exports.write import KINDS, write_moments
from grounding.library.command_line import add_videos, describe_missing
from grounding.library.find_videos import absolute_path, find_videos

if TYPE_CHECKING:
    from grounding.library.library import Library

Show = Callable[[Layout, gr.events.Dependency], gr.events.Dependency]
CLIP_TAB = "clip"
MOMENTS = 12  # shown for a query

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SharedFolder:
    """A folder of videos that the operator lets visitors search.

    Attributes:
        folder: where it is.
        library: that it is in, which may hold other videos too.
        videos: those of the folder when the app began; visitors can fetch them, and no other file in it.
        left_out: why they cannot be read, by those that cannot; known as they are added.
    """

    folder: Path
    library: "Library"
    videos: frozenset[str]
    left_out: dict[str, str] = field(default_factory=dict)

    def search(self, query: str) -> list[Moment]:
        """Moments of its videos. Raises as Library.search does."""
        return [moment for moment in self.library.search(query, MOMENTS, [self.folder]) if moment.video in self.videos]

    def count(self) -> int:
        """How many of its videos can be found by now."""
        return len(self.videos & set(self.library.videos()))


def share_folder(folder: str | Path, store: Path) -> SharedFolder:
    """Lets visitors search a folder while what is not in the library yet is added to it in the background.

    Raises GroundingError where there is no folder or no video in it, or LanceDB is not installed.
    """
    folder = absolute_path(folder)
    if folder.is_file():
        raise VideoError(f"{folder.name!r} is a file, and --library takes a folder: give the one with the videos.")
    from grounding.library.library import Library

    library = Library(store, load_predictor(check_checkpoint(default_checkpoint())))
    videos = frozenset(map(str, find_videos([folder])))
    gr.set_static_paths(list(videos))  # handed out from where they are, and never copied or deleted
    library.videos()  # raises what is wrong with it
    shared = SharedFolder(folder, library, videos)
    Thread(target=add_in_background, args=(shared,), daemon=True).start()
    return shared


def add_in_background(shared: SharedFolder) -> None:
    """Adds the videos of a folder, and says on the terminal what hinders it."""
    try:
        add_videos(shared.library, [str(shared.folder)], shared.left_out)
    except GroundingError as error:
        log.warning("The library in %s grows no further: %s", shared.folder, error)


class LibraryParts(NamedTuple):
    """What stands in the tab."""

    query: gr.Textbox
    button: gr.Button
    message: gr.HTML
    gallery: gr.Gallery
    export: gr.Button
    kind: gr.Dropdown
    files: gr.Files
    moments: gr.State  # all that are shown
    chosen: gr.State  # the one that was opened last


def add_library_tab(kept: float) -> LibraryParts:
    """Adds what stands in the tab; states last `kept` seconds unused."""
    with gr.Row():
        query = gr.Textbox(
            label="What happens, in any of the videos?",
            placeholder="a dog catches a frisbee",
            elem_id="library-query",
            scale=4,
        )
        button = gr.Button("Search", variant="primary", elem_id="library-search", scale=1)
    message = gr.HTML(elem_id="library-message", elem_classes="message")
    gallery = gr.Gallery(
        label="Moments, best first: choose one to see it",
        height="auto",
        object_fit="contain",
        allow_preview=False,
        interactive=False,
        buttons=[],
        elem_id="library-moments",
    )
    with gr.Accordion("Take these moments to an editor", open=False):
        kinds = [suffix.removeprefix(".") for suffix in KINDS]
        kind = gr.Dropdown(kinds, value=kinds[0], label="Kind of file", elem_id="library-kind")
        export = gr.Button("Make the file", size="sm", elem_id="library-export")
        files = gr.Files(label="Ready to be saved", visible=False, interactive=False, elem_id="library-files")
    states = (gr.State(value, time_to_live=kept) for value in ([], None))
    return LibraryParts(query, button, message, gallery, export, kind, files, *states)


def connect_library(shared: SharedFolder, tab: LibraryParts, tabs: gr.Tabs, layout: Layout, show: Show) -> None:
    """Which event of the tab does what; `show` adds the events that show what was found in an opened video."""
    handler, parts, inputs = LibraryHandlers(shared), layout.parts, layout.inputs
    for event in (tab.button.click, tab.query.submit):
        event(
            handler.search,
            tab.query,
            [tab.message, tab.gallery, tab.moments, tab.files],
            show_progress_on=[tab.message],
            trigger_mode="always_last",
            api_visibility="private",
        )
    given = [inputs.video, inputs.query, tab.chosen, tabs]
    opened = tab.gallery.select(handler.open_video, tab.moments, given, **EACH)
    forgotten = opened.success(handlers.drop_stale_answer, [inputs.video, parts.clip], list(parts), **IN_TURN)
    found = forgotten.success(handler.find_moment, [tab.chosen, parts.memory, parts.found], list(parts), **EACH)
    show(layout, found).success(handler.prepare_playback, inputs.video, list(parts), **EACH)
    tab.export.click(handler.export, [tab.moments, tab.kind], [tab.message, tab.files], api_visibility="private")


class LibraryHandlers:
    """What happens in the tab."""

    def __init__(self, shared: SharedFolder) -> None:
        self.shared, self.library = shared, shared.library

    def search(self, query: str, request: gr.Request | None = None) -> Iterator[tuple]:
        """The button: the moments at once, then with a picture each."""
        session = session_from_request(request)
        job_queue().cancel(session, silent=True)
        try:
            with job_queue().start(session, None, at_model=True) as job:
                for others in job.wait_for_turn():
                    yield render_turn(others), gr.skip(), gr.skip(), gr.skip()
                yield render_progress("Searching the library"), gr.skip(), gr.skip(), gr.skip()
                moments, count = self.shared.search(query), self.shared.count()
        except GroundingError as error:
            yield render_error(error), gr.skip(), gr.skip(), gr.skip()
            return
        except JobCancelledError:
            yield render_stopped(), gr.skip(), gr.skip(), gr.skip()
            return
        partly = describe_missing(self.shared.library, moments)
        said = render_found(moments, count, dict(self.shared.left_out), partly)
        yield said, show_gallery(moments), moments, gr.Files(None, visible=False)
        yield said, show_gallery(moments, [read_picture(moment) for moment in moments]), gr.skip(), gr.skip()

    def open_video(self, moments: list[Moment], event: gr.SelectData) -> tuple:
        """A moment was chosen: its video comes to the other tab."""
        if event.index >= len(moments):
            raise gr.Error("This list was given up after a while without use: search again.", print_exception=False)
        moment = moments[event.index]
        return moment.video, moment.query, moment, gr.Tabs(selected=CLIP_TAB)

    def find_moment(
        self,
        moment: Moment,
        memory: MemoryCache[Clip] | None,
        found: deque[find.Found] | None = None,
        request: gr.Request | None = None,
    ) -> Iterator[PageUpdate]:
        """The moment's curve, which joins `found` as in find.find_moment. What the visitor asked before ends."""
        session, memory = session_from_request(request), MemoryCache() if memory is None else memory
        found = deque() if found is None else found
        job_queue().cancel(session, silent=True)
        try:
            with job_queue().start(session, moment.video, at_model=True) as job:
                for others in job.wait_for_turn():
                    yield PageUpdate(progress=render_turn(others)) if others else PageUpdate()
                clip = self._encoded(moment.video, memory)
                result = find.answer_query(self.library.predictor, clip, moment.query)
        except GroundingError as error:
            yield PageUpdate(progress="", message=render_error(error), clip=moment.video)
            return
        except JobCancelledError:
            yield PageUpdate(progress="")
            return
        found.append(find.Found(moment.video, result, clip.thumbnails, moment.start))
        yield PageUpdate(found=found, memory=memory)

    def _encoded(self, video: str, memory: MemoryCache[Clip]) -> Clip:
        """From the library; kept with the visitor's clips where it may be as large, so that more can be asked of it."""
        encoded = self.library.load(video)
        clip = Clip(encoded, None, encoded.duration)
        if fits(video):
            key = self.library.predictor.store.make_key(memory.content_hash(video))
            clip = memory.get(key) or clip
            memory.put(key, clip, clip.size)
        return clip

    def prepare_playback(self, video: str | None, request: gr.Request | None = None) -> PageUpdate:
        """A copy that browsers can play, where they cannot play the video itself."""
        with suppress(VideoError):  # which was said when the moment was to be shown
            if video and fits(video):
                return handlers.check_upload(video, request=request)
        return PageUpdate()

    def export(self, moments: list[Moment], kind: str, request: gr.Request | None = None) -> tuple:
        """The moments as a file for an editing program."""
        try:
            folder = visitor_files().make_folder(session_from_request(request))
            path = write_moments(folder / f"moments.{kind}", moments, bare=True)
        except GroundingError as error:
            return render_error(error), gr.skip()
        return gr.skip(), gr.Files([str(path)], visible=True)


def fits(video: str) -> bool:
    """Whether a video is no larger than what visitors may upload. Raises VideoError where it has left."""
    try:
        return Path(video).stat().st_size <= clip_limits().megabytes * 1e6
    except OSError as error:
        name = Path(video).name
        raise VideoError(f"{name!r} is not in its folder any more: choose a moment of another video.") from error
