"""What the features of a video depend on, so that kept ones are only ever taken for what they are."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path
from secrets import token_hex
from typing import NamedTuple

import cv2
import torch

import grounding
from grounding.encoders.devices import tower_dtype
from grounding.encoders.hub import find_cached_open_clip
from grounding.encoders.openvino_runtime import describe_runtime
from grounding.encoders.packaged_weights import EFFICIENTNET_LITE0, MINILM
from grounding.files import hash_file

FOLDERS = ("video", "isolation", "encoders", "features")  # of this package: what lies there makes features
SUFFIXES = (".py", ".safetensors")  # the code, and the class embeddings beside it


class Key(NamedTuple):
    """Features with the same key are the same.

    Attributes:
        content: SHA-256 of the video file.
        encoder: name of the frame encoder.
        weights: SHA-256 of its weights.
        rate: frames sampled a second.
        width: of a feature.
        made_by: the code, and the device, arithmetic and runtime it computes with.
    """

    content: str
    encoder: str
    weights: str
    rate: float
    width: int
    made_by: str

    def to_text(self) -> str:
        """As it stands in the head of a file."""
        return json.dumps(self._asdict(), sort_keys=True)

    def to_file_name(self) -> str:
        """A file name that tells nobody what is in it."""
        return hashlib.sha256(self.to_text().encode()).hexdigest()


@dataclass(frozen=True)
class KeyMaker:
    """Makes the keys of one encoder's features.

    Attributes:
        encoder: name of the frame encoder.
        rate: frames sampled a second.
        width: of a feature.
        device: on which it is meant to compute; the key stays the same if memory runs out there.
        weights: the local file that it was given.
        load: loads the encoder, which fetches weights that are not there yet.
    """

    encoder: str
    rate: float
    width: int
    device: torch.device
    weights: str | Path | None
    load: Callable[[], object]

    def make(self, content: str, fetch: bool = True, compiled: bool = True) -> Key:
        """The key of a file, by its hash. Raises EncoderError where the weights cannot be fetched.

        Args:
            content: the hash.
            fetch: whether weights that are not at hand are fetched; else they are "" in the key.
            compiled: whether OpenVINO computes where it is there; it may fail, which is known once the encoder loads.
        """
        known = fetch or "_weights_hash" in vars(self) or hash_weights(self.encoder, self.weights)
        runtime = describe_runtime(self.device) if compiled else "torch"
        made_by = f"{hash_code()} {self.device.type} {tower_dtype(self.device)} {runtime}"
        return Key(content, self.encoder, self._weights_hash if known else "", float(self.rate), self.width, made_by)

    @cached_property
    def _weights_hash(self) -> str:
        found = hash_weights(self.encoder, self.weights)
        if found is None:
            self.load()
            found = hash_weights(self.encoder, self.weights)
        return found or token_hex()  # fits nothing that is kept


def hash_weights(encoder: str, weights: str | Path | None = None) -> str | None:
    """Which weights a frame encoder has, without loading them; None where that is not known before they are loaded.

    Args:
        encoder: its name.
        weights: the local file that it was given.
    """
    if encoder == "embedded":
        return f"{EFFICIENTNET_LITE0.sha256} {MINILM.sha256}" if weights is None else None
    file = find_cached_open_clip(encoder) if weights is None else weights
    return hash_file(file) if file and Path(file).is_file() else None


@cache
def hash_code() -> str:
    """SHA-256 of the folders that make features, and of the versions of the libraries that do: whatever changes there,
    features are made anew. The page, the grounder and the segments do not count."""
    libraries = (torch.__version__, cv2.__version__, *map(version, ("av", "pillow", "open-clip-torch")))
    digest = hashlib.sha256(" ".join(libraries).encode())
    root = Path(grounding.__file__).parent
    for path in sorted(path for folder in FOLDERS for path in (root / folder).rglob("*") if path.suffix in SUFFIXES):
        digest.update(f"{path.relative_to(root).as_posix()} {hash_file(path)}\n".encode())
    return digest.hexdigest()
