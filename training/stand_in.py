"""Fits the stand-in, which reads queries where CLIP's text tower is not at hand.

The anchors are texts whose CLIP embeddings are known. MiniLM's sentence embeddings of them are mapped to CLIP's by
ridge regression, every file of anchors weighing the same, or the many short prompts would drown the few sentences. For
another CLIP tower than the anchors', that map goes on through a ridge regression of its frames on what the anchors'
tower saw of the same videos. The mean of CLIP's texts is known in the anchors' space alone: elsewhere it is left at 0.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from grounding.encoders.registry import QueryEncoder, is_at_hand, load_query_encoder
from grounding.encoders.stand_in import StandIn
from training.batches import QueryBank, Source
from training.config import TrainConfig
from training.distributed import ALONE, Team
from training.features import PublishedFeatures
from training.files import READ_ERRORS, DataError, describe_read_error, read_arrays
from training.sources import encode_queries

TEXT_RIDGE = 10.0  # chosen on Charades videos held out of the training folds, with the weights below
FRAME_RIDGE = 10.0


def find_text_tower(config: TrainConfig, weights: Path | None = None, team: Team = ALONE) -> QueryEncoder | None:
    """CLIP's own text tower, None where its weights are neither given nor in the cache or on a hub in reach. The
    process of rank 0 decides for all.

    Raises EncoderError where there are weights that cannot be used, such as damaged ones.
    """
    if not config.model.joint:
        return None
    at_hand = weights is not None or (is_at_hand(config.frame_encoder, download=True) if team.main else None)
    if not team.broadcast(at_hand):
        return None
    with team.main_first():  # which downloads them
        return load_query_encoder(config.frame_encoder, weights=weights)


def drop_adapter(config: TrainConfig) -> TrainConfig:
    """`config` for training with CLIP's text tower, which stays as it is: without the adapter to the stand-in."""
    return replace(config, model=replace(config.model, adapter=False))


def fit_stand_in(
    config: TrainConfig,
    sources: Sequence[Source],
    text_tower: QueryEncoder | None = None,
    bank: QueryBank | None = None,
) -> StandIn:
    """The stand-in for the text tower that belongs to the config's frame encoder. No start or end time is read.

    With the `text_tower` at hand its own embeddings of the anchors are what is fitted, or, where the config names no
    anchors, of the training sentences in `bank`.

    Raises DataError if the anchors cannot be read or do not fit the model.
    """
    text_map, sentence_mean, text_mean = fit_text_map(config, text_tower, bank)  # (K, 384), (384,), (K,)
    width = config.model.width
    if config.data.anchor_features and text_tower is None:
        own, other = pair_frames(sources, config, len(text_mean))  # (N, D) and (N, K)
        text_map, text_mean = fit_ridge(other, own, FRAME_RIDGE) @ text_map, torch.zeros(width)  # (D, 384), (D,)
    if len(text_mean) != width:
        raise DataError(
            f"{', '.join(config.data.anchors)}: embeddings of width {len(text_mean)} for a model of width {width}: "
            "set data.anchor_features to frames of the anchors' tower, or give anchors of this one."
        )
    return StandIn(text_map, sentence_mean, text_mean)


def read_by(reader: StandIn | QueryEncoder | None, bank: QueryBank) -> QueryBank:
    """The queries as the stand-in or CLIP's text tower reads them, one token (1, D) each; without a reader they stay
    as they are."""
    if reader is None:
        return bank
    if isinstance(reader, StandIn):
        return replace(bank, tokens=list(reader.map_sentences(bank.sentences).unsqueeze(1)))
    return replace(bank, tokens=list(reader.encode(bank.texts).tokens))


