"""Batches for training: videos composed of parts, and one query for each part.

Composing a training video from several others gives boundaries for nothing (Chen et al., "Explore Inter-Contrast
Between Videos via Composition", AAAI 2022): which part a sentence was written for is known, and no start or end time
is read.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from grounding.validation import check_ranges


@dataclass(frozen=True)
class Source:
    """A training video.

    Attributes:
        features: (T, Dv).
        timestamps: (T,) seconds.
        queries: indices of its queries.
        name: of the video.
        moments: start and end of each query in seconds, for full supervision alone; empty otherwise.
    """

    features: Tensor
    timestamps: Tensor
    queries: tuple[int, ...]
    name: str = ""
    moments: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class QueryBank:
    """All training queries, encoded once: `tokens` a list of (N, Dq), `sentences` (Q, Dq) of unit length, `texts`."""

    tokens: list[Tensor]
    sentences: Tensor
    texts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Batch:
    """V composed videos and Q parts, each part with the query that was written for it.

    Attributes:
        features: (V, T, Dv), zero-padded.
        mask: (V, T), True at real frames.
        timestamps: (V, T) seconds.
        tokens: (Q, N, Dq), zero-padded.
        token_mask: (Q, N), True at real tokens.
        sentences: (Q, Dq), to tell near-same queries by.
        owner: (Q,) the video that holds the part.
        inside: (Q, T), True at the frames of the part in that video.
    """

    features: Tensor
    mask: Tensor
    timestamps: Tensor
    tokens: Tensor
    token_mask: Tensor
    sentences: Tensor
    owner: Tensor
    inside: Tensor

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on another device."""
        return Batch(**{name: value.to(device) for name, value in vars(self).items()})


@dataclass(frozen=True)
class CompositionConfig:
    """How training videos are joined.

    Attributes:
        fewest: parts of a composed video, at least; with 1 and 1 nothing is composed.
        most: parts of a composed video, at most.
        crop: the smallest share of a part that is kept when it is cut at random; 1 keeps parts whole. Cut only parts
            that their queries describe from beginning to end.
        shortest: frames of a part before it is cut, at least: where a video has fewer, each is held for several, lest
            the frames of a part see more of its neighbours than of itself.
    """

    fewest: int = 3
    most: int = 7
    crop: float = 1.0
    shortest: int = 1

    def __post_init__(self) -> None:
        check_ranges(
            self,
            {
                "fewest": (1 <= self.fewest <= self.most, f"from 1 to most, which is {self.most}"),
                "crop": (0 < self.crop <= 1, "above 0 and at most 1"),
                "shortest": (1 <= self.shortest <= 10_000, "from 1 to 10,000"),
            },
        )


def draw_groups(count: int, config: CompositionConfig, rng: random.Random) -> list[list[int]]:
    """The indices below `count` in random order, cut into groups of `fewest` to `most`; a small rest is dropped."""
    order = list(range(count))
    rng.shuffle(order)
    cut = []
    while len(order) >= config.fewest:
        size = min(rng.randint(config.fewest, config.most), len(order))
        cut.append(order[:size])
        order = order[size:]
    return cut


