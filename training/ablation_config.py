"""What an ablation is: the variants of one method, and the cells in which each of them is trained and scored."""

import copy
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from grounding.segments.config import SegmentConfig
from training.config import TrainConfig, build
from training.files import DataError, describe_read_error, read_text, write_whole

METRICS = ("R@1,IoU=0.3", "R@1,IoU=0.5", "R@1,IoU=0.7", "R@5,IoU=0.5", "mIoU")
JUDGED = "R@1,IoU=0.5"
OPEN_WORLD = "open world"


@dataclass(frozen=True)
class Variant:
    """One row of the table: `set` maps dotted keys of the method's config to other values.

    `tested_by`, if given, are the anchors of another stand-in, which then reads the test queries: the transfer row.
    """

    name: str
    set: dict
    tested_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class AblationConfig:
    """An ablation as a TOML file.

    Attributes:
        config: TOML file of the full method, from which the variants differ.
        seeds: every variant is trained once for each, in every fold.
        annotations: Charades-STA with a fold for each video; every fold is the test set once. Or, instead:
        moments, features: a fixed test set, and the folder of its encoded videos.
        held_out: share of a fold's training videos by which the epoch is selected; 0 takes the last epoch.
        variants: the rows; the first is what the others are held against.
        decoders: more rows, read off the curves of the last variant without training.
        open_world: an npz file of sentences, their CLIP embeddings and the photos they were written for, and of more
            photos: see `training.open_world`. With it every row has a column that tells what a model forgot.
    """

    name: str
    config: str
    seeds: tuple[int, ...]
    variants: tuple[Variant, ...]
    decoders: tuple[Variant, ...] = ()
    annotations: str = ""
    moments: str = ""
    features: str = ""
    held_out: float = 0.0
    open_world: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.seeds or not self.variants:
            raise ValueError("seeds and variants must not be empty: give at least one of each")
        if bool(self.annotations) == bool(self.moments and self.features):
            raise ValueError("annotations, or moments with features, must be given, and not both")
        if not 0 <= self.held_out < 0.5:
            raise ValueError(f"held_out must be a share from 0 to 0.5, not {self.held_out}")


def read_ablation(path: str | Path) -> AblationConfig:
    """Reads a TOML file. Raises DataError naming the file and the remedy."""
    return _build_config(AblationConfig, read_table(path), path)


def read_table(path: str | Path) -> dict[str, Any]:
    """A TOML file as a table. Raises DataError naming the file."""
    try:
        return tomllib.loads(read_text(path))
    except (OSError, ValueError) as error:
        reason = describe_read_error(error)
        raise DataError(f"{path} cannot be read ({reason}): give a TOML file, as in training/configs.") from error


def vary(table: Mapping[str, Any], changes: Mapping[str, Any], where: str | Path) -> TrainConfig:
    """The config that `table` holds, with `changes` by dotted key. Raises DataError for a key that is unknown."""
    varied = copy.deepcopy(dict(table))
    for key, value in changes.items():
        *parents, last = key.split(".")
        inner = varied
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[last] = value
    return _build_config(TrainConfig, varied, where)


def vary_segments(segments: SegmentConfig, changes: Mapping[str, Any], where: str | Path) -> SegmentConfig:
    """`segments` with `changes` by key. Raises DataError for a key that is unknown."""
    table = {key: list(value) if isinstance(value, tuple) else value for key, value in vars(segments).items()}
    return _build_config(SegmentConfig, table | dict(changes), where)


def _build_config(kind: Any, table: Mapping[str, Any], where: str | Path) -> Any:
    try:
        return build(kind, dict(table), "")
    except ValueError as error:
        raise DataError(f"{where}: {error}.") from error


Scores = Mapping[str, Mapping[tuple[int, int], Mapping[str, float]]]  # by variant, then by (fold, seed)


def format_table(scores: Scores, counts: Mapping[int, int]) -> str:
    """The table: mean over seeds and spread, folds weighted by their queries, and the paired gain on the first row.

    Args:
        scores: percentages by metric.
        counts: queries of each fold.
    """
    first = next(iter(scores))
    metrics = [name for name in (*METRICS, OPEN_WORLD) if all(name in row for row in scores[first].values())]
    head = ["variant", *(name.replace(",", " ") for name in metrics), f"gain at {JUDGED.replace(',', ' ')}"]
    rows = [head, ["---"] * len(head)]
    for name, cells in scores.items():
        seeds = average_by_seed(cells, counts)
        over_seeds = [format_spread([value[metric] for value in seeds if metric in value]) for metric in metrics]
        gain = "" if name == first else format_gain(cells, scores[first])
        rows.append([name, *over_seeds, gain])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def average_by_seed(
    cells: Mapping[tuple[int, int], Mapping[str, float]], counts: Mapping[int, int]
) -> list[dict[str, float]]:
    """For each seed the metrics over all queries of its folds."""
    seeds = sorted({seed for _, seed in cells})
    return [_average_folds({fold: value for (fold, s), value in cells.items() if s == seed}, counts) for seed in seeds]


def _average_folds(folds: Mapping[int, Mapping[str, float]], counts: Mapping[int, int]) -> dict[str, float]:
    total = sum(counts[fold] for fold in folds)
    known = [name for name in (*METRICS, OPEN_WORLD) if all(name in value for value in folds.values())]
    return {name: sum(value[name] * counts[fold] for fold, value in folds.items()) / total for name in known}


def format_spread(values: Sequence[float]) -> str:
    """Mean and, of more than one value, standard deviation: "61.2 ± 0.4"."""
    if not values:
        return ""
    return f"{mean(values):.1f}" + (f" ± {stdev(values):.1f}" if len(values) > 1 else "")


def format_gain(cells: Mapping, base: Mapping) -> str:
    """Mean difference over the cells that both have, in points, and its standard error."""
    gains = [cells[cell][JUDGED] - base[cell][JUDGED] for cell in cells if cell in base]
    error = f" ± {stdev(gains) / len(gains) ** 0.5:.1f}" if len(gains) > 1 else ""
    return f"{mean(gains):+.1f}{error}" if gains else ""


def write_json(path: Path, values: Any) -> None:
    """Writes JSON, whole or not at all. Raises DataError."""
    with write_whole(path) as part:
        part.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
