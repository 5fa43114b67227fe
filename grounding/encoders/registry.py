"""The frame encoders and the query encoders, behind two small interfaces. Importing this loads no model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from torch import Tensor

from grounding.encoders.devices import resolve_device
from grounding.encoders.frames import EmbeddedFrameEncoder, OpenClipFrameEncoder
from grounding.encoders.hub import find_cached_open_clip, find_open_clip, is_cache_empty
from grounding.encoders.packaged_weights import EFFICIENTNET_LITE0
from grounding.encoders.queries import MiniLMQueryEncoder, OpenClipQueryEncoder, QueryTokens
from grounding.encoders.stand_in import StandIn, StandInQueryEncoder, check_agreement
from grounding.errors import EncoderError


class FrameEncoder(Protocol):
    """Turns frames into features; `name` and `width` let a checkpoint check that they are the ones it knows, `batch` is
    how many frames at once it takes without loss: more take memory and time to come."""

    name: str
    width: int
    batch: int

    def encode(self, frames: Sequence[np.ndarray]) -> Tensor:
        """B frames, each (H, W, 3) uint8 RGB of any size, to (B, width) float32 on the CPU."""
        ...


class QueryEncoder(Protocol):
    """Turns queries into tokens."""

    name: str
    width: int

    def encode(self, queries: Sequence[str]) -> QueryTokens:
        """Q queries to their tokens, on the CPU."""
        ...


def load_frame_encoder(name: str, device: str = "auto", weights: str | Path | None = None) -> FrameEncoder:
    """The frame encoder called `name`.

    Args:
        name: "embedded", or "open_clip:<model>:<pretrained>" such as "open_clip:ViT-B-32-quickgelu:openai".
        device: "auto", or what torch.device takes.
        weights: a local file for open_clip, instead of the hub.

    Raises:
        EncoderError: no such encoder or device, or its weights are missing, damaged or out of reach.
    """
    if name.startswith("open_clip:"):
        return OpenClipFrameEncoder(name, resolve_device(device), weights)
    if name != "embedded":
        raise EncoderError(f"Unknown frame encoder {name!r}. Use 'embedded' or 'open_clip:<model>:<pretrained>'.")
    if weights is not None:
        raise EncoderError(
            f"The encoder 'embedded' reads its weights from {EFFICIENTNET_LITE0.requirement} and takes no weights "
            f"file. Leave out {str(weights)!r}, or choose an open_clip checkpoint for it."
        )
    return EmbeddedFrameEncoder(resolve_device(device))


def load_query_encoder(
    name: str = "minilm",
    device: str = "auto",
    weights: str | Path | None = None,
    stand_in: StandIn | None = None,
    download: bool = False,
) -> QueryEncoder:
    """The query encoder called `name`, or a checkpoint's stand-in for it; `.name` says which it is.

    Args:
        name: "minilm", or "open_clip:<model>:<pretrained>" for the text tower of that model.
        device: "auto", or what torch.device takes.
        weights: a local file for open_clip, instead of the hub.
        stand_in: reads queries where the text tower's weights are not at hand; None is for checkpoints without one.
        download: whether weights that lie on the hub alone count as at hand.

    Raises:
        EncoderError: no such encoder or device, its weights are missing, damaged or out of reach, or they are others
            than those that the stand-in was fitted to.
    """
    if name == "minilm":
        return MiniLMQueryEncoder(resolve_device(device))
    if not name.startswith("open_clip:"):
        raise EncoderError(f"Unknown query encoder {name!r}. Use 'minilm' or 'open_clip:<model>:<pretrained>'.")
    if stand_in is None:
        return OpenClipQueryEncoder(name, resolve_device(device), weights)
    reader = StandInQueryEncoder(stand_in, resolve_device(device))
    if weights is None and not is_at_hand(name, download):
        return reader
    text_tower = OpenClipQueryEncoder(name, resolve_device(device), weights)
    check_agreement(text_tower, reader)
    return text_tower


def is_at_hand(name: str, download: bool = False) -> bool:
    """Whether the weights of "open_clip:<model>:<pretrained>" are in the cache, or, with `download`, on a hub in
    reach."""
    if is_cache_empty() and not download:
        return False
    try:
        return bool(find_open_clip(name) if download else find_cached_open_clip(name))
    except EncoderError:  # a model of one's own, which nobody publishes
        return False