def hold_frames(source: Source, shortest: int) -> tuple[Tensor, Tensor]:
    """Features (t, Dv) and timestamps (t,) of a source, each frame held for as many as make it `shortest` at least."""
    times, count = source.timestamps, len(source.timestamps)
    repeats = -(-shortest // count)
    if repeats <= 1:
        return source.features, times
    step = float(times[-1] - times[0]) / (count - 1) if count > 1 else 1.0
    return source.features.repeat_interleave(repeats, dim=0), torch.arange(count * repeats) * step


def crop_source(source: Source, config: CompositionConfig, rng: random.Random) -> tuple[Tensor, Tensor]:
    """A random stretch of a source: features (t, Dv) and timestamps (t,) from 0."""
    features, timestamps = hold_frames(source, config.shortest)
    count = len(features)
    keep = rng.randint(max(1, round(count * config.crop)), count)
    first = rng.randint(0, count - keep)
    stretch = slice(first, first + keep)
    return features[stretch].float(), timestamps[stretch] - timestamps[first]


def compose_sources(
    sources: Sequence[Source], config: CompositionConfig, rng: random.Random
) -> tuple[Tensor, Tensor, list]:
    """Joins sources: features (T, Dv), timestamps (T,), and (first, last) frame indices of every part."""
    features, timestamps, spans = [], [], []
    frames, seconds = 0, 0.0
    for source in sources:
        part, times = crop_source(source, config, rng)
        step = float(times[-1] / (len(times) - 1)) if len(times) > 1 else 1.0
        features.append(part)
        timestamps.append(times + seconds)
        spans.append((frames, frames + len(part)))
        frames += len(part)
        seconds += float(times[-1]) + step
    return torch.cat(features), torch.cat(timestamps), spans


def narrow_to_moment(span: tuple[int, int], source: Source, pick: int) -> tuple[int, int]:
    """A whole source's (first, last) frame indices narrowed to a query's moment, where the source knows moments."""
    if not source.moments:
        return span
    start, end = source.moments[pick]
    first = int((source.timestamps < start).sum())
    last = int((source.timestamps < end).sum())
    first = min(first, len(source.timestamps) - 1)
    return span[0] + first, span[0] + max(last, first + 1)  # at least one frame


def collate(
    joined: Sequence[Sequence[int]],
    sources: Sequence[Source],
    bank: QueryBank,
    config: CompositionConfig,
    rng: random.Random,
) -> Batch:
    """One batch from groups of source indices; each part brings one of its queries, drawn at random."""
    videos, chosen, owner, spans = [], [], [], []
    for number, group in enumerate(joined):
        features, timestamps, parts = compose_sources([sources[index] for index in group], config, rng)
        videos.append((features, timestamps))
        picks = [rng.choice(range(len(sources[index].queries))) for index in group]
        chosen += [sources[index].queries[pick] for index, pick in zip(group, picks, strict=True)]
        owner += [number] * len(group)
        spans += [
            narrow_to_moment(part, sources[index], pick) for part, index, pick in zip(parts, group, picks, strict=True)
        ]
    features = pad_sequence([video for video, _ in videos], batch_first=True)  # (V, T, Dv)
    timestamps = pad_sequence([times for _, times in videos], batch_first=True)  # (V, T)
    tokens = pad_sequence([bank.tokens[query].float() for query in chosen], batch_first=True)  # (Q, N, Dq)
    position = torch.arange(features.shape[1])  # (T,)
    first, last = torch.tensor(spans).unsqueeze(-1).unbind(dim=1)  # (Q, 1) each
    return Batch(
        features=features,
        mask=position < torch.tensor([[len(times)] for _, times in videos]),
        timestamps=timestamps,
        tokens=tokens,
        token_mask=torch.arange(tokens.shape[1]) < torch.tensor([[len(bank.tokens[query])] for query in chosen]),
        sentences=bank.sentences[torch.tensor(chosen)],
        owner=torch.tensor(owner),
        inside=(position >= first) & (position < last),
    )


def draw_batches(
    sources: Sequence[Source],
    bank: QueryBank,
    config: CompositionConfig,
    videos: int,
    seed: int,
    epoch: int,
    rank: int = 0,
    count: int = 1,
) -> Iterator[Batch]:
    """One epoch: every source once, `videos` composed videos at a time. The same arguments give the same batches.

    Of `count` processes the one of `rank` gets its share of each batch; all join the same videos and each draws its own
    cuts. A last batch with fewer videos than processes is left out.
    """
    rng = random.Random(f"{seed}/{epoch}")
    joined = draw_groups(len(sources), config, rng)
    if count > 1:
        rng = random.Random(f"{seed}/{epoch}/{rank}")
    for start in range(0, len(joined), videos):
        batch = joined[start : start + videos]
        if len(batch) >= count:
            yield collate(batch[rank::count], sources, bank, config, rng)
