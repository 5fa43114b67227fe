"""A training run as a TOML file, read into frozen dataclasses that know every key."""

import dataclasses
import math
import tomllib
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grounding.checkpoint import GrounderConfig
from grounding.segments.config import SegmentConfig
from grounding.validation import check_ranges
from training.batches import CompositionConfig
from training.files import DataError, describe_read_error, read_text
from training.objective import ObjectiveConfig


@dataclass(frozen=True)
class DataConfig:
    """What a run learns from; paths are relative to the folder that the command runs in.

    Attributes:
        moments: a moments file; only its videos and queries are read.
        features: a folder of features, or a published file with one tensor per video.
        timestamps: the published file with the timestamps, where `features` is a file.
        anchors: npz files of texts and their CLIP embeddings, on which the stand-in is fitted, see `training.stand_in`.
        anchor_features, anchor_timestamps: published features of the same videos in that space, where the checkpoint
            reads another tower's; see `training.initialization`.
        supervised: whether start and end are read, for the line that full supervision draws beside the others: each
            query's part is then its moment.
        validation: moments with start and end; the epoch that scores best on them is kept. Without it the last is.
    """

    moments: str
    features: str
    timestamps: str = ""
    anchors: tuple[str, ...] = ()
    anchor_features: str = ""
    anchor_timestamps: str = ""
    validation: str = ""
    supervised: bool = False


@dataclass(frozen=True)
class BridgeConfig:
    """Where the two projections start, see `training.initialization`.

    Attributes:
        ridge: strength of a ridge regression of sentences on videos, fitted on the training pairs; 0 fits none.
        whitening: exponent by which the directions in which sentences vary are evened out, 0 for not, 1 for fully.
    """

    ridge: float = 0.0
    whitening: float = 0.6

    def __post_init__(self) -> None:
        values = {"ridge": self.ridge, "whitening": self.whitening}
        check_ranges(self, {name: (0 <= value < math.inf, "0 or more") for name, value in values.items()})


@dataclass(frozen=True)
class TrainConfig:
    """A training run.

    Attributes:
        name: of the checkpoint.
        summary: one line on what it is good at.
        baseline: the checkpoint that the demo shows beside it, see `grounding.checkpoint`.
        frame_encoder: whose features it reads.
        rate: frames sampled a second.
        description: of the training data, for the checkpoint's config.
        data, model, bridge, composition, objective, segments: see their classes.
        seed: of everything random.
        epochs: passes over the videos.
        videos: composed videos per batch.
        learning_rate, weight_decay: of AdamW; the rate warms up over a tenth of the run and falls along a cosine.
        averaging: decay of the weights' moving average, which is what is kept (Polyak averaging).
        interpolation: share of the way from where training starts to its weights that is kept; below 1 it keeps more of
            what was known before (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022).
        general_center: in CLIP's joint space, how far the center of the queries is moved after training, from the mean
            training sentence (0) to the mean of all the stand-in's texts (1), for queries about anything else.
        freeze_queries: whether the query tower stays as it starts, so that what it knows of other words stays known.
    """

    name: str
    frame_encoder: str
    data: DataConfig
    model: GrounderConfig
    summary: str = ""
    baseline: str = ""
    description: str = ""
    rate: float = 2.0
    bridge: BridgeConfig = field(default_factory=BridgeConfig)
    composition: CompositionConfig = field(default_factory=CompositionConfig)
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    segments: SegmentConfig = field(default_factory=SegmentConfig)
    seed: int = 0
    epochs: int = 40
    videos: int = 12
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    averaging: float = 0.99
    interpolation: float = 1.0
    general_center: float = 0.0
    freeze_queries: bool = False

    def __post_init__(self) -> None:
        check_ranges(
            self,
            {
                "rate": (0 < self.rate < 1000, "above 0 and below 1000"),
                "seed": (0 <= self.seed < 2**32, "from 0 on and below 2 ** 32"),
                "epochs": (0 <= self.epochs <= 100_000, "from 0 to 100,000"),
                "videos": (self.videos >= 1, "1 or more"),
                "learning_rate": (0 < self.learning_rate < math.inf, "above 0"),
                "weight_decay": (0 <= self.weight_decay < math.inf, "0 or more"),
                "interpolation": (0 < self.interpolation <= 1, "above 0 and at most 1"),
                "general_center": (0 <= self.general_center <= 1, "from 0 to 1"),
                "averaging": (0 <= self.averaging < 1, "from 0 on and below 1"),
            },
        )


def build(kind: Any, value: Any, path: str) -> Any:
    """`value` from TOML as `kind`, with all it holds. Raises ValueError that begins with `path`, the full key."""
    if dataclasses.is_dataclass(kind):
        return _build_dataclass(kind, value, path)
    if typing.get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise ValueError(f"{path} must be a list, not {value!r}")
        return tuple(build(typing.get_args(kind)[0], item, path) for item in value)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise ValueError(f"{path} must be of type {kind.__name__}, not {value!r}")
    return value


def _build_dataclass(kind: Any, table: Any, path: str) -> Any:
    if not isinstance(table, dict):
        raise ValueError(f"{path} must be a table, not {table!r}")
    inner = f"{path}." if path else ""
    hints = typing.get_type_hints(kind)
    for key in table:
        if key not in hints:
            raise ValueError(f"{inner}{key} is unknown: use one of {', '.join(hints)}")
    for spec in dataclasses.fields(kind):
        required = spec.default is dataclasses.MISSING and spec.default_factory is dataclasses.MISSING
        if required and spec.name not in table:
            raise ValueError(f"{inner}{spec.name} is missing: add it")
    values = {key: build(hints[key], value, f"{inner}{key}") for key, value in table.items()}
    try:
        return kind(**values)
    except ValueError as error:  # begins with the name of a field
        raise ValueError(f"{inner}{error}") from error


def read_train_config(path: str | Path) -> TrainConfig:
    """Reads a TOML file. Raises DataError naming the file, the line where it is known, and the remedy."""
    try:
        text = read_text(path)
    except (OSError, UnicodeDecodeError) as error:
        reason = describe_read_error(error)
        raise DataError(f"{path} cannot be read ({reason}): give a TOML file, as in training/configs.") from error
    try:
        return build(TrainConfig, tomllib.loads(text), "")
    except ValueError as error:
        raise DataError(f"{path}{_find_line(error, text)}: {error}.") from error


def _find_line(error: ValueError, text: str) -> str:
    """Where the key stands that an error begins with: in its table, or else anywhere, as in an inline table."""
    table, _, key = str(error).split(" ", 1)[0].rpartition(".")
    found, section = {}, ""
    for number, line in enumerate(text.splitlines(), 1):
        section = line.strip().strip("[]") if line.startswith("[") else section
        if line.split("=")[0].strip() == key:
            found.setdefault(section, number)
    line = found.get(table) or next(iter(found.values()), None)
    return f", line {line}" if line else ""


def check_sizes(config: TrainConfig, videos: int, processes: int) -> None:
    """Raises DataError if there are too few videos to compose, or to share out."""
    fewest = config.composition.fewest
    if videos < fewest * processes:
        raise DataError(
            f"{videos} videos in {config.data.moments} are too few to compose {fewest} of them in each of {processes} "
            "processes: add videos, or set composition.fewest lower."
        )
    if config.videos < processes:
        raise DataError(f"videos = {config.videos} leaves some of {processes} processes without one: set it higher.")
