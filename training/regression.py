"""A start for the projections when there are training pairs: sentences regressed on videos, in closed form."""

from collections.abc import Sequence

import torch
from torch import Tensor

from grounding.model import Grounder, start_from_bridge
from training.config import BridgeConfig, TrainConfig
from training.data import QueryBank, Source
from training.files import DataError

FLOOR = 0.02  # of the largest variance of sentences, added to all before whitening, lest noise is blown up


def start_fitted(
    grounder: Grounder, config: TrainConfig, sources: Sequence[Source], bank: QueryBank, known: Tensor | None = None
) -> Grounder:
    """Starts a fresh grounder from `fit_bridge` on its training pairs. Raises DataError if the width is too small."""
    model = config.model
    if model.width < model.query_width:
        raise DataError(f"model.width is {model.width}: a fitted bridge needs {model.query_width} or more.")
    frame_bridge, query_bridge, centers = fit_bridge(sources, bank, config.bridge, known)
    start_from_bridge(grounder, frame_bridge, query_bridge, centers)
    with torch.no_grad():  # a mean over the neighbours: the bridge was fitted on means over whole videos
        grounder.frame_tower.context.weight.fill_(1 / model.context)
    return grounder


def fit_bridge(
    sources: Sequence[Source], bank: QueryBank, config: BridgeConfig, known: Tensor | None = None
) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
    """A ridge regression of the mean sentence of each video on its mean frame, in closed form.

    Both sides are centred. Sentences are partly whitened first, or the few directions that all captions share decide:
    the middle between a plain regression and canonical correlation (Hardoon et al., Neural Computation 2004).

    Args:
        sources: videos.
        bank: their queries.
        config: see BridgeConfig.
        known: (Dq, Dv) map of frames to sentences that is there before any training. The regression then shrinks
            towards it, so that things which no training sentence names are still found.

    Returns:
        (Dq, Dv) map of frames, (Dq, Dq) map of queries, and their centers (Dv,) and (Dq,). Mapped training videos and
        mapped queries have unit length on average.
    """
    frames = torch.stack([source.features.float().mean(dim=0) for source in sources])  # (S, Dv)
    said = torch.stack([bank.sentences[list(source.queries)].mean(dim=0) for source in sources])  # (S, Dq)
    centers = frames.mean(dim=0), said.mean(dim=0)
    frames, said = frames - centers[0], said - centers[1]
    every = torch.cat([bank.sentences[list(source.queries)] for source in sources]) - centers[1]  # (Q, Dq)
    whiten = _whitening(every, config.whitening)  # (Dq, Dq)
    spread = frames.square().sum(dim=1).mean().clamp(min=1e-12)
    kernel = frames @ frames.T / spread + config.ridge * torch.eye(len(frames))  # (S, S)
    before = whiten @ (torch.zeros(every.shape[1], frames.shape[1]) if known is None else known)  # (Dq, Dv)
    wanted, guessed = said @ whiten.T, frames @ before.T  # (S, Dq) each
    share = (wanted * guessed).sum() / guessed.square().sum().clamp(min=1e-12)  # least squares
    learned = (wanted - share * guessed).T @ torch.linalg.solve(kernel, frames) / spread  # (Dq, Dv)
    frame_bridge = share * before + learned  # (Dq, Dv)
    lengths = [(rows @ bridge.T).norm(dim=1).mean().clamp(min=1e-6) for rows, bridge in
               ((frames, frame_bridge), (every, whiten))]  # fmt: skip
    return frame_bridge / lengths[0], whiten / lengths[1], centers


def _whitening(sentences: Tensor, exponent: float) -> Tensor:
    """(Q, Dq) centred sentences to the map (Dq, Dq) that evens out their variances to the given degree."""
    variances, directions = torch.linalg.eigh(sentences.T @ sentences / len(sentences))  # (Dq,), (Dq, Dq)
    variances = variances.clamp(min=0) + FLOOR * variances.max()  # (Dq,)
    return variances.pow(-exponent / 2).unsqueeze(1) * directions.T  # (Dq, Dq)
