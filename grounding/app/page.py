"""The page of the demo: which event does what. What stands on it is in layout.py."""

from collections.abc import Callable
from typing import Any

import gradio as gr

from grounding.app import find, handlers
from grounding.app.checked_blocks import CheckedBlocks
from grounding.app.endpoint import add_endpoint
from grounding.app.file_ownership import KEEP_SECONDS, visitor_files
from grounding.app.job_queue import job_queue
from grounding.app.layout import EXAMPLES, Layout, add_layout
from grounding.app.library_tab import CLIP_TAB, SharedFolder, add_library_tab, connect_library
from grounding.app.page_update import EACH, HIDDEN, IN_TURN

SHOW = "(span) => window.grounding.show(span)"
PLAY = "(span) => window.grounding.toggle(span)"
SAVE = "() => window.grounding.savePlot()"
FEW_AT_A_TIME = {"concurrency_limit": 2, "concurrency_id": "files"}  # each decodes, which may take much memory
VISITORS = 32  # who are told their place and may cancel; whoever comes then waits for one of these places
ONE_AFTER_ANOTHER = {"concurrency_limit": 1, "trigger_mode": "multiple"}
ONCE = IN_TURN | {"trigger_mode": "once"}  # a second click meanwhile is not another
LATEST = IN_TURN | {"trigger_mode": "always_last"}  # of many steps of a slider


def build_page(kept: float = KEEP_SECONDS, shared: SharedFolder | None = None) -> CheckedBlocks:
    """The whole page, and a tab for the folder that is shared. What a visitor left unused for `kept` seconds goes."""
    gr.set_static_paths([EXAMPLES])  # handed out from there, and never deleted as a visitor's upload would be
    age = max(1, int(kept))  # seconds; Gradio would look without a pause for 0
    with CheckedBlocks(title="Find a moment", analytics_enabled=False, delete_cache=(min(600, age), age)) as page:
        if shared is None:
            connect(add_layout(kept))
        else:
            add_tabs(kept, shared)
        add_endpoint(kept)
        page.unload(make_goodbye(page))
    return page


def add_tabs(kept: float, shared: SharedFolder) -> None:
    """A tab for one clip, and one for the operator's folder."""
    with gr.Tabs(elem_id="tabs") as tabs:
        with gr.Tab("One clip", id=CLIP_TAB):
            layout = add_layout(kept)
        with gr.Tab("Library"):
            tab = add_library_tab(kept)
    connect(layout)
    connect_library(shared, tab, tabs, layout, connect_showing)


def connect(layout: Layout) -> None:
    """Which event does what. The video is an output of none of them, so that an error never covers it."""
    connect_asking(layout)
    connect_looking(layout)
    connect_files(layout)
    connect_clip(layout)


def connect_asking(layout: Layout) -> None:
    """The button, Enter, and a pressed example."""
    inputs, parts = layout.inputs, layout.parts
    how = {
        "fn": find.find_moment,
        "inputs": [inputs.video, inputs.query, inputs.checkpoint, parts.state, parts.memory, parts.found],
        "outputs": list(parts),
        "show_progress_on": [parts.progress],
        "trigger_mode": "always_last",  # what is asked while one is answered comes next
        "api_visibility": "private",
        "concurrency_limit": VISITORS,
        "concurrency_id": "visitors",
    }
    asking = [gr.on([inputs.button.click, inputs.query.submit], **how)]
    for found in (*asking, *(example.taking.success(**how) for example in layout.examples)):
        connect_showing(layout, found)


def connect_showing(layout: Layout, found: gr.events.Dependency) -> gr.events.Dependency:
    """What a search has found is shown; then the pictures of its clip are fetched."""
    inputs, parts = layout.inputs, layout.parts
    shown = found.success(
        find.show_found, [parts.state, parts.found, inputs.video, inputs.top_k], list(parts), **IN_TURN
    )
    shown.then(None, parts.span, js=SHOW)
    shown.success(**make_stale_answer_event(layout))  # the clip may have left before its answer was shown
    fetching = shown.success(
        find.fetch_thumbnails, [parts.clip, parts.memory], list(parts), **ONE_AFTER_ANOTHER, **HIDDEN
    )
    fetching.success(find.show_thumbnails, [parts.state, parts.memory], list(parts), **IN_TURN)
    return shown


