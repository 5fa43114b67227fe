"""The losses put together: what one batch costs a grounder."""

import math
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from grounding.model import Grounder
from grounding.validation import check_ranges
from training.batches import Batch
from training.distributed import ALONE, Team
from training.losses import (
    ContrastConfig,
    OwnFrames,
    contrast_coarsely,
    contrast_frames,
    contrast_hard_negatives,
    judge_presence,
    match_videos,
    pool_best,
)

WEIGHTS = ("video", "presence", "composition", "coarse", "hard")
ACROSS = ("video", "presence")  # the losses that read all processes' queries and parts
NEAR_SAME = 0.9  # cosine of two sentences from which a negative pair is probably true


@dataclass(frozen=True)
class ObjectiveConfig:
    """Weights of the losses; 0 leaves one out.

    Attributes:
        video: matching of sentences and parts, InfoNCE both ways.
        presence: matching as yes or no, which gives scores their scale.
        composition: frames of a query's own part against those of the other parts of its composed video.
        coarse: confident foreground against clear background.
        hard: foreground against mined hard negatives.
        pool: share of a part's frames that speak for it.
        contrast: temperature, thresholds and scales of the last three.
    """

    video: float = 1.0
    presence: float = 0.5
    composition: float = 0.0
    coarse: float = 0.0
    hard: float = 0.0
    pool: float = 0.3
    contrast: ContrastConfig = field(default_factory=ContrastConfig)

    def __post_init__(self) -> None:
        weights = {name: getattr(self, name) for name in WEIGHTS}
        check_ranges(self, {name: (0 <= value < math.inf, "0 or more") for name, value in weights.items()})
        check_ranges(
            self,
            {
                "video": (any(weights.values()), f"above 0, or one of {', '.join(WEIGHTS[1:])}"),
                "hard": (not self.hard or bool(self.contrast.scales), "0 where contrast.scales is empty"),
                "pool": (0 < self.pool <= 1, "above 0 and at most 1"),
            },
        )


def split_parts(logits: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    """Logits (Q, V, T) regrouped by part: (Q, P, L), and (P, L) True at real frames. P = Q, L the longest part."""
    lengths = batch.inside.sum(dim=1)  # (P,)
    first = batch.inside.float().argmax(dim=1)  # (P,)
    step = torch.arange(int(lengths.max()), device=logits.device)  # (L,)
    frames = (first.unsqueeze(1) + step).clamp(max=logits.shape[-1] - 1)  # (P, L)
    return logits[:, batch.owner.unsqueeze(1), frames], step < lengths.unsqueeze(1)


def find_near_same(batch: Batch) -> Tensor:
    """(Q, Q), True where two different queries say nearly the same."""
    alike = batch.sentences @ batch.sentences.T >= NEAR_SAME  # (Q, Q)
    return alike & ~torch.eye(len(alike), dtype=torch.bool, device=alike.device)  # (Q, Q)


def compute_losses(grounder: Grounder, batch: Batch, config: ObjectiveConfig, team: Team = ALONE) -> dict[str, Tensor]:
    """The losses of one batch by name, unweighted, and their weighted sum as `total`. Losses of weight 0 are absent.

    With several processes the queries and parts of all of them, Q' and P', are each other's negatives, and the mean of
    the losses over processes is the loss of the whole batch.
    """
    frames = grounder.frame_tower(batch.features, batch.mask)  # (V, T, D)
    queries = grounder.query_tower(batch.tokens, batch.token_mask)  # (Q, D)
    sizes = team.sizes(queries)
    logits = grounder.logits(team.gather(queries, sizes), frames)  # (Q', V, T)
    parts, part_mask = split_parts(logits, batch)  # (Q', P, L), (P, L)
    pooled = pool_best(parts, part_mask.expand_as(parts), config.pool)  # (Q', P)
    pooled = team.gather(pooled.T, sizes).T  # (Q', P')
    positive = torch.eye(len(pooled), dtype=torch.bool, device=pooled.device)  # (Q', P')
    ignored = find_near_same(replace(batch, sentences=team.gather(batch.sentences, sizes)))  # (Q', P')
    own = logits[team.own(sizes)][torch.arange(len(queries), device=logits.device), batch.owner]  # (Q, T)
    own_frames, own_mask = OwnFrames(frames, batch.owner), batch.mask[batch.owner]  # own_mask (Q, T)
    contrast = config.contrast
    losses = {
        "video": lambda: match_videos(pooled, positive, ignored),
        "presence": lambda: judge_presence(pooled, positive, ignored),
        "composition": lambda: contrast_frames(
            own_frames, queries, batch.inside.float(), own_mask & ~batch.inside, contrast.temperature
        ),
        "coarse": lambda: contrast_coarsely(own_frames, queries, own, own_mask, contrast),
        "hard": lambda: contrast_hard_negatives(
            own_frames, queries, own, own_mask, batch.timestamps[batch.owner], contrast
        ),
    }
    weights = {name: getattr(config, name) for name in losses}
    values = {name: loss() for name, loss in losses.items() if weights[name]}
    share = team.count * len(queries) / sum(sizes)  # losses within videos are means over our queries alone
    values = {name: value if name in ACROSS else share * value for name, value in values.items()}
    values["total"] = torch.stack([weights[name] * value for name, value in values.items()]).sum()
    return values
