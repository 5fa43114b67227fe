"""Teaches a checkpoint where scenes meet, and writes that beside its weights.

    python -m training.scene_joins embedded MOMENTS.jsonl --features DIR

Videos of MOMENTS are joined at random, so which edges are joins is known for nothing (Chen et al., "Explore
Inter-Contrast Between Videos via Composition", AAAI 2022); no sentence, start or end time is read. Frame features are
projected to where frames of one video lie together and those of different ones apart, by linear discriminant analysis
of all videos. Two halves of the longer ones are joined, each seen through the projection of the other half, and small
networks learn from both what a join looks like; see `grounding.segments.scene_joins`.

Writes joins.safetensors and, into config.json, "scene_joins". The weights of the model do not matter to it. Run
`training.judge` after it: its rule is of segments as they are read with joins.
"""

import argparse
import json
import random
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from grounding.checkpoint import find_checkpoint, read_config
from grounding.errors import GroundingError
from grounding.files import hash_file
from grounding.segments.scene_joins import JOINS_FILE, REACH, WINDOWS, measure_profiles
from grounding.text import stop_quietly
from training.batches import CompositionConfig, Source, compose_sources
from training.export import write_config
from training.features import FeatureFolder
from training.files import DataError, write_whole
from training.moments import read_moments

WIDTH, RIDGE = 64, 0.3  # of the projection; the ridge in mean variances within videos
LONG = 16  # frames from which on a video is joined with others
COMPOSITIONS = CompositionConfig(fewest=3, most=7), CompositionConfig(fewest=3, most=7, crop=0.33)  # by turns
VIDEOS, NETWORKS, HIDDEN, EPOCHS, BATCH = 3000, 3, 32, 6, 512
DROPOUT, RATE, DECAY = 0.2, 1e-2, 1e-2
NEXT = 0.5  # how much the edges beside a join are one: between two frames of a video it may lie anywhere


def load_sources(moments: Path, store: FeatureFolder) -> list[Source]:
    """The videos of a moments file, once each. Raises DataError."""
    videos = dict.fromkeys(moment.video for moment in read_moments(moments))
    encoded = ((name, store.load(name)) for name in videos)
    return [
        Source(torch.from_numpy(video.features), torch.from_numpy(video.timestamps), (), name)
        for name, video in encoded
    ]


def fit_projection(sources: Sequence[Source]) -> Tensor:
    """Linear discriminant analysis (Fisher, 1936) of the frames of each video against the means of all: (Dv, WIDTH).

    A video counts by the square root of its number of frames, as in `fit_bridge`.
    """
    means = torch.stack([source.features.double().mean(dim=0) for source in sources])  # (S, Dv)
    within, total = torch.zeros(means.shape[1], means.shape[1], dtype=torch.double), 0.0  # (Dv, Dv)
    for source, mean in zip(sources, means, strict=True):
        count = len(source.features)
        if count > 1:
            apart = source.features.float() - mean.float()  # (T, Dv)
            within += (apart.T @ apart).double() * count**0.5 / (count - 1)
            total += count**0.5
    within /= max(total, 1e-12)
    eye = torch.eye(len(within), dtype=torch.double)
    root = torch.linalg.cholesky(within + RIDGE * within.trace() / len(within) * eye)  # (Dv, Dv)
    half = torch.linalg.solve_triangular(root, torch.cov(means.T), upper=False)  # (Dv, Dv)
    between = torch.linalg.solve_triangular(root, half.T, upper=False)  # (Dv, Dv), of frames whitened within videos
    _, directions = torch.linalg.eigh((between + between.T) / 2)
    return torch.linalg.solve_triangular(root.T, directions[:, -WIDTH:], upper=True).float()  # (Dv, WIDTH)


def draw_profiles(
    sources: Sequence[Source], projection: Tensor, count: int, rng: random.Random
) -> tuple[Tensor, Tensor]:
    """Edges of `count` composed videos, (P, W * E), and which of them are joins, (P,): 1, and NEXT beside one."""
    profiles, joins = [], []
    for number in range(count):
        composition = COMPOSITIONS[number % len(COMPOSITIONS)]
        chosen = rng.sample(sources, rng.randint(composition.fewest, composition.most))
        features, _, spans = compose_sources(chosen, composition, rng)
        seen = measure_profiles(features.numpy(), np.arange(len(features)), projection.numpy())  # (T - 1, W, E)
        joined = np.zeros(len(seen), dtype=np.float32)  # (T - 1,)
        edges = np.array([last - 1 for _, last in spans[:-1]])
        joined[np.concatenate([edges - 1, edges + 1])] = NEXT  # parts have several frames, so both are there
        joined[edges] = 1.0
        profiles.append(seen.reshape(len(seen), -1))
        joins.append(joined)
    return torch.from_numpy(np.concatenate(profiles)).float(), torch.from_numpy(np.concatenate(joins))


