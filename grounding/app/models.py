"""The checkpoints that answer: which are here, which one where a visitor chose none, each loaded once for all."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from threading import Thread
from typing import TYPE_CHECKING

from grounding.app.zero_gpu import LentEncoder, import_spaces, lend_encoders
from grounding.checkpoint import CheckpointConfig, find_checkpoint, list_checkpoints, read_config
from grounding.encoders.hub import find_open_clip
from grounding.errors import CheckpointError, EncoderError, GroundingError
from grounding.text import shorten

if TYPE_CHECKING:
    from grounding.features.disk_cache import FeatureCache
    from grounding.predictor import Predictor

ANYWHERE = "embedded"  # its weights come with the app, so it answers on any machine
ON_GPU = ("clip-vit-l-14", "clip-vit-b-32")  # best first
ON_CPU = ("clip-vit-b-32",)
HUB_SECONDS = 5.0  # that the hub has to answer before it counts as out of reach


@dataclass(frozen=True)
class Choice:
    """A checkpoint and why it is the default: the end of a sentence that begins with its name."""

    name: str
    reason: str


@dataclass
class Storage:
    """Where encoded clips are kept beside the memory of each visitor: nowhere, unless the app is told."""

    cache: "FeatureCache | None" = None


@cache
def storage() -> Storage:
    """The one of this process; to be set before a checkpoint is loaded."""
    return Storage()


@cache
def load_predictor(checkpoint: str) -> "Predictor":
    """Each checkpoint is loaded once for all visitors; of theirs it holds the last query and what was embedded for it,
    see Matcher."""
    from grounding.predictor import Predictor

    return Predictor.from_checkpoint(checkpoint, device="cpu" if import_spaces() else "auto", cache=storage().cache)


def load_baseline(config: CheckpointConfig) -> "Predictor | None":
    """The same model without hard-negative mining, where it is there and reads the same features."""
    if config.baseline not in list_checkpoints():
        return None
    try:
        other = load_predictor(config.baseline)
    except CheckpointError:  # a broken sibling is no reason not to answer
        return None
    same = (other.config.frame_encoder, other.config.rate) == (config.frame_encoder, config.rate)
    return other if same else None


def prepare_zero_gpu() -> None:
    """Before the launch and before anything asks for CUDA: on ZeroGPU, towers are put where they can be lent."""
    spaces = import_spaces()
    if spaces:
        lend_encoders([load_predictor(name) for name in read_installed()], spaces)


def read_installed() -> dict[str, CheckpointConfig]:
    """The checkpoints that can be read, by name. A broken one is left out, so that the others still serve."""
    configs = {}
    for name in list_checkpoints():
        try:
            configs[name] = read_config(find_checkpoint(name))
        except CheckpointError:
            continue
    return configs


def list_offered(configs: Mapping[str, CheckpointConfig]) -> list[str]:
    """The names without baselines, which other checkpoints name to be compared with; all where that leaves none."""
    baselines = {config.baseline for config in configs.values()}
    return [name for name in configs if name not in baselines] or list(configs)


def list_choices() -> list[tuple[str, str]]:
    """The checkpoints offered that can answer here, each with a line on what it is good at, the default first."""
    configs, first = read_installed(), default_checkpoint()
    names = sorted(set(list_offered(configs)) - set(find_missing()), key=lambda name: (name != first, name))
    return [(f"{name}: {configs[name].summary}".rstrip(": "), name) for name in names]


@cache
def find_missing() -> list[str]:
    """The checkpoints offered whose weights cannot be had here, found once, when the page is built."""
    configs, places = read_installed(), locate_installed()
    return sorted(name for name in list_offered(configs) if places[configs[name].frame_encoder] is None)


def describe_missing() -> str:
    """One sentence on them, "" where all can be had."""
    names = find_missing()
    if not names:
        return ""
    listed = " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
    whose = "its weights are" if len(names) == 1 else "their weights are"
    return f"Not available here: {listed}, since {whose} neither on this machine nor within reach."


def choose_default(
    configs: Mapping[str, CheckpointConfig], has_gpu: Callable[[], bool], locate: Callable[[str], str | None]
) -> Choice | None:
    """The default among `configs`, None where there is none.

    Args:
        configs: by name.
        has_gpu: whether a GPU will run it; asked only where that decides, since the answer takes seconds.
        locate: for a frame encoder's name, how its weights can be had ("in the cache", "from the hub"), or None.
    """
    wanted = [name for name in ON_GPU if name in configs]
    places = {name: locate(configs[name].frame_encoder) for name in wanted}
    if any(places.values()):
        device, names = ("GPU", ON_GPU) if has_gpu() else ("CPU", ON_CPU)
        for name in names:
            if places.get(name):
                return Choice(name, f"the default on a {device}; CLIP's weights are {places[name]}")
    others = list_offered(configs)
    if not others:
        return None
    name = ANYWHERE if ANYWHERE in others else others[0]
    if wanted:
        return Choice(name, "the default here, since CLIP's weights are not in the cache and the hub is out of reach")
    return Choice(name, "the only checkpoint installed" if others == [name] else "the default, which needs no download")


@cache
def locate_installed() -> dict[str, str | None]:
    """What `locate_weights` says of each installed frame encoder, by its name; asked once, and of all beside each
    other, since each may wait for the hub."""
    encoders = sorted({config.frame_encoder for config in read_installed().values()})
    with ThreadPoolExecutor(max(len(encoders), 1)) as pool:
        return dict(zip(encoders, pool.map(locate_weights, encoders), strict=True))


def locate_weights(frame_encoder: str, patience: float = HUB_SECONDS) -> str | None:
    """How the weights of a frame encoder can be had, None where they cannot; asks the hub for `patience` at most."""
    if not frame_encoder.startswith("open_clip:"):
        return "installed"
    found: list[str | None] = []
    asking = Thread(target=lambda: found.append(_ask_hub(frame_encoder)), daemon=True)  # one that hangs holds up nobody
    asking.start()
    asking.join(patience)
    return found[0] if found else None


def _ask_hub(frame_encoder: str) -> str | None:
    try:
        return find_open_clip(frame_encoder)
    except EncoderError:
        return None


def has_gpu() -> bool:
    """Whether towers would compute on a GPU."""
    from grounding.encoders.devices import resolve_device

    return resolve_device("auto").type == "cuda"


@cache
def default_choice() -> Choice | None:
    """The default and why, found once, when the page is built; may ask the hub for a few seconds. None without any."""
    prepare_zero_gpu()
    return choose_default(read_installed(), has_gpu, locate_installed().get)


def default_checkpoint() -> str | None:
    """The checkpoint chosen for a visitor who chose none; None where there is none at all."""
    choice = default_choice()
    return choice.name if choice else None


def describe_model(predictor: "Predictor") -> str:
    """Which checkpoint answers, where, and why that one."""
    name, choice = predictor.config.name, default_choice()
    reason = choice.reason if choice and choice.name == name else "as chosen"
    lent = isinstance(predictor.loaded_frame_encoder, LentEncoder)
    device = "ZeroGPU" if lent else {"cpu": "the CPU", "cuda": "the GPU"}.get(predictor.device.type, "the accelerator")
    note = f"; {predictor.note}" if predictor.note else ""
    return f"Answered by {name} on {device}, {reason}{note}"


def check_checkpoint(checkpoint: str | None) -> str:
    """Only checkpoints that are listed may be asked for: a visitor cannot name a folder of the server."""
    if checkpoint not in list_checkpoints():
        asked = shorten(repr(checkpoint), 60)
        raise GroundingError(f"There is no checkpoint {asked}: choose one of {', '.join(list_checkpoints())}.")
    return checkpoint
