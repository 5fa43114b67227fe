"""The page of the demo: its layout, and what happens when someone uses it."""

import hashlib
import json
from collections import OrderedDict
from functools import lru_cache
from pathlib import Path
from typing import Any

import gradio as gr

from grounding.checkpoint import find_checkpoint, list_checkpoints, read_config
from grounding.encoded import EncodedVideo
from grounding.errors import GroundingError, VideoError
from grounding.plots import score_figure
from grounding.predictor import Answer, Predictor, check_query
from grounding.views import done, galleries, problem, segment_label

EXAMPLES = Path(__file__).resolve().parent / "examples"
KEPT = 4  # encoded clips a visitor can go back to without waiting
EXPLANATION = (
    "Hard negatives are the frames just outside the moment that look almost like it. A frame that looks alike and "
    "still scores low is one that the model has learned to tell apart; one that scores high nearly fooled it. "
    "Scale 1 is within a second of the boundary, scale 2 within 3, scale 3 within 9."
)
CSS = """
.gradio-container, .gradio-container .main {
  max-width: min(1280px, 100vw) !important; min-width: 0 !important; margin: 0 auto !important; box-sizing: border-box
}
#title h1 {margin-bottom: 0} #title p {margin-top: .25rem; opacity: .85}
.caption-label {max-width: 100% !important; white-space: normal !important; font-size: 11px !important; left: 0}
#message {min-height: 0} #message p {margin: 0; padding: .6rem .8rem; border-radius: 8px}
#message .problem {background: #b3261e; color: #fff} #message .done {border: 1px solid rgba(128,128,128,.4)}
"""
SEEK = """(start) => {
  const video = document.querySelector('#clip video');
  if (video && start !== null && start !== undefined) { video.pause(); video.currentTime = start; }
}"""

Memory = OrderedDict  # (content hash, checkpoint) to EncodedVideo, one per visitor


@lru_cache(maxsize=4)
def load_predictor(checkpoint: str) -> Predictor:
    """Each checkpoint is loaded once for all visitors; it holds nothing of theirs."""
    return Predictor.from_checkpoint(checkpoint)


def content_hash(path: str) -> str:
    """SHA-256 of a file, read in pieces."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def encode(path: str | None, checkpoint: str, memory: Memory, progress: Any) -> EncodedVideo:
    """The clip's features, from the visitor's own memory where they are; the oldest clip is forgotten.

    Raises VideoError and EncoderError as Predictor.encode_video does, and VideoError where there is no clip.
    """
    if not path:
        raise VideoError("There is no clip yet: upload a video or pick an example first.")
    key = (content_hash(path), checkpoint)
    if key not in memory:
        memory[key] = load_predictor(checkpoint).encode_video(path, progress)
    memory.move_to_end(key)
    while len(memory) > KEPT:
        memory.popitem(last=False)
    return memory[key]


def known(checkpoint: str) -> str:
    """Only checkpoints that are listed may be asked for: a visitor cannot name a folder of the server."""
    if checkpoint not in list_checkpoints():
        raise GroundingError(f"There is no checkpoint {checkpoint!r}: choose one of {', '.join(list_checkpoints())}.")
    return checkpoint


def ground_json(video: str, query: str, checkpoint: str = "embedded", top_k: int = 5) -> dict[str, Any]:
    """Grounds a query in a video: the object of the command line's --json."""
    try:
        check_query(query)
        encoded = encode(video, known(checkpoint), OrderedDict(), None)
        return load_predictor(checkpoint).ground(encoded, query, int(top_k)).to_dict(Path(video).name)
    except GroundingError as error:
        raise gr.Error(str(error), print_exception=False) from error


def find(video: str | None, query: str, checkpoint: str, top_k: int, memory: Memory, progress=gr.Progress()):  # noqa: B008
    """The button: every output of the page, or a message and nothing else changed."""
    try:
        check_query(query)
        encoded = encode(video, known(checkpoint), memory, lambda share, text: progress(share, desc=text))
        predictor = load_predictor(checkpoint)
        answer = predictor.ground(encoded, query, int(top_k))
        choices = [(segment_label(answer, index), index) for index in range(len(answer.segments))]
        frames, hard = galleries(video, answer, 0)
    except GroundingError as error:
        return problem(error), *[gr.skip()] * 6, memory
    start = answer.segments[0].start
    radio = gr.Radio(choices=choices, value=0, visible=True)
    return done(answer, predictor), score_figure(answer), radio, frames, hard, answer, start, memory


