"""Frames that show nothing new are not encoded again: slides, screens and cameras that stand still."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from grounding.encoders import FrameEncoder

BLOCKS = (16, 16)  # what moves may be small, so the blocks of a frame are compared one by one
SAME = 1.0  # of 255, the mean difference in a block below which features differ less than bfloat16 makes them


class Economical:
    """Encodes frames that come in order; one like the last that was encoded gets the feature of that one.

    A frame is compared with the last encoded one and not with its neighbour, so slow changes add up until they count.
    """

    def __init__(self, encoder: FrameEncoder) -> None:
        self._encoder = encoder
        self._image: np.ndarray | None = None
        self._feature = torch.zeros(1, encoder.width)

    def encode(self, frames: Sequence[np.ndarray]) -> Tensor:
        """As FrameEncoder's: B frames, each (H, W, 3) uint8 RGB, to (B, width) float32."""
        fresh: list[np.ndarray] = []
        rows: list[int] = []
        for frame in frames:
            if self._image is None or differ(frame, self._image):
                self._image = frame
                fresh.append(frame)
            rows.append(len(fresh))
        encoded = self._encoder.encode(fresh) if fresh else self._feature[:0]
        features = torch.cat([self._feature, encoded])  # (1 + fresh, width)
        self._feature = features[-1:]
        return features[rows]  # (B, width)


def differ(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two frames show something different anywhere."""
    if one.shape != other.shape:
        return True
    difference = cv2.absdiff(one, other).astype(np.float32)  # (H, W, 3)
    return bool(cv2.resize(difference, BLOCKS, interpolation=cv2.INTER_AREA).max() >= SAME)
