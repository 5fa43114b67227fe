"""The page of the demo: its layout, and what happens when someone uses it."""

import json
from collections import OrderedDict
from pathlib import Path
from typing import NamedTuple

import gradio as gr

from grounding.errors import GroundingError
from grounding.plots import empty_figure, score_figure
from grounding.predictor import Answer, check_query
from grounding.serving import (
    Memory,
    checkpoint_choices,
    default_checkpoint,
    described,
    encode,
    ground_json,
    known,
    load_predictor,
)
from grounding.views import done, galleries, problem, segment_label

EXAMPLES = Path(__file__).resolve().parent / "examples"
TITLE = """# Find a moment in a video by describing it
Every sampled frame gets a matching score. No segment proposals, no training on timestamps."""
EXPLANATION = """Hard negatives are the frames just outside the moment that look almost like it. A frame that looks
alike and still scores low is one that the model has learned to tell apart; one that scores high nearly fooled it.
Scale 1 is within 1 second of the boundary, scale 2 within 3, scale 3 within 9."""
SEEK = """(start) => {
  const video = document.querySelector('#clip video');
  if (video && start !== null && start !== undefined) { video.pause(); video.currentTime = start; }
}"""
ONE_AT_A_TIME = {"concurrency_limit": 1, "concurrency_id": "model"}


class Inputs(NamedTuple):
    """What a visitor fills in, and what is said beside it."""

    video: gr.Video
    query: gr.Textbox
    button: gr.Button
    waiting: gr.HTML  # holds the progress and is written by no event: the end of another one would hide it
    message: gr.HTML
    checkpoint: gr.Radio
    top_k: gr.Slider


class Results(NamedTuple):
    """What a visitor is shown, and what the page keeps of it."""

    plot: gr.Plot
    segments: gr.Radio
    inspection: gr.Row
    frames: gr.Gallery
    hard: gr.Gallery
    answer: gr.State
    clip: gr.State  # path of the one that message and answer are about
    start: gr.Number


def find(video: str | None, query: str, checkpoint: str, top_k: int, memory: Memory, progress=gr.Progress()):  # noqa: B008
    """The button: the message and the results, or a message alone while everything else stays."""
    try:
        check_query(query)
        progress(0.0, desc="Loading the model")
        predictor = load_predictor(known(checkpoint))
        encoded = encode(video, checkpoint, memory, lambda share, text: progress(share, desc=text))
        answer = predictor.ground(encoded, query, int(top_k))
        frames, hard = galleries(video, answer, 0)
    except GroundingError as error:
        return problem(error), *[gr.skip()] * 6, video, None, memory  # no start: the video is left where it is
    choices = [(segment_label(answer, index), index) for index in range(len(answer.segments))]
    segments = gr.Radio(choices=choices, value=0, visible=True)
    shown = [score_figure(answer), segments, gr.Row(visible=True), frames, hard]
    return done(answer, described(predictor)), *shown, answer, video, answer.segments[0].start, memory


def choose(clip: str | None, answer: Answer | None, index: int | None):
    """Another segment was picked from the list."""
    if clip is None or answer is None or index is None:
        return [gr.skip()] * 4 + [None]
    try:
        frames, hard = galleries(clip, answer, index)
    except GroundingError as error:
        return problem(error), *[gr.skip()] * 3, None
    return gr.skip(), score_figure(answer, index), frames, hard, answer.segments[index].start


def forget(video: str | None, clip: str | None):
    """What was said about another clip than the one on the page leaves it."""
    if video == clip:
        return [gr.skip()] * 9
    segments = gr.Radio(choices=[], value=None, visible=False)
    return "", empty_figure(), segments, gr.Row(visible=False), None, None, None, None, None


def example_rows() -> list[list[str]]:
    """Example clips and queries, as paths and sentences."""
    entries = json.loads((EXAMPLES / "examples.json").read_text(encoding="utf-8"))
    return [[str(EXAMPLES / entry["file"]), query] for entry in entries for query in entry["queries"]]


