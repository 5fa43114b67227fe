"""Which frames of a video a sentence is taken to be about, as its own matching scores tell."""

import torch
import torch.nn.functional as F
from torch import Tensor


def find_standout(scores: Tensor, mask: Tensor, balance: float) -> Tensor:
    """The one stretch of each curve that stands out most: (Q, T) and (Q, T) bool give (Q, T) bool.

    Every stretch is ranked as `grounding.segments.find` ranks candidates: mean score inside minus mean score outside,
    times (w(1 - w)) ** balance, w the share of the frames inside. So the foreground is as long and as whole as an
    answer is, where a height alone cuts out the few best frames. A video of one frame has no stretch.
    """
    curve = blur_curve(scores, mask)  # (Q, T)
    count = mask.sum(dim=-1, keepdim=True)  # (Q, 1)
    total = F.pad(curve.cumsum(dim=-1), (1, 0))  # (Q, T + 1), the area under the curve so far
    first, last = torch.triu_indices(total.shape[-1], total.shape[-1], 1, device=scores.device)  # (W,) each
    length = last - first  # (W,)
    inside = total[:, last] - total[:, first]  # (Q, W)
    outside = total[:, -1:] - inside  # (Q, W)
    share = length / count  # (Q, W)
    contrast = inside / length - outside / (count - length).clamp(min=1)  # (Q, W)
    rank = contrast * (share * (1 - share)).clamp(min=0) ** balance  # (Q, W)
    best = rank.masked_fill((last > count) | (length >= count), float("-inf")).argmax(dim=-1, keepdim=True)  # (Q, 1)
    position = torch.arange(scores.shape[-1], device=scores.device)  # (T,)
    return (position >= first[best]) & (position < last[best]) & mask & (count > 1)  # (Q, T)


def blur_curve(scores: Tensor, mask: Tensor) -> Tensor:
    """Each real score averaged with its neighbours, half of it its own; (Q, T), padding 0."""
    kernel = scores.new_tensor([[[0.25, 0.5, 0.25]]])
    summed, weight = (F.conv1d(each.unsqueeze(1), kernel, padding=1).squeeze(1) for each in (scores * mask, mask * 1.0))
    return summed / weight.clamp(min=1e-6) * mask  # (Q, T)
