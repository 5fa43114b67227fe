"""The objectives: video-level matching, coarse contrast and contrast against mined hard negatives.

All read (video, sentence) pairs alone. Shapes: Q queries, V videos, T frames, D the width of the joint space. Inside
one video scores and masks are (Q, T): each query with its own video.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from grounding.segments.hard_negatives import (
    SCALES,
    Scale,
    measure_boundary_distance,
    mine_hard_negatives,
)
from grounding.validation import check_ranges
from training.foreground import find_standout

NEVER = -1e4  # stands for minus infinity where a gradient must stay finite


@dataclass(frozen=True)
class OwnFrames:
    """The frames of each query's own video. No copy is made for each query, which takes most of a step's time.

    Attributes:
        frames: (V, T, D) unit length.
        owner: (Q,) the video of each query.
    """

    frames: Tensor
    owner: Tensor

    def multiply(self, vectors: Tensor) -> Tensor:
        """Products of `vectors` (Q, D) with the frames of their own videos, (Q, T)."""
        products = torch.einsum("qd,vtd->qvt", vectors, self.frames)  # (Q, V, T)
        return products[torch.arange(len(vectors), device=vectors.device), self.owner]  # (Q, T)

    def average(self, weights: Tensor) -> Tensor:
        """Weighted mean direction of own frames under non-negative `weights` (Q, T): unit length, (Q, D)."""
        spread = weights.new_zeros(len(weights), *self.frames.shape[:2])  # (Q, V, T)
        spread[torch.arange(len(weights), device=weights.device), self.owner] = weights
        return F.normalize(torch.einsum("qvt,vtd->qd", spread, self.frames), dim=-1)  # (Q, D)


def pool_best(logits: Tensor, mask: Tensor, share: float) -> Tensor:
    """Mean of the best `share` of the real frames, at least one: (..., T) and (..., T) bool give (...).

    A video matches a sentence when some of its frames do: multiple-instance learning, as in Ilse et al., ICML 2018,
    with top-k pooling in the place of attention.
    """
    ranked = logits.masked_fill(~mask, NEVER).sort(dim=-1, descending=True).values  # (..., T)
    keep = (mask.sum(dim=-1, keepdim=True) * share).ceil().clamp(min=1)  # (..., 1)
    chosen = torch.arange(logits.shape[-1], device=logits.device) < keep  # (..., T)
    return (ranked * chosen).sum(dim=-1) / keep.squeeze(-1)  # (...)


def match_videos(pooled: Tensor, positive: Tensor, ignored: Tensor) -> Tensor:
    """InfoNCE both ways between queries and videos (van den Oord et al., arXiv 1807.03748; CLIP's symmetric form).

    Args:
        pooled: (Q, V) logits of whole videos.
        positive: (Q, V), True where the sentence was written for the video. Each row and column that has none is
            left out of the mean.
        ignored: (Q, V), True where a negative is probably true: it counts on neither side.
    """
    both = []
    for scores, match, skip in ((pooled, positive, ignored), (pooled.T, positive.T, ignored.T)):
        log_share = scores.masked_fill(skip & ~match, NEVER).log_softmax(dim=-1)
        rows = match.any(dim=-1)
        share = torch.logsumexp(log_share.masked_fill(~match, NEVER), dim=-1) - match.sum(dim=-1).clamp(min=1).log()
        both.append(-share[rows].mean())
    return (both[0] + both[1]) / 2


def judge_presence(pooled: Tensor, positive: Tensor, ignored: Tensor) -> Tensor:
    """Binary cross entropy of every pair (Zhai et al., SigLIP, ICCV 2023), positives and negatives weighing the same.

    It gives the scores their scale: 0.5 is the line between a sentence that matches and one that does not.
    """
    each = F.binary_cross_entropy_with_logits(pooled, positive.float(), reduction="none")  # (Q, V)
    sides = [each[pairs].mean() for pairs in (positive, ~positive & ~ignored) if pairs.any()]
    return torch.stack(sides).mean()


@dataclass(frozen=True)
class ContrastConfig:
    """The contrast within one video.

    Attributes:
        temperature: of the softmax over frames.
        foreground: a frame is foreground from this share of the way up, from its video's lowest to its highest score.
        background: and clear background up to this one.
        near_duplicate: cosine to the prototype from which a background frame is taken to be the moment itself.
        scales: of the hard negatives, mined one after another.
        balance: if above 0, the foreground is the one stretch that stands out most, found as segments are, and all
            else is background; `foreground` and `background` are not read. See `training.foreground.find_standout`.
    """

    temperature: float = 0.1
    foreground: float = 0.7
    background: float = 0.4
    near_duplicate: float = 0.95
    scales: tuple[Scale, ...] = SCALES
    balance: float = 0.0

    def __post_init__(self) -> None:
        check_ranges(
            self,
            {
                "temperature": (0 < self.temperature < math.inf, "above 0"),
                "foreground": (0 <= self.foreground <= 1, "a share from 0 to 1"),
                "background": (0 <= self.background < self.foreground, "0 or more and below foreground"),
                "near_duplicate": (
                    -1 <= self.near_duplicate <= 2,
                    "a cosine, or up to 2 to leave none out",
                ),
                "balance": (0 <= self.balance <= 100, "from 0 to 100"),
            },
        )


def rescale_scores(scores: Tensor, mask: Tensor) -> Tensor:
    """Scores of the real frames mapped so that each video runs from 0 to 1; (Q, T), padding 0."""
    low = scores.masked_fill(~mask, float("inf")).amin(dim=-1, keepdim=True)  # (Q, 1)
    high = scores.masked_fill(~mask, float("-inf")).amax(dim=-1, keepdim=True)  # (Q, 1)
    return ((scores - low) / (high - low).clamp(min=1e-6)).masked_fill(~mask, 0.0)  # (Q, T)


def estimate_foreground(level: Tensor, mask: Tensor, config: ContrastConfig) -> tuple[Tensor, Tensor]:
    """Foreground and clear background of each video by its relative scores: (Q, T) weights and (Q, T) bool."""
    if config.balance:
        inside = find_standout(level, mask, config.balance)  # (Q, T)
        return inside.to(level.dtype), ~inside & mask  # (Q, T) each
    return level * (level >= config.foreground) * mask, (level <= config.background) & mask  # (Q, T) each


def contrast_frames(
    frames: OwnFrames, anchor: Tensor, foreground: Tensor, negatives: Tensor, temperature: float
) -> Tensor:
    """InfoNCE over the frames of one video: pull the foreground to the anchor, push the negatives away.

    Each foreground frame stands alone against all negatives of its video (supervised contrast, Khosla et al., NeurIPS
    2020, with the anchor in the place of the other positives).

    Args:
        frames: of V videos.
        anchor: (Q, D) unit length.
        foreground: (Q, T) weights, 0 outside.
        negatives: (Q, T) bool. Rows without one are left out of the mean.
    """
    logits = frames.multiply(anchor) / temperature  # (Q, T)
    against = torch.logsumexp(logits.masked_fill(~negatives, NEVER), dim=-1, keepdim=True)  # (Q, 1)
    each = F.softplus(against - logits)  # (Q, T), minus log of the frame's share among itself and the negatives
    rows = negatives.any(dim=-1) & (foreground.sum(dim=-1) > 0)  # (Q,)
    per_video = (each * foreground).sum(dim=-1) / foreground.sum(dim=-1).clamp(min=1e-6)  # (Q,)
    return (per_video * rows).sum() / rows.sum().clamp(min=1)


def contrast_coarsely(frames: OwnFrames, query: Tensor, scores: Tensor, mask: Tensor, config: ContrastConfig) -> Tensor:
    """Confident foreground against clear background (Mo, Liu, Hu, arXiv 2203.03838, the coarse stage).

    `query` (Q, D), `scores` (Q, T) and `mask` (Q, T), each query with its own video.
    """
    foreground, background = estimate_foreground(rescale_scores(scores.detach(), mask), mask, config)  # (Q, T) each
    anchor = F.normalize(frames.average(foreground) + query, dim=-1)  # (Q, D)
    return contrast_frames(frames, anchor, foreground, background, config.temperature)


class Mined(NamedTuple):
    """One scale of mining: `foreground` (Q, T) weights, its prototype `center` (Q, D), and `negatives` (Q, T) bool."""

    foreground: Tensor
    center: Tensor
    negatives: Tensor


def mine_scales(
    frames: OwnFrames, scores: Tensor, mask: Tensor, timestamps: Tensor, config: ContrastConfig
) -> Iterator[Mined]:
    """What is mined at each scale, one after another.

    After each scale the foreground is estimated again: frames nearer to the prototype than to the hardest negatives
    join it, those nearer to the negatives leave.

    Shapes as in `contrast_coarsely`; `timestamps` (Q, T) seconds.
    """
    level = rescale_scores(scores.detach(), mask)  # (Q, T)
    for scale in config.scales:
        foreground, _ = estimate_foreground(level, mask, config)  # (Q, T)
        center = frames.average(foreground)  # (Q, D)
        similarity = frames.multiply(center).detach()  # (Q, T)
        outside = (foreground == 0) & mask  # (Q, T)
        distance = measure_boundary_distance(foreground > 0, timestamps)  # (Q, T)
        yield Mined(
            foreground, center, mine_hard_negatives(similarity, outside, distance, scale, config.near_duplicate)
        )
        level = (level + rescale_scores(similarity, mask)) / 2  # (Q, T)


def contrast_hard_negatives(
    frames: OwnFrames, query: Tensor, scores: Tensor, mask: Tensor, timestamps: Tensor, config: ContrastConfig
) -> Tensor:
    """Foreground against mined hard negatives, the mean over scales (Mo, Liu, Hu, arXiv 2203.03838, the fine stage).

    Shapes as in `mine_scales`.
    """
    total = scores.new_zeros(())
    for mined in mine_scales(frames, scores, mask, timestamps, config):
        anchor = F.normalize(mined.center + query, dim=-1)  # (Q, D)
        total = total + contrast_frames(frames, anchor, mined.foreground, mined.negatives, config.temperature)
    return total / max(len(config.scales), 1)
