"""What a run learns from, loaded: features and encoded queries."""

from collections import defaultdict
from pathlib import Path

import torch

from grounding.encoders import load_query_encoder
from training.config import TrainConfig
from training.data import QueryBank, Source
from training.features import open_features
from training.moments import read_moments


def load_sources(config: TrainConfig) -> tuple[list[Source], QueryBank]:
    """The videos of a moments file with their features and queries; start and end times are not read.

    Raises:
        DataError: a broken line, a video without features, features of another width or encoder.
    """
    queries: dict[str, int] = {}
    by_video: dict[str, list[int]] = defaultdict(list)
    for moment in read_moments(Path(config.data.moments)):
        by_video[moment.video].append(queries.setdefault(moment.query, len(queries)))
    store = open_features(config.data, config.frame_encoder, config.model.frame_width, config.rate)
    sources = []
    for video, indices in by_video.items():
        encoded = store.load(video)
        features = torch.from_numpy(encoded.features)  # (T, Dv)
        timestamps = torch.from_numpy(encoded.timestamps).float()  # (T,)
        sources.append(Source(features, timestamps, tuple(indices)))
    return sources, encode_queries(list(queries))


def encode_queries(queries: list[str], device: str = "auto") -> QueryBank:
    """Every query's tokens, kept in half precision, and its sentence embedding."""
    encoder = load_query_encoder(device=device)
    tokens, sentences = [], []
    for start in range(0, len(queries), 512):
        encoded = encoder.encode(queries[start : start + 512])
        tokens += [row[keep].half() for row, keep in zip(encoded.tokens, encoded.mask, strict=True)]
        sentences.append(encoded.sentence_embeddings())
    return QueryBank(tokens, torch.cat(sentences))