def build_page(limits: str) -> gr.Blocks:
    """The whole page. `limits` says, before anyone uploads, how large a clip may be."""
    with gr.Blocks(title="Find a moment", analytics_enabled=False, delete_cache=(600, 3600)) as page:
        gr.Markdown(TITLE, elem_id="title")
        memory = gr.State(OrderedDict(), time_to_live=3600)  # each visitor gets a copy
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                inputs = add_inputs(limits)
            with gr.Column(scale=3, min_width=300):
                results = add_results()
                rows = example_rows()
                gr.Examples(
                    rows, [inputs.video, inputs.query], label="Examples", example_labels=[row[1] for row in rows]
                )
        with results.inspection.render(), gr.Column(scale=1):
            gr.Markdown("## Frames of the segment")
            results.frames.render()
            gr.Markdown("## Hard-negative boundary frames, the hardest first")
            gr.Markdown(EXPLANATION)
            results.hard.render()
        connect(inputs, results, memory)
        add_endpoint()
    return page


def add_inputs(limits: str) -> Inputs:
    """The column on the left."""
    video = gr.Video(label=f"Clip ({limits})", elem_id="clip", height=300, sources=["upload"])
    query = gr.Textbox(label="What happens?", placeholder="a dog catches a frisbee", elem_id="query", max_lines=2)
    button = gr.Button("Find the moment", variant="primary", elem_id="find")
    waiting = gr.HTML(elem_id="waiting")
    message = gr.HTML(elem_id="message")
    with gr.Accordion("Model and number of segments", open=False):
        checkpoint = gr.Radio(
            checkpoint_choices(), value=default_checkpoint(), label="Checkpoint", elem_id="checkpoint"
        )
        top_k = gr.Slider(1, 10, value=5, step=1, label="Segments at most")
    return Inputs(video, query, button, waiting, message, checkpoint, top_k)


def add_results() -> Results:
    """The column on the right; the inspection below it is placed by the caller and hidden until there is an answer."""
    gallery = {
        "show_label": False,
        "columns": 6,
        "height": "auto",
        "buttons": [],
        "allow_preview": False,
        "render": False,
    }
    return Results(
        plot=gr.Plot(empty_figure(), label="Matching score over time", elem_id="plot"),
        segments=gr.Radio([], label="Segments, best first", visible=False, elem_id="segments"),
        inspection=gr.Row(visible=False, render=False),
        frames=gr.Gallery(elem_id="frames", **gallery),
        hard=gr.Gallery(elem_id="hard", **gallery),
        answer=gr.State(None, time_to_live=3600),
        clip=gr.State(None, time_to_live=3600),
        start=gr.Number(visible="hidden"),
    )


def connect(inputs: Inputs, results: Results, memory: gr.State) -> None:
    """Which event does what. The video is an output of none, so that an error never covers it."""
    everything = [inputs.message, *results]
    found = gr.on(
        [inputs.button.click, inputs.query.submit],
        find,
        [inputs.video, inputs.query, inputs.checkpoint, inputs.top_k, memory],
        [*everything, memory],
        show_progress_on=[inputs.waiting],
        api_visibility="private",
        **ONE_AT_A_TIME,
    )
    chosen = results.segments.input(
        choose,
        [results.clip, results.answer, results.segments],
        [inputs.message, results.plot, results.frames, results.hard, results.start],
        show_progress_on=[results.frames, results.hard],
        api_visibility="private",
    )
    for event in (found, chosen):
        event.then(None, results.start, js=SEEK)
    # Twice, since an answer may also arrive after its clip has left. No `cancels`: this event may come late itself.
    checked = {"fn": forget, "inputs": [inputs.video, results.clip], "outputs": everything}
    for event in (inputs.video.change, found.success):
        event(**checked, show_progress="hidden", api_visibility="private")


def add_endpoint() -> None:
    """The endpoint /ground for programs."""
    with gr.Row(visible=False):
        inputs = [
            gr.File(label="video"),
            gr.Textbox(label="query"),
            gr.Textbox(default_checkpoint(), label="checkpoint"),
            gr.Number(5, precision=0, label="top_k"),
        ]
        gr.Button().click(ground_json, inputs, gr.JSON(label="answer"), api_name="ground", **ONE_AT_A_TIME)
