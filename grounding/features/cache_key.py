"""What the features of a video depend on, so that kept ones are only ever taken for what they are."""

import hashlib
import json
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import cv2
import torch

import grounding
from grounding.encoders.open_clip_models import cached_open_clip
from grounding.encoders.packaged_weights import EFFICIENTNET_LITE0, MINILM


class Key(NamedTuple):
    """Features with the same key are the same.

    Attributes:
        content: SHA-256 of the video file.
        encoder: name of the frame encoder.
        weights: SHA-256 of its weights.
        rate: frames sampled a second.
        width: of a feature.
        made_by: the code, and the arithmetic it computes in.
    """

    content: str
    encoder: str
    weights: str
    rate: float
    width: int
    made_by: str

    def text(self) -> str:
        """As it stands in the head of a file."""
        return json.dumps(self._asdict(), sort_keys=True)

    def name(self) -> str:
        """A file name that tells nobody what is in it."""
        return hashlib.sha256(self.text().encode()).hexdigest()


def content_hash(path: str | Path) -> str:
    """SHA-256 of a file, read in pieces."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def weights_hash(encoder: str, weights: str | Path | None = None) -> str | None:
    """Which weights a frame encoder has, without loading them; None where that is not known before they are loaded.

    Args:
        encoder: its name.
        weights: the local file that it was given.
    """
    if encoder == "embedded":
        return f"{EFFICIENTNET_LITE0.sha256} {MINILM.sha256}" if weights is None else None
    file = cached_open_clip(encoder) if weights is None else weights
    return content_hash(file) if file and Path(file).is_file() else None


@cache
def code_hash() -> str:
    """SHA-256 of this package's code, folder by folder, and of the versions of what decodes and computes: whatever
    changes, features are made anew."""
    digest = hashlib.sha256(f"{torch.__version__} {cv2.__version__} {version('av')}\n".encode())
    root = Path(grounding.__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(f"{path.relative_to(root).as_posix()} {content_hash(path)}\n".encode())
    return digest.hexdigest()
