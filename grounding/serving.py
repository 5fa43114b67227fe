"""What the app does for a visitor behind the page: checkpoints, encoded clips, and the endpoint for programs."""

import hashlib
from collections import OrderedDict
from functools import lru_cache
from pathlib import Path
from typing import Any

import gradio as gr

from grounding.checkpoint import find_checkpoint, list_checkpoints, read_config
from grounding.encoded import EncodedVideo
from grounding.errors import GroundingError, VideoError
from grounding.predictor import Predictor, Progress, check_query
from grounding.video import check_file

KEPT = 4  # encoded clips a visitor can go back to without waiting
DEFAULT = "embedded"  # its weights come with the app, so it answers on any machine

Memory = OrderedDict[tuple[str, str], EncodedVideo]  # by content hash and checkpoint, one memory per visitor


@lru_cache(maxsize=4)
def load_predictor(checkpoint: str) -> Predictor:
    """Each checkpoint is loaded once for all visitors; it holds nothing of theirs."""
    return Predictor.from_checkpoint(checkpoint)


def content_hash(path: str) -> str:
    """SHA-256 of a file, read in pieces."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def encode(path: str | None, checkpoint: str, memory: Memory, progress: Progress | None) -> EncodedVideo:
    """The clip's features, from the visitor's own memory where they are; the oldest clip is forgotten.

    Raises VideoError and EncoderError as Predictor.encode_video does, and VideoError where there is no clip.
    """
    if not path:
        raise VideoError("There is no clip yet: upload a video or pick an example first.")
    check_file(Path(path))
    key = (content_hash(path), checkpoint)
    if key not in memory:
        memory[key] = load_predictor(checkpoint).encode_video(path, progress)
    memory.move_to_end(key)
    while len(memory) > KEPT:
        memory.popitem(last=False)
    return memory[key]


def known(checkpoint: str | None) -> str:
    """Only checkpoints that are listed may be asked for: a visitor cannot name a folder of the server."""
    if checkpoint not in list_checkpoints():
        raise GroundingError(f"There is no checkpoint {checkpoint!r}: choose one of {', '.join(list_checkpoints())}.")
    return checkpoint


def checkpoint_choices() -> list[tuple[str, str]]:
    """The checkpoints, each with a line on what it is good at."""
    names = list_checkpoints()
    return [(f"{name}: {read_config(find_checkpoint(name)).summary}".rstrip(": "), name) for name in names]


def default_checkpoint() -> str | None:
    """The checkpoint chosen for a visitor who chose none; None where there is none at all."""
    names = list_checkpoints()
    return DEFAULT if DEFAULT in names else next(iter(names), None)


def described(predictor: Predictor) -> str:
    """Which checkpoint and encoder answer, and why those."""
    name = predictor.config.name
    if list_checkpoints() == [name]:
        reason = "the only checkpoint installed"
    else:
        reason = "the default, which needs no download" if name == DEFAULT else "as chosen"
    return f"{name}, {reason} (frame encoder {predictor.config.frame_encoder}, on {predictor.device.type})"


def ground_json(video: str, query: str, checkpoint: str, top_k: int) -> dict[str, Any]:
    """Grounds a query in a video: the object of the command line's --json."""
    try:
        check_query(query)
        encoded = encode(video, known(checkpoint), OrderedDict(), None)
        return load_predictor(checkpoint).ground(encoded, query, int(top_k)).to_dict(Path(video).name)
    except GroundingError as error:
        raise gr.Error(str(error), print_exception=False) from error
