"""Frames that show nothing new are not encoded again: slides, screens and cameras that stand still."""

from collections.abc import Sequence

import cv2
import numpy as np
from torch import Tensor

from grounding.encoders.registry import FrameEncoder

BLOCKS = (16, 16)  # what moves may be small, so the blocks of a frame are compared one by one
SAME = 1.0  # of 255, the mean difference in a block up to which nothing has moved
BRIGHT = 48  # of 255, the difference of a single pixel from which something new is there, however small


def encode_new(encoder: FrameEncoder, frames: Sequence[np.ndarray]) -> Tensor:
    """As the encoder's `encode`, for frames in order: one like the last that was encoded gets that one's feature.

    A frame is compared with the last encoded one and not with its neighbour, so slow changes add up until they count.
    """
    fresh: list[np.ndarray] = []
    rows: list[int] = []
    for frame in frames:
        if not fresh or differ(frame, fresh[-1]):
            fresh.append(frame)
        rows.append(len(fresh) - 1)
    return encoder.encode(fresh)[rows]  # (B, width)


def differ(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two frames show something different anywhere."""
    if one.shape != other.shape:
        return True
    difference = cv2.absdiff(one, other)  # (H, W, 3)
    if difference.max() >= BRIGHT:
        return True
    return bool(cv2.resize(difference.astype(np.float32), BLOCKS, interpolation=cv2.INTER_AREA).max() >= SAME)
