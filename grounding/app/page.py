"""The page of the demo: its layout, and which event does what."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import gradio as gr

from grounding.app import find as finding
from grounding.app import handlers as events
from grounding.app.checked_blocks import Page
from grounding.app.job_queue import desk
from grounding.app.models import LIMITS, checkpoint_choices, default_checkpoint, ground_json
from grounding.app.page_update import Screen
from grounding.app.plots import empty_figure
from grounding.app.visitor_files import visitors

EXAMPLES = Path(__file__).resolve().parent / "examples"
TITLE = """# Find a moment in a video by describing it
Every sampled frame gets a matching score. No segment proposals, no training on timestamps."""
SHOW = "(span) => window.grounding.show(span)"
PLAY = "(span) => window.grounding.play(span)"
SAVE = "() => window.grounding.savePlot()"
FEW_AT_A_TIME = {"concurrency_limit": 2, "concurrency_id": "files"}  # each decodes, which may take much memory
VISITORS = 32  # who are told their place and may call it off; whoever comes then waits for one of these places
PROGRAMS = {"concurrency_limit": 1}  # at the model or waiting for it; the others wait in Gradio's queue
ONE_AFTER_ANOTHER = {"concurrency_limit": 1, "trigger_mode": "multiple"}
QUICK = {"show_progress": "hidden", "api_visibility": "private"}


class Inputs(NamedTuple):
    """What a visitor fills in."""

    video: gr.Video
    query: gr.Textbox
    button: gr.Button
    cancel: gr.Button
    checkpoint: gr.Radio
    top_k: gr.Slider


class Controls(NamedTuple):
    """What a visitor presses to look around in an answer."""

    remove: gr.Button
    play: gr.Button
    cut: gr.Button
    results: gr.Button
    picture: gr.Button


def build_page(limits: str, kept: float = LIMITS.kept) -> gr.Blocks:
    """The whole page. `limits` says how large a clip may be; what a visitor left unused for `kept` seconds goes."""
    gr.set_static_paths([EXAMPLES])  # handed out from there, and never deleted as a visitor's upload would be
    age = max(1, int(kept))  # seconds; Gradio would look without a pause for 0
    with Page(title="Find a moment", analytics_enabled=False, delete_cache=(min(600, age), age)) as page:
        gr.Markdown(TITLE, elem_id="title")
        parts = state(kept)
        with gr.Row(elem_id="table"):
            with gr.Column(scale=2, min_width=300, elem_id="given"):
                given, said = add_inputs(limits)
                lists, controls = add_lists()
                inputs = Inputs(*given, *add_model())
            with gr.Column(scale=3, min_width=300, elem_id="found"):
                shown = add_pictures()
                examples = add_examples(inputs)
        screen = Screen(**parts, **said, **lists, **shown)
        connect(inputs, controls, screen, examples)
        add_endpoint(kept)
        page.unload(goodbye(page))
    return page


def state(kept: float) -> dict[str, gr.components.Component]:
    """What the page keeps without showing it."""
    return {
        "board": gr.State(None, time_to_live=kept),
        "clip": gr.State(None, time_to_live=kept),
        "memory": gr.State(None, time_to_live=kept),
        "span": gr.JSON(visible="hidden"),
        "film": gr.HTML(elem_id="film"),
        "swatches": gr.HTML(elem_id="swatches"),
    }


def add_inputs(limits: str) -> tuple[list[gr.components.Component], dict[str, gr.components.Component]]:
    """The column on the left: the first of the inputs, and what is said beside them."""
    video = gr.Video(label=f"Clip ({limits})", elem_id="clip", height=270, sources=["upload"])
    preview = gr.Video(
        label="Preview: browsers cannot play the clip itself",
        elem_id="preview",
        height=270,
        interactive=False,
        visible=False,
        buttons=[],
    )
    query = gr.Textbox(label="What happens?", placeholder="a dog catches a frisbee", elem_id="query", max_lines=2)
    button = gr.Button("Find the moment", variant="primary", elem_id="find")
    said = {"preview": preview, "waiting": gr.HTML(elem_id="waiting")}
    cancel = gr.Button("Cancel", variant="secondary", elem_id="cancel")
    said["message"] = gr.HTML(elem_id="message")
    return [video, query, button, cancel], said


def add_model() -> tuple[gr.Radio, gr.Slider]:
    """The rest of the inputs, which few visitors change."""
    with gr.Accordion("Model and number of segments", open=False, elem_id="model"):
        checkpoint = gr.Radio(
            checkpoint_choices(), value=default_checkpoint(), label="Checkpoint", elem_id="checkpoint"
        )
        return checkpoint, gr.Slider(1, 10, value=5, step=1, label="Segments at most")


def add_lists() -> tuple[dict[str, gr.components.Component], Controls]:
    """Below what is given: the queries so far, and the active one's segments."""
    with gr.Column(visible=False, elem_id="answers") as answers:
        queries = gr.Radio([], label="Queries on this clip", elem_id="queries")
        remove = gr.Button("Remove this query", size="sm", elem_id="remove")
        segments = gr.Radio([], label="Segments, best first", elem_id="segments")
        with gr.Row(elem_id="player"):
            play = gr.Button("Play the segment", size="sm", elem_id="play", min_width=120)
            gr.Checkbox(label="Loop", elem_id="loop", container=False, min_width=80)
        with gr.Accordion("Take it away", open=False, elem_id="away"):
            with gr.Row():
                cut = gr.Button("Segment as mp4", size="sm", min_width=120)
                results = gr.Button("Results as JSON, CSV, HTML", size="sm", min_width=120)
                picture = gr.Button("Plot as PNG", size="sm", min_width=120)
            files = gr.Files(label="Ready to be saved", visible=False, interactive=False, elem_id="files")
    parts = {"answers": answers, "queries": queries, "segments": segments, "files": files}
    return parts, Controls(remove, play, cut, results, picture)