def choose(video: str | None, answer: Answer | None, index: int | None):
    """Another segment was picked from the list."""
    if answer is None or index is None or not video:
        return [gr.skip()] * 4
    frames, hard = galleries(video, answer, index)
    return score_figure(answer, index), frames, hard, answer.segments[index].start


def forget():
    """Another clip: what was found in the last one leaves the page."""
    return "", None, gr.Radio(choices=[], value=None, visible=False), None, None, None, None


def checkpoint_choices() -> list[tuple[str, str]]:
    """The checkpoints with a line on what each is good at."""
    names = list_checkpoints()
    return [(f"{name}: {read_config(find_checkpoint(name)).summary}".rstrip(": "), name) for name in names]


def example_rows() -> list[list[str]]:
    """Example clips and queries, as paths and sentences."""
    listed = EXAMPLES / "examples.json"
    entries = json.loads(listed.read_text(encoding="utf-8")) if listed.is_file() else []
    return [
        [str(EXAMPLES / entry["file"]), query["query"] if isinstance(query, dict) else query]
        for entry in entries
        for query in entry["queries"]
    ]


def build_page(limits: str) -> gr.Blocks:
    """The whole page. `limits` says, before anyone uploads, how large a clip may be."""
    with gr.Blocks(title="Find a moment", analytics_enabled=False, delete_cache=(600, 3600)) as page:
        gr.Markdown(
            "# Find a moment in a video by describing it\n"
            "Every sampled frame gets a matching score. No segment proposals, no training on timestamps.",
            elem_id="title",
        )
        memory = gr.State(OrderedDict, time_to_live=3600)
        answer = gr.State(None, time_to_live=3600)
        start = gr.Number(visible="hidden")
        with gr.Row():
            with gr.Column(scale=2):
                video = gr.Video(label=f"Clip ({limits})", elem_id="clip", height=300, sources=["upload"])
                query = gr.Textbox(
                    label="What happens?", placeholder="a dog catches a frisbee", elem_id="query", max_lines=2
                )
                button = gr.Button("Find the moment", variant="primary", elem_id="find")
                message = gr.HTML(elem_id="message")
                with gr.Accordion("Model and number of segments", open=False):
                    choices = checkpoint_choices()
                    preferred = "embedded" if "embedded" in list_checkpoints() else None
                    checkpoint = gr.Radio(choices, value=preferred, label="Checkpoint", elem_id="checkpoint")
                    top_k = gr.Slider(1, 10, value=5, step=1, label="Segments at most")
            with gr.Column(scale=3):
                gr.Markdown("#### Matching score over time")
                plot = gr.Plot(show_label=False, elem_id="plot")
                segments = gr.Radio([], label="Segments, best first", visible=False, elem_id="segments")
        with gr.Row():
            with gr.Column():
                gr.Markdown("#### Frames of the segment")
                frames = gr.Gallery(show_label=False, columns=3, height="auto", buttons=[], elem_id="frames")
            with gr.Column():
                gr.Markdown("#### Hard-negative boundary frames, the hardest first")
                hard = gr.Gallery(show_label=False, columns=3, height="auto", buttons=[], elem_id="hard")
        gr.Markdown(EXPLANATION)
        if example_rows():
            gr.Examples(example_rows(), [video, query], label="Examples")

        outputs = [message, plot, segments, frames, hard, answer, start, memory]
        gr.on(
            [button.click, query.submit],
            find,
            [video, query, checkpoint, top_k, memory],
            outputs,
            show_progress_on=[plot],
            concurrency_limit=1,
            concurrency_id="model",
            api_visibility="private",
        ).then(None, start, js=SEEK)
        segments.input(choose, [video, answer, segments], [plot, frames, hard, start], api_visibility="private").then(
            None, start, js=SEEK
        )
        video.change(forget, None, outputs[:-1], api_visibility="private", show_progress="hidden")
        add_endpoint(checkpoint.value)
    return page


def add_endpoint(checkpoint: str | None) -> None:
    """The endpoint /ground for programs."""
    with gr.Row(visible=False):
        inputs = [gr.File(), gr.Textbox(), gr.Textbox(value=checkpoint), gr.Number(value=5, precision=0)]
        gr.Button().click(
            ground_json, inputs, gr.JSON(), api_name="ground", concurrency_limit=1, concurrency_id="model"
        )