def connect_looking(layout: Layout) -> None:
    """What moves within an answer, or between answers."""
    parts = layout.parts
    looking = [
        parts.queries.input(handlers.select_query, [parts.state, parts.queries], list(parts), **IN_TURN),
        parts.segments.input(handlers.select_segment, [parts.state, parts.segments], list(parts), **IN_TURN),
        parts.compare.input(handlers.toggle_baseline, [parts.state, parts.compare], list(parts), **IN_TURN),
        parts.show_clip.input(handlers.toggle_clip, [parts.state, parts.show_clip], list(parts), **IN_TURN),
        layout.inputs.top_k.input(handlers.limit_segments, [parts.state, layout.inputs.top_k], list(parts), **LATEST),
        layout.controls.remove.click(handlers.remove_query, [parts.state], list(parts), **ONCE),
    ]
    for event in looking:
        event.then(None, parts.span, js=SHOW)


def connect_files(layout: Layout) -> None:
    """What is played, cut and taken away, and the cancel button."""
    controls, parts = layout.controls, layout.parts
    controls.play.click(None, parts.span, js=PLAY)
    controls.picture.click(None, js=SAVE)
    making = (
        (controls.cut, handlers.export_segment, FEW_AT_A_TIME),
        (controls.results, handlers.export_results, {}),
        (controls.editor, handlers.export_for_editor, FEW_AT_A_TIME),
    )
    for button, make, limit in making:
        event = button.click(make, parts.state, list(parts), show_progress_on=button, api_visibility="private", **limit)
        event.success(handlers.show_files, [parts.state, parts.made], list(parts), **IN_TURN)
    layout.inputs.cancel.click(handlers.cancel, queue=False, **HIDDEN)


def connect_clip(layout: Layout) -> None:
    """A clip comes or goes."""
    inputs, parts = layout.inputs, layout.parts
    forget = make_stale_answer_event(layout)
    # One after the other, and not on `change`, which comes beside: what is said of the new clip would be forgotten too.
    checked = inputs.video.upload(**forget).success(
        handlers.check_upload,
        inputs.video,
        list(parts),
        show_progress_on=inputs.video,
        trigger_mode="multiple",
        api_visibility="private",
        **FEW_AT_A_TIME,
    )
    # By hand, before another clip can be given; `change` may come late and would end what was asked since.
    inputs.video.clear(handlers.clear_clip, None, list(parts), queue=False, **HIDDEN)
    # A preview that was being made for a clip that has left may still come.
    checked.success(handlers.drop_refused_clip, parts.clip_message, inputs.video, **EACH)
    checked.success(handlers.drop_stale_preview, [inputs.video, parts.preview], parts.preview, **EACH)
    for example in layout.examples:
        example.queries.click(lambda: gr.Video(None, visible=False), None, parts.preview, queue=False, **HIDDEN)
        example.taking.success(**forget)


def make_stale_answer_event(layout: Layout) -> dict[str, Any]:
    """What was said of another clip than the one on the page goes."""
    parts = layout.parts
    return {
        "fn": handlers.drop_stale_answer,
        "inputs": [layout.inputs.video, parts.clip],
        "outputs": list(parts),
        **IN_TURN,
    }


def make_goodbye(page: CheckedBlocks) -> Callable[[gr.Request], None]:
    """What happens when a visitor closes the page, or a program its client: files, features and answers go."""

    def forget_visitor(request: gr.Request) -> None:
        session = request.session_hash
        job_queue().cancel(session, silent=True, background=True)
        visitor_files().delete(session)
        page.forget_session(session)

    return forget_visitor