def add_pictures() -> dict[str, gr.components.Component]:
    """The column on the right: the curves, and the frames of the chosen segment with those around it."""
    plot = gr.Plot(empty_figure(), label="Matching score over time", elem_id="plot", show_label=False)
    with gr.Column(visible=False, elem_id="inspection") as inspection:
        compare = gr.Checkbox(
            label="Compare with the same model trained without hard-negative mining",
            visible=False,
            elem_id="compare",
            container=False,
        )
        frames = gr.HTML(elem_id="frames")
    return {"plot": plot, "inspection": inspection, "compare": compare, "frames": frames}


def add_examples(inputs: Inputs) -> list[gr.Examples]:
    """Example clips, each with its queries."""
    with gr.Column(elem_id="examples"):
        return [
            gr.Examples(
                [[str(EXAMPLES / entry["file"]), query] for query in entry["queries"]],
                [inputs.video, inputs.query],
                label=entry["title"],
                example_labels=entry["queries"],
                api_visibility="private",
            )
            for entry in example_entries()
        ]


def example_entries() -> list[dict]:
    """The example clips, as examples/make.py lists them."""
    return json.loads((EXAMPLES / "examples.json").read_text(encoding="utf-8"))


def connect(inputs: Inputs, controls: Controls, screen: Screen, examples: list[gr.Examples]) -> None:
    """Which event does what. The video is an output of none of them, so that an error never covers it."""
    asking = [
        event(
            finding.find,
            [inputs.video, inputs.query, inputs.checkpoint, inputs.top_k, screen.board, screen.memory],
            list(screen),
            show_progress_on=[screen.waiting],
            trigger_mode="always_last",  # a press while the last work still ends is not lost
            api_visibility="private",
            concurrency_limit=VISITORS,
            concurrency_id="visitors",
        )
        for event in (
            inputs.button.click,
            inputs.query.submit,
            *(example.load_input_event.success for example in examples),
        )
    ]
    forget = {"fn": events.forget, "inputs": [inputs.video, screen.clip], "outputs": list(screen), **QUICK}
    for found in asking:
        developing = found.success(
            finding.develop, [screen.clip, screen.memory], list(screen), **ONE_AFTER_ANOTHER, **QUICK
        )
        developing.success(finding.pictures, [screen.board, screen.memory], list(screen), **QUICK)
        found.success(**forget)  # an answer may also arrive after its clip has left
    looking = [
        screen.queries.input(events.look_at, [screen.board, screen.queries], list(screen), **QUICK),
        screen.segments.input(events.choose, [screen.board, screen.segments], list(screen), **QUICK),
        screen.compare.input(events.compare, [screen.board, screen.compare], list(screen), **QUICK),
        controls.remove.click(events.remove, [screen.board], list(screen), **QUICK),
    ]
    for event in (*asking, *looking):
        event.then(None, screen.span, js=SHOW)
    controls.play.click(None, screen.span, js=PLAY)
    controls.picture.click(None, js=SAVE)
    for button, make, limit in ((controls.cut, events.cut_out, FEW_AT_A_TIME), (controls.results, events.results, {})):
        button.click(make, screen.board, list(screen), show_progress_on=button, api_visibility="private", **limit)
    inputs.cancel.click(events.stop, queue=False, **QUICK)
    # One after the other, and not on `change`, which comes beside: what is said of the new clip would be forgotten too.
    playing = inputs.video.upload(**forget).success(
        events.playable,
        inputs.video,
        list(screen),
        show_progress_on=inputs.video,
        trigger_mode="multiple",
        api_visibility="private",
        **FEW_AT_A_TIME,
    )
    # By hand, before another clip can be given; `change` may come late and would end what was asked since.
    inputs.video.clear(events.leave, None, list(screen), queue=False, **QUICK)
    # A preview that was being made for a clip that has left may still come.
    playing.success(events.own_preview, [inputs.video, screen.preview], screen.preview, **QUICK)
    for example in examples:
        example.dataset.click(lambda: gr.Video(None, visible=False), None, screen.preview, queue=False, **QUICK)
        example.load_input_event.success(**forget)


def goodbye(page: gr.Blocks) -> Callable[[gr.Request], None]:
    """What happens when a visitor closes the page, or a program its client: files, features and answers go."""

    def forget_visitor(request: gr.Request) -> None:
        session, holder = request.session_hash, page.state_holder
        desk().call_off(session, quiet=True, beside=True)
        visitors().leave(session)
        holder.delete_state(session)  # Gradio itself would keep it for an hour ...
        with holder.lock:
            holder.session_data.pop(session, None)  # ... and its copy of the page's settings until 10,000 others came
            holder.time_last_used.pop(session, None)

    return forget_visitor


def add_endpoint(kept: float) -> None:
    """The endpoint /ground for programs."""
    with gr.Row(visible=False):
        inputs = [
            gr.File(label="video"),
            gr.Textbox(label="query"),
            gr.Textbox(default_checkpoint(), label="checkpoint"),
            gr.Number(5, precision=0, label="top_k"),
            memory := gr.State(None, time_to_live=kept),  # of its own: it holds no pictures
        ]
        outputs = [gr.JSON(label="answer"), memory]
        gr.Button().click(ground_json, inputs, outputs, api_name="ground", **PROGRAMS)
