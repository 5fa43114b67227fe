"""Which checkpoint answers a visitor who chose none: the best one whose weights can be had here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Thread

from grounding.checkpoint import CheckpointConfig, find_checkpoint, list_checkpoints, read_config
from grounding.encoders.open_clip_models import find_open_clip
from grounding.errors import CheckpointError, EncoderError

ANYWHERE = "embedded"  # its weights come with the app, so it answers on any machine
ON_GPU = ("clip-vit-l-14", "clip-vit-b-32")  # best first
ON_CPU = ("clip-vit-b-32",)
PATIENCE = 5.0  # seconds that the hub has to answer before it counts as out of reach


@dataclass(frozen=True)
class Choice:
    """A checkpoint and why it is the default: the end of a sentence that begins with its name."""

    name: str
    reason: str


def installed() -> dict[str, CheckpointConfig]:
    """The checkpoints that can be read, by name. A broken one is left out, so that the others still serve."""
    configs = {}
    for name in list_checkpoints():
        try:
            configs[name] = read_config(find_checkpoint(name))
        except CheckpointError:
            continue
    return configs


def offered(configs: Mapping[str, CheckpointConfig]) -> list[str]:
    """The names without baselines, which other checkpoints name to be compared with; all where that leaves none."""
    baselines = {config.baseline for config in configs.values()}
    return [name for name in configs if name not in baselines] or list(configs)


def choose(
    configs: Mapping[str, CheckpointConfig], on_gpu: bool, at_hand: Callable[[str], str | None]
) -> Choice | None:
    """The default among `configs`, None where there is none.

    Args:
        configs: by name.
        on_gpu: whether a GPU will run it.
        at_hand: for a frame encoder's name, how its weights can be had ("in the cache", "from the hub"), or None.
    """
    wanted = [name for name in (ON_GPU if on_gpu else ON_CPU) if name in configs]
    for name in wanted:
        where = at_hand(configs[name].frame_encoder)
        if where:
            return Choice(name, f"the default on a {'GPU' if on_gpu else 'CPU'}; CLIP's weights are {where}")
    others = offered(configs)
    if not others:
        return None
    name = ANYWHERE if ANYWHERE in others else others[0]
    if wanted:
        return Choice(name, "the default here, since CLIP's weights are not in the cache and the hub is out of reach")
    return Choice(name, "the only checkpoint installed" if others == [name] else "the default, which needs no download")


def weights_at_hand(frame_encoder: str, patience: float = PATIENCE) -> str | None:
    """How the weights of a frame encoder can be had, None where they cannot; asks the hub for `patience` at most."""
    if not frame_encoder.startswith("open_clip:"):
        return "installed"
    found: list[str | None] = []
    asking = Thread(target=lambda: found.append(_ask(frame_encoder)), daemon=True)  # a hub that hangs holds up nobody
    asking.start()
    asking.join(patience)
    return found[0] if found else None


def _ask(frame_encoder: str) -> str | None:
    try:
        return find_open_clip(frame_encoder)
    except EncoderError:
        return None