def fit_text_map(
    config: TrainConfig, text_tower: QueryEncoder | None = None, bank: QueryBank | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """The map of centred sentences to centred CLIP texts (K, 384), and the two centers (384,) and (K,)."""
    if text_tower and bank and not config.data.anchors:
        texts, sentences, weights = bank.texts, bank.sentences.float(), torch.ones(len(bank.texts))
    else:
        sentences, embeddings, weights = load_anchors(config)  # (N, 384), (N, K), (N,)
        texts = [text for path in config.data.anchors for text in read_anchors(path)[0]]
    if text_tower:
        embeddings = F.normalize(text_tower.encode(texts).tokens[:, 0], dim=-1)  # (N, K)
    means = [weights @ rows / weights.sum() for rows in (sentences, embeddings)]  # (384,) and (K,)
    return fit_ridge(sentences, embeddings, TEXT_RIDGE, weights), *means


def load_anchors(config: TrainConfig) -> tuple[Tensor, Tensor, Tensor]:
    """All anchors: MiniLM sentence embeddings (N, 384), CLIP embeddings (N, K) of unit length, and weights (N,).

    Raises DataError.
    """
    if not config.data.anchors:
        raise DataError(
            "data.anchors is empty: where CLIP's weights are not at hand, a model in its joint space needs texts with "
            "their CLIP embeddings. Name some, or give the weights by --weights."
        )
    return _load_anchors(config.data.anchors)


@lru_cache(maxsize=4)  # an ablation asks for the same ones in every cell
def _load_anchors(paths: tuple[str, ...]) -> tuple[Tensor, Tensor, Tensor]:
    read = [read_anchors(path) for path in paths]
    if len({embeddings.shape[1] for _, embeddings in read}) > 1:
        raise DataError(f"{', '.join(paths)}: embeddings of several widths: give those of one tower.")
    sentences = encode_queries([text for texts, _ in read for text in texts]).sentences  # (N, 384)
    count = sum(len(texts) for texts, _ in read)
    weights = [torch.full((len(texts),), count / len(read) / len(texts)) for texts, _ in read]
    return sentences.float(), F.normalize(torch.cat([rows for _, rows in read]), dim=-1), torch.cat(weights)


def read_anchors(path: str | Path) -> tuple[list[str], Tensor]:
    """Texts, and their CLIP embeddings (N, K), from an npz file of `prompts` and `embeddings`, or `sentences` and
    `text`. Raises DataError."""
    try:
        file = read_arrays(path, "prompts", "embeddings", "sentences", "text")
        names = ("prompts", "embeddings") if "prompts" in file else ("sentences", "text")
        texts, embeddings = file[names[0]].tolist(), torch.from_numpy(file[names[1]]).float()
    except READ_ERRORS as error:
        reason = describe_read_error(error)
        raise DataError(
            f"{path} holds no anchors ({reason}): give an npz file of texts and their embeddings."
        ) from error
    if embeddings.ndim != 2 or len(texts) != len(embeddings) or not torch.isfinite(embeddings).all():
        raise DataError(f"{path}: {len(texts)} texts need as many rows of finite embeddings, not {embeddings.shape}.")
    return texts, embeddings


def fit_ridge(inputs: Tensor, targets: Tensor, strength: float, weights: Tensor | None = None) -> Tensor:
    """The linear map from centered `inputs` (N, I) to centered `targets` (N, O), shrunk by `strength`: (O, I).

    `weights` (N,) say how much each pair counts; without them each counts 1.
    """
    weights = torch.ones(len(inputs)) if weights is None else weights  # (N,)
    inputs, targets = (rows - weights @ rows / weights.sum() for rows in (inputs, targets))
    weighted = inputs * weights.unsqueeze(1)  # (N, I)
    penalty = strength * torch.eye(inputs.shape[1])  # (I, I)
    return torch.linalg.solve(weighted.T @ inputs + penalty, weighted.T @ targets).T  # (O, I)


def pair_frames(sources: Sequence[Source], config: TrainConfig, width: int) -> tuple[Tensor, Tensor]:
    """Frames of all sources (N, Dv), and what the anchors' tower saw at the same times (N, `width`)."""
    store = PublishedFeatures(config.data.anchor_features, config.data.anchor_timestamps, "open_clip:", width)
    others = [interpolate_frames(source, store) for source in sources]
    return torch.cat([source.features.float() for source in sources]), torch.cat(others)


def interpolate_frames(source: Source, store: PublishedFeatures) -> Tensor:
    """What another tower saw of the same video, at the times of `source`: (T, K), linear between its own frames."""
    video = store.load(source.name)
    times, frames = source.timestamps.numpy(), video.features.astype(np.float32)  # (T,) and (S, K)
    place = np.interp(times, video.timestamps, np.arange(len(frames)))  # (T,), in frames
    before = np.floor(place).astype(int)  # (T,)
    after = np.minimum(before + 1, len(frames) - 1)  # (T,)
    rest = (place - before)[:, None].astype(np.float32)  # (T, 1)
    return torch.from_numpy((1 - rest) * frames[before] + rest * frames[after])  # (T, K)
