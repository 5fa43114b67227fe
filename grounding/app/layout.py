"""What stands on the page, and where."""

import html
import json
from collections import deque
from pathlib import Path
from typing import NamedTuple

import gradio as gr

from grounding.app.clip_limits import clip_limits
from grounding.app.models import default_checkpoint, describe_missing, list_choices
from grounding.app.page_update import COMPARE, PageUpdate
from grounding.app.plots import draw_empty
from grounding.app.state import MAX_SEGMENTS

EXAMPLES = Path(__file__).resolve().parent / "examples"
TITLE = """# Find a moment in a video by describing it
Give a clip, say in a sentence what happens in it, and see when it does."""

Parts = dict[str, gr.components.Component]  # of a PageUpdate, by name


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
    editor: gr.Button
    picture: gr.Button


class Example(NamedTuple):
    """An example clip's queries to press, and the event that takes clip and query into the inputs."""

    queries: gr.Dataset
    taking: gr.events.Dependency


class Layout(NamedTuple):
    """All that events read and write."""

    inputs: Inputs
    controls: Controls
    parts: PageUpdate
    examples: list[Example]


def add_layout(kept: float) -> Layout:
    """Adds the whole view of a clip to the page that is being built; states last `kept` seconds unused."""
    gr.Markdown(TITLE, elem_id="title")
    hidden = add_hidden(kept)
    with gr.Row(elem_id="table"):
        with gr.Column(scale=2, min_width=300, elem_id="given"):
            given, said = add_inputs()
            lists, controls = add_lists()
            choices, model = add_model()
            inputs = Inputs(*given, *choices)
        with gr.Column(scale=3, min_width=300, elem_id="found"):
            pictures = add_pictures()
            examples = add_examples(inputs)
    return Layout(inputs, controls, PageUpdate(**hidden, **said, **lists, **pictures, model=model), examples)


def add_hidden(kept: float) -> Parts:
    """What the page keeps without showing it."""
    return {
        "state": gr.State(None, time_to_live=kept),
        "clip": gr.State(None, time_to_live=kept),
        "memory": gr.State(None, time_to_live=kept),
        "made": gr.State(None, time_to_live=kept),
        "found": gr.State(deque(), time_to_live=kept),
        "span": gr.JSON(visible="hidden"),
        "thumbnails": gr.HTML(elem_id="thumbnails"),
        "swatches": gr.HTML(elem_id="swatches"),
    }


def add_inputs() -> tuple[list[gr.components.Component], Parts]:
    """The column on the left: the first of the inputs, and what is said beside them."""
    video = gr.Video(label=f"Clip ({clip_limits()})", elem_id="clip", height=270, sources=["upload"])
    preview = gr.Video(
        label="Preview: a copy that every browser plays",
        elem_id="preview",
        height=270,
        interactive=False,
        visible=False,
        buttons=[],
    )
    said = {"clip_message": gr.HTML(elem_id="clip-message", elem_classes="message"), "preview": preview}
    query = gr.Textbox(label="What happens?", placeholder="a dog catches a frisbee", elem_id="query", max_lines=2)
    button = gr.Button("Find the moment", variant="primary", elem_id="find")
    said |= {"query": query, "progress": gr.HTML(elem_id="progress")}
    cancel = gr.Button("Cancel", variant="secondary", elem_id="cancel")
    said["message"] = gr.HTML(elem_id="message", elem_classes="message")
    return [video, query, button, cancel], said


def add_model() -> tuple[tuple[gr.Radio, gr.Slider], gr.HTML]:
    """The rest of the inputs, which few visitors change, and who answered."""
    with gr.Accordion("Model and number of segments", open=False, elem_id="model"):
        answered = gr.HTML(elem_id="answered", elem_classes="aside")
        choices = list_choices()
        checkpoint = gr.Radio(
            choices, value=default_checkpoint(), label="Model", visible=len(choices) > 1, elem_id="checkpoint"
        )
        known = [choices[0][0]] if len(choices) == 1 else []  # what is no choice is only said
        said = " ".join(filter(None, [*known, describe_missing()]))
        gr.HTML(f"<p>{html.escape(said)}</p>", visible=bool(said), elem_id="missing", elem_classes="aside")
        top_k = gr.Slider(1, MAX_SEGMENTS, value=5, step=1, precision=0, label="Segments at most", elem_id="top-k")
        return (checkpoint, top_k), answered


def add_lists() -> tuple[Parts, Controls]:
    """Below what is given: the queries so far, and the active one's segments."""
    with gr.Column(visible=False, elem_id="answers") as answers:
        queries = gr.Radio([], label="Queries on this clip", elem_id="queries")
        remove = gr.Button("Remove this query", size="sm", elem_id="remove")
        segments = gr.Radio([], label="Segments: press one to play it", elem_id="segments")
        with gr.Row(elem_id="player"):
            play = gr.Button("Play the segment", size="sm", elem_id="play", min_width=120)
            gr.Checkbox(label="Loop", elem_id="loop", container=False, min_width=80)
        with gr.Accordion("Take it away", open=False, elem_id="away"):
            with gr.Row():
                cut = gr.Button("Segment as mp4", size="sm", min_width=120)
                results = gr.Button("Results as JSON, CSV, HTML", size="sm", min_width=120)
                editor = gr.Button("Segments for an editor", size="sm", min_width=120, elem_id="editor")
                picture = gr.Button("Plot as PNG", size="sm", min_width=120)
            files = gr.Files(label="Ready to be saved", visible=False, interactive=False, elem_id="files")
    parts = {"answers": answers, "queries": queries, "segments": segments, "files": files}
    return parts, Controls(remove, play, cut, results, editor, picture)


def add_pictures() -> Parts:
    """The column on the right: the curves, and the frames of the chosen segment with those around it."""
    plot = gr.Plot(draw_empty(), label="Matching score over time", elem_id="plot", show_label=False)
    with gr.Column(visible=False, elem_id="inspection") as inspection:
        compare = gr.Checkbox(
            label=COMPARE,
            visible=False,
            elem_id="compare",
            container=False,
        )
        show_clip = gr.Checkbox(
            label="Show what CLIP itself says, untrained",
            visible=False,
            elem_id="show-clip",
            container=False,
        )
        frames = gr.HTML(elem_id="frames")
    switches = {"compare": compare, "show_clip": show_clip}
    return {"plot": plot, "inspection": inspection, "frames": frames, **switches}


def add_examples(inputs: Inputs) -> list[Example]:
    """Example clips, each with its queries. gr.Examples would open each clip once for each query, at every start."""
    with gr.Column(elem_id="examples"):
        return [add_example(inputs, entry["title"], entry["file"], entry["queries"]) for entry in read_examples()]


def add_example(inputs: Inputs, title: str, file: str, queries: list[str]) -> Example:
    """One clip; pressing a query takes both over."""

    def take(index: int) -> tuple[str, str]:
        return str(EXAMPLES / file), queries[index]

    rows = [[query] for query in queries]
    listed = gr.Dataset(components=[inputs.query], samples=rows, sample_labels=queries, label=title, type="index")
    quiet = {"show_progress": "hidden", "api_visibility": "private", "queue": False}
    return Example(listed, listed.click(take, listed, [inputs.video, inputs.query], **quiet))


def read_examples() -> list[dict]:
    """The example clips, as examples/make.py lists them."""
    return json.loads((EXAMPLES / "examples.json").read_text(encoding="utf-8"))
