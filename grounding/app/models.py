"""What the app does for a visitor behind the page: checkpoints, encoded clips, and the endpoint for programs."""

import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr

from grounding.app.choosing import Choice, choose, installed, offered, weights_at_hand
from grounding.app.job_queue import CalledOffError, desk
from grounding.app.memory_cache import Memory
from grounding.app.visitor_files import session_of, visitors
from grounding.app.zero_gpu import LentEncoder, lend, zero_gpu
from grounding.checkpoint import CheckpointConfig, list_checkpoints
from grounding.encoders.queries import check_query
from grounding.encoders.registry import resolve_device
from grounding.errors import CheckpointError, GroundingError, QueryError, VideoError
from grounding.features.disk_cache import FeatureCache
from grounding.features.encoded_video import EncodedVideo
from grounding.isolation.client import read_length
from grounding.predictor import Predictor
from grounding.text import shorten
from grounding.video.limits import positive_from_env
from grounding.video.reader import check_file


@dataclass(frozen=True)
class Limits:
    """How large a clip may be, in megabytes (1e6 bytes) and seconds, and how many seconds after their last use a
    visitor's files are deleted; they go at once when the visitor leaves."""

    megabytes: float = 500.0
    seconds: float = 7200.0
    kept: float = 3600.0

    def __str__(self) -> str:
        return f"up to {self.megabytes:g} MB and {_duration(self.seconds)}"


LIMITS = Limits()
MEGABYTES, SECONDS = "GROUNDING_CLIP_MEGABYTES", "GROUNDING_CLIP_SECONDS"  # environment variables that change them


def told() -> Limits:
    """LIMITS, or what the environment says instead. Raises GroundingError where that is no positive number."""
    return replace(
        LIMITS,
        megabytes=positive_from_env(MEGABYTES, LIMITS.megabytes),
        seconds=positive_from_env(SECONDS, LIMITS.seconds),
    )


@dataclass
class Storage:
    """Where encoded clips are kept beside the memory of each visitor: nowhere, unless the app is told."""

    cache: FeatureCache | None = None


@cache
def storage() -> Storage:
    """The one of this process; to be set before a checkpoint is loaded."""
    return Storage()


@cache
def load_predictor(checkpoint: str) -> Predictor:
    """Each checkpoint is loaded once for all visitors; it holds nothing of theirs."""
    return Predictor.from_checkpoint(checkpoint, device="cpu" if zero_gpu() else "auto", cache=storage().cache)


def prepare() -> None:
    """Before the launch and before anything asks for CUDA: on ZeroGPU, towers are put where they can be lent."""
    spaces = zero_gpu()
    if spaces:
        lend([load_predictor(name) for name in installed()], spaces)


def load_baseline(config: CheckpointConfig) -> Predictor | None:
    """The same model without hard-negative mining, where it is there and reads the same features."""
    if config.baseline not in list_checkpoints():
        return None
    try:
        other = load_predictor(config.baseline)
    except CheckpointError:  # a broken sibling is no reason not to answer
        return None
    same = (other.config.frame_encoder, other.config.rate) == (config.frame_encoder, config.rate)
    return other if same else None


def known(checkpoint: str | None) -> str:
    """Only checkpoints that are listed may be asked for: a visitor cannot name a folder of the server."""
    if checkpoint not in list_checkpoints():
        asked = shorten(repr(checkpoint), 60)
        raise GroundingError(f"There is no checkpoint {asked}: choose one of {', '.join(list_checkpoints())}.")
    return checkpoint


def checkpoint_choices() -> list[tuple[str, str]]:
    """The checkpoints, each with a line on what it is good at, the default first; without those that are baselines."""
    configs, first = installed(), default_checkpoint()
    names = sorted(offered(configs), key=lambda name: (name != first, name))
    return [(f"{name}: {configs[name].summary}".rstrip(": "), name) for name in names]


@cache
def default_choice() -> Choice | None:
    """The default and why, found once, when the page is built; may ask the hub for a few seconds. None without any."""
    prepare()
    return choose(installed(), resolve_device("auto").type == "cuda", weights_at_hand)


def default_checkpoint() -> str | None:
    """The checkpoint chosen for a visitor who chose none; None where there is none at all."""
    choice = default_choice()
    return choice.name if choice else None


