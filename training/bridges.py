"""Where training starts: linear maps under which frames and queries already meet a little.

The embedded encoder's frames end in ConSE, which lies in the query encoder's own space. For CLIP frames the query
encoder is mapped to CLIP's text space by ridge regression on prompts whose CLIP embeddings are known, the anchors, and
frames of another CLIP tower are mapped to the anchors' tower on the frames of the training videos. Both sides of each
map are centered, since CLIP's texts, its frames and MiniLM's sentences each lie around a mean of their own (Liang et
al., "Mind the Gap", NeurIPS 2022). No start or end time is read.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from grounding.model import Grounder, start_from_bridge
from training.config import TrainConfig
from training.data import QueryBank, Source
from training.features import PublishedFeatures
from training.files import DataError
from training.regression import start_fitted
from training.sources import encode_queries

CONSE = 384  # the last features of the embedded encoder, which lie in the query encoder's own space
QUERY_RIDGE = 3.0
FRAME_RIDGE = 10.0


def start(
    grounder: Grounder, config: TrainConfig, sources: Sequence[Source] = (), bank: QueryBank | None = None
) -> Grounder:
    """Starts a fresh grounder from the bridge that fits its frame encoder; without one it starts at random.

    Raises DataError if the sizes do not fit the encoder, or the anchors cannot be read.
    """
    known = conse_map(config) if config.frame_encoder == "embedded" else None
    if config.bridge.ridge and sources and bank:
        return start_fitted(grounder, config, sources, bank, known)
    if known is not None:
        start_from_bridge(grounder, known, torch.eye(CONSE))
    if config.model.centered and sources and bank:
        set_centers(grounder, sources, bank)
    if config.data.anchors and sources:
        try:
            start_from_bridge(grounder, frame_map(sources, config), query_map(config))
        except ValueError as error:
            raise DataError(
                f"{config.data.anchors}: {error}: set model.width to that of the anchors or more."
            ) from error
    return grounder


def conse_map(config: TrainConfig) -> Tensor:
    """The embedded encoder's features to their part in the query encoder's space: (384, Dv). Raises DataError."""
    if config.model.frame_width <= CONSE or config.model.width < CONSE or config.model.query_width != CONSE:
        raise DataError(
            f"model = {config.model} does not fit the encoder 'embedded': set frame_width to 1664, query_width to "
            f"{CONSE} and width to {CONSE} or more."
        )
    return torch.eye(config.model.frame_width)[-CONSE:]  # (384, Dv)


def ridge(inputs: Tensor, targets: Tensor, strength: float) -> Tensor:
    """The linear map from centered `inputs` (N, I) to centered `targets` (N, O), shrunk by `strength`: (O, I)."""
    inputs, targets = inputs - inputs.mean(dim=0), targets - targets.mean(dim=0)
    penalty = strength * torch.eye(inputs.shape[1])  # (I, I)
    return torch.linalg.solve(inputs.T @ inputs + penalty, inputs.T @ targets).T  # (O, I)


def set_centers(grounder: Grounder, sources: Sequence[Source], bank: QueryBank) -> None:
    """Centers the towers on the mean training frame and the mean training sentence."""
    frames = torch.cat([source.features for source in sources]).float()  # (N, Dv)
    grounder.frame_tower.center.copy_(frames.mean(dim=0))
    grounder.query_tower.center.copy_(bank.sentences.float().mean(dim=0))


def query_map(config: TrainConfig) -> Tensor:
    """Pooled queries to the anchors' space: (K, Dq)."""
    prompts, embeddings = read_anchors(config.data.anchors)
    sentences = encode_queries(prompts, keep=Path(f"{config.data.moments}.anchors.safetensors")).sentences  # (N, Dq)
    return ridge(sentences.float(), embeddings, QUERY_RIDGE)


def read_anchors(path: str | Path) -> tuple[list[str], Tensor]:
    """Prompts, and their embeddings (N, K). Raises DataError."""
    try:
        with np.load(path, allow_pickle=False) as file:
            prompts, embeddings = file["prompts"].tolist(), torch.from_numpy(file["embeddings"]).float()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} holds no anchors ({error}): give an npz file of prompts and their embeddings."
        ) from error
    if embeddings.ndim != 2 or len(prompts) != len(embeddings) or not torch.isfinite(embeddings).all():
        raise DataError(
            f"{path}: {len(prompts)} prompts need as many rows of finite embeddings, not {embeddings.shape}."
        )
    return prompts, embeddings


def frame_map(sources: Sequence[Source], config: TrainConfig) -> Tensor:
    """Frame features to the anchors' space: (K, Dv). Frames that lie there already are left alone."""
    data = config.data
    if not data.anchor_features:
        return torch.eye(config.model.frame_width)  # (Dv, Dv)
    width = read_anchors(data.anchors)[1].shape[1]
    store = PublishedFeatures(data.anchor_features, data.anchor_timestamps, "open_clip:", width)
    pairs = [(source.features.float(), seen_at(source, store)) for source in sources]
    return ridge(torch.cat([own for own, _ in pairs]), torch.cat([other for _, other in pairs]), FRAME_RIDGE)


def seen_at(source: Source, store: PublishedFeatures) -> Tensor:
    """What another tower saw of the same video, at the times of `source`: (T, K), linear between its own frames."""
    video = store.load(source.name)
    times, frames = source.timestamps.numpy(), video.features.astype(np.float32)  # (T,) and (S, K)
    place = np.interp(times, video.timestamps, np.arange(len(frames)))  # (T,), in frames
    before = np.floor(place).astype(int)  # (T,)
    after = np.minimum(before + 1, len(frames) - 1)  # (T,)
    rest = (place - before)[:, None].astype(np.float32)  # (T, 1)
    return torch.from_numpy((1 - rest) * frames[before] + rest * frames[after])  # (T, K)
