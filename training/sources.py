"""What a run learns from, loaded: features and encoded queries."""

import hashlib
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from grounding.encoders.packaged_weights import MINILM
from grounding.encoders.registry import load_query_encoder
from training.batches import QueryBank, Source
from training.config import TrainConfig
from training.distributed import ALONE, Team
from training.features import open_features
from training.files import DataError, write_whole
from training.moments import Moment, read_moments


def load_sources(config: TrainConfig, team: Team = ALONE) -> tuple[list[Source], QueryBank]:
    """The videos of a moments file with their features and queries.

    Start and end times are not read, unless the config asks for full supervision.

    The encoded queries are kept beside the moments file, see `encode_queries`; of several processes one encodes them.

    Raises:
        DataError: a broken line, a video without features, features of another width or encoder.
    """
    queries: dict[str, int] = {}
    by_video: dict[str, list[int]] = defaultdict(list)
    spans: dict[str, list[tuple[float, float]]] = defaultdict(list)
    durations: dict[str, float] = {}
    for moment in read_moments(Path(config.data.moments)):
        durations.setdefault(moment.video, moment.duration)
        by_video[moment.video].append(queries.setdefault(moment.query, len(queries)))
        if config.data.supervised:
            spans[moment.video].append(require_span(moment, config))
    store = open_features(config.data, config.frame_encoder, config.model.frame_width, config.rate)
    sources = []
    for video, indices in by_video.items():
        encoded = store.load(video, durations[video])
        features = torch.from_numpy(encoded.features)  # (T, Dv)
        timestamps = torch.from_numpy(encoded.timestamps).float()  # (T,)
        sources.append(Source(features, timestamps, tuple(indices), video, tuple(spans[video])))
    with team.main_first():
        bank = encode_queries(list(queries), keep=path_from_moments(config.data.moments))
    return sources, bank


def require_span(moment: Moment, config: TrainConfig) -> tuple[float, float]:
    """Start and end, for full supervision. Raises DataError where there are none, or videos are composed or cut."""
    composition = config.composition
    if composition.most > 1 or composition.crop < 1 or composition.shortest > 1:
        raise DataError("data.supervised takes whole videos: set composition.fewest, most, crop and shortest to 1.")
    if moment.start is None or moment.end is None:
        raise DataError(
            f"{config.data.moments}: {moment.video} has a moment without start and end to be supervised by."
        )
    return moment.start, moment.end


def path_from_moments(moments: str | Path) -> Path:
    """Where the encoded queries of a moments file are kept."""
    return Path(f"{moments}.queries.safetensors")


def encode_queries(queries: list[str], device: str = "auto", keep: Path | None = None) -> QueryBank:
    """Every query's tokens, in half precision, and its sentence embedding.

    `keep` names a file to read them from, where it holds these very queries, and else to keep them in.
    """
    key = _hash_queries(queries)
    bank = _read_queries(keep, key) if keep else None
    if bank is None:
        bank = _encode(queries, device)
        if keep:
            _write_queries(keep, key, bank)
    return replace(bank, texts=tuple(queries))


def _encode(queries: list[str], device: str) -> QueryBank:
    encoder = load_query_encoder(device=device)
    tokens, sentences = [], []
    for start in range(0, len(queries), 512):
        encoded = encoder.encode(queries[start : start + 512])
        tokens += [row[keep].half() for row, keep in zip(encoded.tokens, encoded.mask, strict=True)]
        sentences.append(encoded.pool_sentences())
    return QueryBank(tokens, torch.cat(sentences))


def _hash_queries(queries: Sequence[str]) -> str:
    """What tells one list of queries, encoded by these weights, from any other."""
    return hashlib.sha256("\0".join([MINILM.sha256, *queries]).encode(errors="surrogatepass")).hexdigest()


def _read_queries(path: Path, key: str) -> QueryBank | None:
    """The queries kept in `path`; None if it is missing, damaged, or holds others."""
    try:
        with safe_open(path, "pt") as file:
            if (file.metadata() or {}).get("key") != key:
                return None
            tokens, lengths, sentences = (file.get_tensor(name) for name in ("tokens", "lengths", "sentences"))
        return QueryBank(list(tokens.split(lengths.tolist())), sentences)
    except (OSError, SafetensorError, RuntimeError):
        return None


def _write_queries(path: Path, key: str, bank: QueryBank) -> None:
    lengths = torch.tensor([len(row) for row in bank.tokens])  # (Q,)
    tensors = {"tokens": torch.cat(bank.tokens), "lengths": lengths, "sentences": bank.sentences}
    try:
        with write_whole(path) as part:
            save_file(tensors, part, {"key": key})
    except DataError as error:  # a folder that is only read from: training needs no more
        print(f"{error} Until then every run encodes its queries anew.", file=sys.stderr)
