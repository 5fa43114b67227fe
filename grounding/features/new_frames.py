"""Frames that show something new: only these are encoded, and others have the features of those that they repeat."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from grounding.encoders.registry import FrameEncoder

GRID = (16, 16)  # what moves may be small, so the blocks of a frame are compared one by one
STILL = 1.0  # of 255, the mean difference in a block up to which nothing has moved
BRIGHT = 48  # of 255, the difference of a single pixel from which something new is there, however small


class NewFrameEncoder:
    """As a frame encoder, but frames that show nothing new are not encoded again: slides, screens and cameras that
    stand still.

    A frame is compared with the last encoded one and not with its neighbour, so slow changes add up until they count.

    Args:
        encoder: of frames.
    """

    def __init__(self, encoder: "FrameEncoder") -> None:
        self._encoder = encoder
        self.forget()

    def forget(self) -> None:
        """Whatever the next frame shows, it is new."""
        self._image: np.ndarray | None = None  # that was encoded last, and its feature (width,)
        self._row = np.empty(0)

    def encode(self, frames: Sequence[np.ndarray], known: Sequence[np.ndarray | None] = ()) -> np.ndarray:
        """(B, width) of frames that follow those given before.

        Args:
            frames: B of them, at least one.
            known: of each frame its feature (width,) where it was encoded before.
        """
        fresh: list[int] = []  # where in `frames` something new is
        shown: list[int] = []  # which of these each frame shows, from 1 on; 0 is what was encoded last
        for index, frame in enumerate(frames):
            if self._image is None or (frame is not self._image and differ(frame, self._image)):
                fresh.append(index)
                self._image = frame
            shown.append(len(fresh))
        missing = [index for index in fresh if not len(known) or known[index] is None]
        encoded = iter(self._encoder.encode([frames[index] for index in missing]).numpy() if missing else ())
        rows = [self._row, *(next(encoded) if index in missing else known[index] for index in fresh)]
        self._row = rows[-1]
        return np.stack([rows[number] for number in shown])  # (B, width)


def differ(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two frames show something different anywhere."""
    if one.shape != other.shape:
        return True
    difference = cv2.absdiff(one, other)  # (H, W, 3)
    if difference.max() >= BRIGHT:
        return True
    return bool(cv2.resize(difference.astype(np.float32), GRID, interpolation=cv2.INTER_AREA).max() >= STILL)
