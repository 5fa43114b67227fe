"""A video's frames as the grounder sees them, embedded block by block: a long video takes no more to work in."""

from collections.abc import Callable
from weakref import ref

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from grounding.features.encoded_video import BLOCK, EncodedVideo
from grounding.model import FrameTower

NOTHING: tuple[Callable[[], EncodedVideo | None], Tensor | None] = (lambda: None, None)


def embed(tower: FrameTower, features: np.ndarray, device: torch.device, unit: bool = False) -> Tensor:
    """What the tower gives for all frames at once.

    Args:
        tower: on `device`.
        features: (T, Dv), of any float type; they become float32 block by block.
        unit: whether features are brought to unit length first.

    Returns:
        (T, D) float32 of unit length, on `device`.
    """
    frames = torch.empty(len(features), tower.projection.out_features, device=device)  # (T, D)
    for first in range(0, len(features), BLOCK):
        frames[first : first + BLOCK] = _block(tower, features, first, device, unit)  # (N, D)
    return frames


def _block(tower: FrameTower, features: np.ndarray, first: int, device: torch.device, unit: bool) -> Tensor:
    """Frames from `first` on, up to BLOCK, with as many before and after them as they see: (N, D)."""
    begin = max(first - tower.reach, 0)
    rows = torch.from_numpy(features[begin : first + BLOCK + tower.reach]).to(device, torch.float32)  # (M, Dv)
    rows = F.normalize(rows, dim=-1) if unit else rows  # (M, Dv)
    mask = torch.ones(1, len(rows), dtype=torch.bool, device=device)  # (1, M)
    return tower(rows.unsqueeze(0), mask)[0, first - begin :][:BLOCK]  # (N, D)


class LastFrames:
    """The frames of the last video, for the next query in it; they go with the video."""

    def __init__(self) -> None:
        self._last = NOTHING  # a pair that is read and replaced as one, since threads share a predictor

    def of(self, video: EncodedVideo, find: Callable[[], Tensor]) -> Tensor:
        """(T, D), what `find` gives for this video; asked only where the last video was another one."""
        known, frames = self._last
        if known() is not video:
            frames = find()  # (T, D)
            self._last = (ref(video, self._forget), frames)
        return frames

    def _forget(self, gone: Callable[[], EncodedVideo | None]) -> None:
        if self._last[0] is gone:
            self._last = NOTHING
