"""The grounder: frame features and query tokens in, a matching score per frame out.

Late fusion: frames and queries meet in one space, so a video is embedded once and any number of queries is answered
by a matrix product, and in training every query of a batch meets every video of it. The grounding scheme without
proposals is that of Mo, Liu, Hu, arXiv 2203.03838; the locked towers joined by small projections follow Zhai et al.,
LiT, CVPR 2022.
"""

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from grounding.checkpoint import GrounderConfig

NEAREST = 4  # sentence centers that tell how well a frame matches sentences in general
HELD_BACK = 0.25  # share of that match which is taken off its score
COORDINATE = 0.5  # what queries hold in the coordinate in which frames hold that match


def count_blur_reach(sigma: float) -> int:
    """How many frames to either side a Gaussian average of standard deviation `sigma` looks at."""
    return math.ceil(3 * sigma)


def blur_features(features: Tensor, mask: Tensor, sigma: float) -> Tensor:
    """Gaussian average of the real frames over time, `sigma` in frames: (B, T, D) and (B, T) give (B, T, D)."""
    reach, count = count_blur_reach(sigma), features.shape[1]
    kernel = [math.exp(-0.5 * (step / sigma) ** 2) for step in range(-reach, reach + 1)]
    real = mask.unsqueeze(-1).to(features.dtype)  # (B, T, 1)
    summed, weight = (
        sum(share * padded[:, step : step + count] for step, share in enumerate(kernel))
        for padded in (F.pad(each, (0, 0, reach, reach)) for each in (features * real, real))
    )  # (B, T, D) and (B, T, 1)
    return summed / weight.clamp(min=1e-6)  # (B, T, D)


def hold_back(frames: Tensor, centers: Tensor) -> Tensor:
    """Frames (..., D - 1) of unit length with a coordinate for how near they are to sentences in general: (..., D).

    A frame that is near to many sentences outscores the right one for some of them (hubness). So its cosines with the
    nearest of `centers` (K, D - 1), of unit length, are taken off its product with any query, which holds COORDINATE
    there: querybank normalization (Bogolin et al., CVPR 2022), linear and within the embedding.
    """
    near = (frames @ centers.T).topk(NEAREST, dim=-1).values.mean(dim=-1, keepdim=True)  # (..., 1)
    return F.normalize(torch.cat([frames, -HELD_BACK / COORDINATE * near], dim=-1), dim=-1)  # (..., D)


