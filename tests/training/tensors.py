"""Small tensors, for the tests of several losses."""

import torch

from training.losses import OwnFrames


def directions(*degrees: float) -> torch.Tensor:
    """Unit vectors in the plane, one video: (1, T, 2)."""
    angles = torch.deg2rad(torch.tensor(degrees))
    return torch.stack([angles.cos(), angles.sin()], dim=-1).unsqueeze(0)


def row(*values: float) -> torch.Tensor:
    return torch.tensor([values])


def flags(*values: int) -> torch.Tensor:
    return torch.tensor([values]).bool()


def own(frames: torch.Tensor) -> OwnFrames:
    """(Q, T, D) frames, the first video of which is the first query's, and so on."""
    return OwnFrames(frames, torch.arange(len(frames)))