class Networks(nn.Module):
    """NETWORKS small networks side by side; their log odds of a join are averaged where they are used."""

    def __init__(self, mean: Tensor, spread: Tensor) -> None:
        super().__init__()
        sizes = [len(WINDOWS) * (2 * REACH + 1), HIDDEN, HIDDEN, 1]
        self.register_buffer("mean", mean)
        self.register_buffer("spread", spread)
        self.weights = nn.ParameterList(
            (2 * torch.rand(NETWORKS, inner, outer) - 1) / inner**0.5 for inner, outer in pairwise(sizes)
        )
        self.biases = nn.ParameterList(torch.zeros(NETWORKS, 1, outer) for outer in sizes[1:])
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, profiles: Tensor) -> Tensor:
        """(P, W * E) give log odds (NETWORKS, P)."""
        rows = (profiles - self.mean) / self.spread  # (P, W * E)
        last = len(self.weights) - 1
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            rows = rows @ weight + bias  # (N, P, O)
            rows = rows if number == last else self.dropout(rows.relu())
        return rows[..., 0]

    @torch.no_grad()
    def export(self) -> dict[str, Tensor]:
        """Weights and biases by name, as JoinDetector has them: mean and spread are in the first."""
        first = self.weights[0] / self.spread.unsqueeze(1)  # (N, W * E, O)
        weights = [first, *self.weights[1:]]
        biases = [self.biases[0] - (self.mean @ first).unsqueeze(1), *self.biases[1:]]
        kinds = {"weight": weights, "bias": biases}
        return {
            f"{kind}{number}": value.detach() for kind, values in kinds.items() for number, value in enumerate(values)
        }


def fit_networks(profiles: Tensor, joins: Tensor, seed: int = 0) -> Networks:
    """Networks that tell how much the edges (P, W * E) are joins, (P,) from 0 to 1."""
    torch.manual_seed(seed)
    networks = Networks(profiles.mean(dim=0), profiles.std(dim=0) + 1e-6).train()
    optimizer = torch.optim.AdamW(networks.parameters(), weight_decay=DECAY)
    steps = EPOCHS * -(-len(profiles) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(profiles)).split(BATCH):
            logits = networks(profiles[chosen])  # (N, B)
            loss = F.binary_cross_entropy_with_logits(logits, joins[chosen].expand_as(logits))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return networks.eval()


@torch.no_grad()
def measure_networks(networks: Networks, profiles: Tensor, joins: Tensor) -> dict[str, float]:
    """Percent of the joins that are likelier than not, and of what is likelier than not that lies at or beside one."""
    found = networks(profiles).mean(dim=0) > 0  # (P,)
    return {
        "joins found, percent": round(100 * float(found[joins == 1].float().mean()), 1),
        "found are joins, percent": round(100 * float((joins[found] > 0).float().mean()), 1),
    }


def learn_joins(sources: Sequence[Source], seed: int = 0) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Projection and layers by name, and how well networks of one half tell the joins of the other.

    Raises DataError if there are too few videos to join.
    """
    rng = random.Random(seed)
    order = rng.sample(list(sources), len(sources))
    halves = order[::2], order[1::2]
    longer = [[source for source in half if len(source.features) >= LONG] for half in halves]
    most = max(composition.most for composition in COMPOSITIONS)
    if min(map(len, longer)) < most:
        raise DataError(f"{sum(map(len, longer))} videos have {LONG} frames or more: give {2 * most} or more.")
    # What a projection has seen lies closer together than what it has not: each half is seen through the other's.
    drawn = [
        draw_profiles(videos, fit_projection(others), VIDEOS // 2, rng)
        for videos, others in zip(longer, reversed(halves), strict=True)
    ]
    measured = measure_networks(fit_networks(*drawn[0], seed), *drawn[1])
    networks = fit_networks(*(torch.cat(parts) for parts in zip(*drawn, strict=True)), seed)
    return networks.export() | {"projection": fit_projection(sources)}, measured


def learn_and_write(checkpoint: str, moments: Path, features: Path, seed: int) -> dict[str, float]:
    """The whole command. Raises GroundingError."""
    folder = find_checkpoint(checkpoint)
    config = read_config(folder)
    if not config.segments.windows:
        raise DataError(f"{folder} does not ask where scenes meet: set segments.windows in its config.json first.")
    store = FeatureFolder(features, config.frame_encoder, config.model.frame_width, config.rate)
    tensors, measured = learn_joins(load_sources(moments, store), seed)
    with write_whole(folder / JOINS_FILE) as part:
        save_file({name: tensor.half().contiguous() for name, tensor in tensors.items()}, part)
        config = replace(config, scene_joins=hash_file(part))
    write_config(config, folder)
    return measured


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", help="a name under checkpoints/, or a folder")
    parser.add_argument("moments", type=Path)
    parser.add_argument("--features", type=Path, required=True, help="folder of encoded videos")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    try:
        measured = learn_and_write(args.checkpoint, args.moments, args.features, args.seed)
    except GroundingError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(measured))
    return 0


if __name__ == "__main__":
    sys.exit(stop_quietly(main, "Stopped."))
