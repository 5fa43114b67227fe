"""ZeroGPU, the hardware of Hugging Face Spaces that lends a GPU for the length of a call. No effect anywhere else.

There, only frames are encoded on the GPU: decoding would spend a visitor's quota on waiting, and grounding takes
milliseconds on a CPU. Towers are moved to the GPU before the app is launched, as ZeroGPU wants it.
"""

import importlib
import os
from collections.abc import Callable, Iterable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from grounding.errors import EncoderError

if TYPE_CHECKING:
    from torch import Tensor

    from grounding.encoders.registry import FrameEncoder
    from grounding.predictor import Predictor

START, PER_FRAME = 10.0, 0.05  # seconds asked for: a fresh worker takes its towers along, then frames follow


class LentEncoder:
    """A frame encoder whose every call borrows a GPU; see FrameEncoder."""

    device = "cuda"  # so that what it encodes is not kept on disk as the CPU's

    def __init__(self, encoder: "FrameEncoder", spaces: ModuleType) -> None:
        self.name, self.width, self.batch = encoder.name, encoder.width, encoder.batch

        def encode(frames: Sequence[np.ndarray]) -> np.ndarray:
            return encoder.encode(frames).numpy()  # (B, width); an array, since it crosses to another process

        self._encode: Callable[[Sequence[np.ndarray]], np.ndarray] = spaces.GPU(duration=estimate_seconds)(encode)

    def encode(self, frames: Sequence[np.ndarray]) -> "Tensor":
        """B frames, each (H, W, 3) uint8 RGB, to (B, width) float32 on the CPU."""
        from torch import from_numpy

        return from_numpy(self._encode(frames))  # (B, width)


def estimate_seconds(frames: Sequence[np.ndarray]) -> float:
    """How long to borrow the GPU for these frames at most: the less, the sooner it is lent."""
    return START + PER_FRAME * len(frames)


def import_spaces() -> ModuleType | None:
    """The package `spaces` on ZeroGPU, None elsewhere. To be called before anything asks for CUDA."""
    on_zero_gpu = os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")
    return importlib.import_module("spaces") if on_zero_gpu else None


def lend_encoders(predictors: "Iterable[Predictor]", spaces: ModuleType) -> None:
    """Gives predictors on the CPU a frame encoder on ZeroGPU, one for all that read the same features.

    To be called before the app is launched, in the main thread. A predictor whose weights cannot be had is left as it
    is, and says so when it is asked.
    """
    from grounding.encoders.registry import load_frame_encoder

    lent: dict[str, LentEncoder] = {}
    for predictor in predictors:
        name = predictor.config.frame_encoder
        try:
            lent[name] = lent.get(name) or LentEncoder(load_frame_encoder(name, "cuda"), spaces)
        except EncoderError:
            continue
        predictor.frame_encoder = lent[name]
