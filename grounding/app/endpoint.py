"""The endpoint /ground, for programs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from grounding.app.clip_limits import check_size
from grounding.app.clips import Clip, encode_clip
from grounding.app.file_ownership import session_from_request, visitor_files
from grounding.app.job_queue import JobCancelledError, job_queue
from grounding.app.memory_cache import MemoryCache
from grounding.app.models import check_checkpoint, default_checkpoint, load_predictor
from grounding.errors import GroundingError
from grounding.validation import check_query, check_top_k

PROGRAMS = {"concurrency_limit": 1}  # at the model or waiting for it; the others wait in Gradio's queue


def add_endpoint(kept: float) -> None:
    """Adds it to the page that is being built; what a program left unused for `kept` seconds goes."""
    with gr.Row(visible=False):
        inputs = [
            gr.File(label="video"),
            gr.Textbox(label="query"),
            gr.Textbox(default_checkpoint(), label="checkpoint"),
            gr.Number(5, precision=0, label="top_k"),
            gr.Checkbox(False, label="rough"),
            memory := gr.State(None, time_to_live=kept),
        ]
        outputs = [gr.JSON(label="answer"), memory]
        gr.Button().click(ground_json, inputs, outputs, api_name="ground", **PROGRAMS)


def ground_json(
    video: str,
    query: str,
    checkpoint: str,
    top_k: int,
    rough: bool = False,
    memory: MemoryCache[Clip] | None = None,
    request: gr.Request | None = None,
) -> Iterator[tuple[dict[str, Any], MemoryCache[Clip]]]:
    """Grounds a query in a video: the object of the command line's --json, and what to remember of the program.

    With `rough` it is that of the key frames alone, and says so, unless the clip is short, has too few of them, or is
    encoded already. Only the last that it yields is an answer; after every chunk before it, Gradio ends the work of a
    program that left.
    """
    memory, session = MemoryCache() if memory is None else memory, session_from_request(request)
    visitor_files().claim(session, video)
    try:
        query, checkpoint, top_k = check_query(query), check_checkpoint(checkpoint), check_top_k(top_k)
        check_size(video)
        with job_queue().start(session, video, at_model=True) as job:
            for _ in job.wait_for_turn():
                yield gr.skip(), gr.skip()
            predictor = load_predictor(checkpoint)
            for clip in encode_clip(video, predictor, memory, job.raise_if_cancelled, pictures=bool(rough)):
                if rough and clip.video.rough:
                    break
                if not clip.is_whole:
                    yield gr.skip(), gr.skip()
            yield predictor.ground(clip.video, query, top_k).to_dict(Path(video).name), memory
    except GroundingError as error:
        raise gr.Error(str(error), print_exception=False) from error
    except JobCancelledError:  # the program has left
        return