class FrameTower(nn.Module):
    """Projects frame features and lets each frame see its neighbours."""

    def __init__(self, config: "GrounderConfig") -> None:
        super().__init__()
        self.blur, self.centered, self.width = config.blur, config.centered, config.width
        self.register_buffer("center", torch.zeros(config.frame_width), persistent=config.centered)
        self.dropout = nn.Dropout(config.dropout)
        learned = config.learned_width
        self.projection = nn.Linear(config.frame_width, learned)
        if config.joint:
            nn.init.eye_(self.projection.weight)
            nn.init.zeros_(self.projection.bias)
        self.reach = config.context // 2 + count_blur_reach(config.blur)  # frames seen before and after each
        self.context = nn.Identity()
        if config.context > 1 or not config.joint:
            self.context = nn.Conv1d(learned, learned, config.context, padding="same", groups=learned, bias=False)
            with torch.no_grad():  # the identity: training starts from frames that see only themselves
                self.context.weight.zero_()
                self.context.weight[:, :, config.context // 2] = 1.0
        self.register_buffer(
            "sentence_centers", torch.zeros(config.sentence_centers, learned) if config.sentence_centers else None
        )

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """`features` (B, T, Dv) and `mask` (B, T), True at real frames, give unit-length frames (B, T, D)."""
        if self.blur:
            features = blur_features(features, mask, self.blur)  # (B, T, Dv)
        if self.centered:  # else a copy for nothing
            features = features - self.center  # (B, T, Dv)
        frames = self.projection(self.dropout(features)) * mask.unsqueeze(-1)  # (B, T, D)
        mixed = self.context(frames.transpose(1, 2)).transpose(1, 2)  # (B, T, D)
        mixed = F.normalize(mixed, dim=-1)  # (B, T, D)
        if self.sentence_centers is not None:
            mixed = hold_back(mixed, self.sentence_centers)  # (B, T, D)
        return mixed * mask.unsqueeze(-1)  # (B, T, D)

    def embed_pictures(self, features: Tensor) -> Tensor:
        """What each frame shows, seen alone, as if it stood still: `features` (T, Dv) give unit-length rows (T, D)."""
        frames = self.projection(features - self.center if self.centered else features)  # (T, D)
        if isinstance(self.context, nn.Conv1d):
            frames = frames * self.context.weight.sum(dim=-1).squeeze(1)  # (T, D)
        return F.normalize(frames, dim=-1)  # (T, D)


class QueryTower(nn.Module):
    """Pools query tokens by learned attention, then projects. Untrained, the pooling is the mean over the tokens."""

    def __init__(self, config: "GrounderConfig") -> None:
        super().__init__()
        self.register_buffer("center", torch.zeros(config.query_width), persistent=config.centered)
        self.dropout = nn.Dropout(config.dropout)
        self.attention = nn.Linear(config.query_width, 1, bias=False)
        self.projection = nn.Linear(config.query_width, config.learned_width)
        self.added = config.width - config.learned_width
        nn.init.zeros_(self.attention.weight)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """`tokens` (Q, N, Dq) and `mask` (Q, N), True at real tokens, give unit-length queries (Q, D)."""
        logits = self.attention(tokens).squeeze(-1).masked_fill(~mask, float("-inf"))  # (Q, N)
        sentence = torch.einsum("qn,qnd->qd", logits.softmax(dim=-1), tokens)  # (Q, Dq)
        sentence = F.normalize(sentence, dim=-1) - self.center  # (Q, Dq)
        queries = F.normalize(self.projection(self.dropout(sentence)), dim=-1)  # (Q, D)
        if self.added:
            queries = F.normalize(F.pad(queries, (0, self.added), value=COORDINATE), dim=-1)  # (Q, D)
        return queries


class JointQueryTower(nn.Module):
    """Queries of a joint space, of which the center is taken off. A text tower is not trained, so what it knows stays
    known (locked-text tuning; cf. Zhai et al., LiT, CVPR 2022, who lock the image tower)."""

    def __init__(self, config: "GrounderConfig") -> None:
        super().__init__()
        self.register_buffer("center", torch.zeros(config.width))
        self.adapter = nn.Identity()
        if config.adapter:
            self.adapter = nn.Sequential(nn.Dropout(config.dropout), nn.Linear(config.width, config.width, bias=False))
            nn.init.eye_(self.adapter[1].weight)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """`tokens` (Q, N, D), a text embedding each, and `mask` (Q, N) give unit-length queries (Q, D).

        The embeddings of several wordings are averaged.
        """
        wordings = F.normalize(tokens, dim=-1) * mask.unsqueeze(-1)  # (Q, N, D)
        return F.normalize(self.adapter(F.normalize(wordings.sum(dim=1), dim=-1) - self.center), dim=-1)  # (Q, D)


class Grounder(nn.Module):
    """Matching scores of frames to queries."""

    def __init__(self, config: "GrounderConfig") -> None:
        super().__init__()
        self.config = config
        self.frame_tower = FrameTower(config)
        self.query_tower = JointQueryTower(config) if config.joint else QueryTower(config)
        self.scale = nn.Parameter(torch.tensor(2.3))  # log of the factor on cosines: exp(2.3) is about 10
        self.bias = nn.Parameter(torch.tensor(-2.0))

    def logits(self, queries: Tensor, frames: Tensor) -> Tensor:
        """`queries` (Q, D) against `frames` (..., T, D): logits of the matching scores, (Q, ..., T)."""
        return torch.einsum("qd,...td->q...t", queries, frames) * self.scale.exp() + self.bias

    def forward(self, features: Tensor, mask: Tensor, tokens: Tensor, token_mask: Tensor) -> Tensor:
        """Matching scores of every query at every frame.

        Args:
            features: (B, T, Dv) frame features, zero-padded.
            mask: (B, T), True at real frames.
            tokens: (Q, N, Dq) query tokens.
            token_mask: (Q, N), True at real tokens.

        Returns:
            (Q, B, T) scores in [0, 1]; those of padded frames mean nothing.
        """
        return self.logits(self.query_tower(tokens, token_mask), self.frame_tower(features, mask)).sigmoid()


def start_from_bridge(
    grounder: Grounder,
    frame_bridge: Tensor,
    query_bridge: Tensor,
    centers: tuple[Tensor, Tensor] | None = None,
) -> None:
    """Start the projections from linear maps that already meet, so that training refines instead of discovering.

    Args:
        frame_bridge: (K, Dv) map of frame features to a shared space of width K <= D, `learned_width`.
        query_bridge: (K, Dq) map of pooled queries to the same space.
        centers: (Dv,) and (Dq,), taken off frame features and pooled queries; none are by default.
    """
    shared = len(frame_bridge)
    if len(query_bridge) != shared or shared > grounder.config.learned_width:
        width = grounder.config.learned_width
        raise ValueError(f"bridges to {shared} and {len(query_bridge)} do not fit a width of {width}")
    with torch.no_grad():
        for layer, bridge, center in (
            (grounder.frame_tower.projection, frame_bridge, centers and centers[0]),
            (grounder.query_tower.projection, query_bridge, centers and centers[1]),
        ):
            layer.weight[:shared] = bridge
            layer.weight[shared:] *= 0.1  # dimensions that the bridge leaves free begin small
            layer.bias.zero_()
            if center is not None:
                layer.bias[:shared] = -bridge @ center
