"""A GPU without memory left: frames go through in smaller batches, then on the CPU, and it is said aloud."""

from collections.abc import Callable, Sequence
from threading import Lock

import numpy as np
import torch

from grounding.encoders.devices import CHUNK
from grounding.encoders.registry import FrameEncoder


class FallbackFrameEncoder:
    """A frame encoder that makes do with the memory there is; see FrameEncoder. Threads take turns.

    Other programs may fill the GPU at any time. Each time it has no room left the batch is halved; where a single frame
    does not fit, the encoder moves to the CPU for as long as it lives.

    Args:
        load: the encoder for a device, such as "cuda".
        device: where it is wanted.

    Attributes:
        device: where it is now.
        note: what had to be done for lack of memory; "" where nothing had to.
    """

    def __init__(self, load: Callable[[str], FrameEncoder], device: str) -> None:
        self._load, self.device, self._size, self.note = load, device, CHUNK, ""
        self._encoder, self._lock = self._load_where_it_fits(), Lock()
        self.name, self.width = self._encoder.name, self._encoder.width

    @property
    def batch(self) -> int:
        """See FrameEncoder; as long as others fill the GPU it is smaller."""
        return min(self._encoder.batch, self._size)

    def encode(self, frames: Sequence[np.ndarray]) -> torch.Tensor:
        """B frames, each (H, W, 3) uint8 RGB, to (B, width) float32 on the CPU. Raises as the encoder does."""
        rows = [torch.zeros(0, self.width)]
        first = 0
        with self._lock:  # of two that ran out of memory at once, each would halve the batch, or move to the CPU
            while first < len(frames):
                encoded = self._encode_if_it_fits(frames[first : first + self._size])
                if encoded is None:
                    self._make_do_with_less()  # not where the error is caught: until then that holds on to the memory
                else:
                    rows.append(encoded)
                    first += len(encoded)
        return torch.cat(rows)  # (B, width)

    def _load_where_it_fits(self) -> FrameEncoder:
        if self.device != "cpu":
            try:
                return self._load(self.device)
            except torch.OutOfMemoryError:
                pass
            self._move_to_cpu()
        return self._load("cpu")

    def _encode_if_it_fits(self, frames: Sequence[np.ndarray]) -> torch.Tensor | None:
        if self.device == "cpu":
            return self._encoder.encode(frames)
        try:
            return self._encoder.encode(frames)
        except torch.OutOfMemoryError:
            return None

    def _make_do_with_less(self) -> None:
        if self._size > 1:
            self._size //= 2
            frames = "a single frame" if self._size == 1 else f"{self._size} frames"
            self.note = f"the GPU has no memory left: {frames} encoded at a time"
        else:
            self._move_to_cpu()
            self._encoder = self._load("cpu")
        torch.cuda.empty_cache()

    def _move_to_cpu(self) -> None:
        self.device, self._size, self.note = "cpu", CHUNK, "the GPU has no memory left: frames encoded on the CPU"