def described(predictor: Predictor) -> str:
    """Which checkpoint and encoder answer, and why those."""
    name, choice = predictor.config.name, default_choice()
    reason = choice.reason if choice and choice.name == name else "as chosen"
    lent = isinstance(vars(predictor).get("frame_encoder"), LentEncoder)
    device = "ZeroGPU" if lent else predictor.device.type
    note = f"; {predictor.note}" if predictor.note else ""
    return f"{name}, {reason} (frame encoder {predictor.config.frame_encoder}, on {device}{note})"


def check_limits(path: str | Path | None, limits: Limits | None = None) -> None:
    """Raises VideoError for no file, one that is no video, or is larger or longer than `limits`, before decoding."""
    check_size(path, limits)
    seconds = read_length(Path(path))
    if seconds < math.inf:  # otherwise the file does not say, and is looked at as it grows
        check_length(path, seconds, limits)


def check_clip(path: str | Path | None, memory: Memory) -> None:
    """As check_limits, but what the visitor's memory has is not opened once more for every query."""
    check_size(path)
    if not memory.of(path):
        check_limits(path)


def check_size(path: str | Path | None, limits: Limits | None = None) -> None:
    """The part of check_limits for which no file is opened."""
    if not path:
        raise VideoError("There is no clip yet: upload a video or pick an example first.")
    path, limits = Path(path), limits or told()
    check_file(path)
    size = path.stat().st_size / 1e6
    if size > limits.megabytes:
        raise VideoError(
            f"{path.name!r} has {size:.0f} MB and {limits.megabytes:g} MB is the most: save it smaller or cut it "
            f"shorter. Whoever runs the app allows more with {MEGABYTES}."
        )


def check_length(path: str | Path, seconds: float, limits: Limits | None = None) -> None:
    """Raises VideoError if a clip that lasts `seconds`, as far as is known, is longer than `limits`."""
    limits = limits or told()
    if seconds > limits.seconds:
        raise VideoError(
            f"{Path(path).name!r} lasts {_duration(seconds)} and {_duration(limits.seconds)} is the most: cut it into "
            f"shorter parts, or use the command line, which has no limit. Whoever runs the app allows more with "
            f"{SECONDS}."
        )


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:.3g} h" if seconds >= 3600 else f"{seconds / 60:.3g} min"


def whole(top_k: Any) -> int:
    """`top_k` as a visitor or a program gave it, as a whole number. Raises QueryError."""
    if not (isinstance(top_k, int) or (isinstance(top_k, float) and top_k.is_integer())) or top_k < 1:
        raise QueryError(f"top_k is {shorten(repr(top_k), 20)}: give a whole number, 1 or more.")
    return int(top_k)


def remembered(
    video: str, predictor: Predictor, memory: Memory[EncodedVideo]
) -> Generator[tuple[Any, Any], None, EncodedVideo]:
    """The video, encoded at most once for a program that goes on asking about it; a pause after every chunk."""
    key = predictor.key(memory.content_hash(video))
    encoded = memory.get(key) or predictor.kept(key)
    if not encoded:
        stream = predictor.grow_video(video)
        for _ in stream:
            check_length(video, stream.seconds)
            yield gr.skip(), gr.skip()
        encoded = stream.video()
        predictor.keep(key, video, encoded)
    memory.put(key, encoded, encoded.features.nbytes)
    return encoded


def ground_json(
    video: str,
    query: str,
    checkpoint: str,
    top_k: int,
    memory: Memory[EncodedVideo] | None = None,
    request: gr.Request | None = None,
) -> Iterator[tuple[dict[str, Any], Memory[EncodedVideo]]]:
    """Grounds a query in a video: the object of the command line's --json, and what to remember of the program.

    Only the last that it yields is an answer; after every chunk before it, Gradio ends the work of a program that left.
    """
    memory, session = Memory() if memory is None else memory, session_of(request)
    visitors().claim(session, video)
    try:
        asked = (check_query(query), whole(top_k))
        check_clip(video, memory)
        with desk().work(session, video, at_model=True) as work:
            for _ in work.queue():
                yield gr.skip(), gr.skip()
            predictor = load_predictor(known(checkpoint))
            encoded = yield from remembered(video, predictor, memory)
            yield predictor.ground(encoded, *asked).to_dict(Path(video).name), memory
    except GroundingError as error:
        raise gr.Error(str(error), print_exception=False) from error
    except CalledOffError:  # the program has left
        return
