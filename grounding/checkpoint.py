"""A checkpoint: config.json, which names everything the weights depend on, and model.safetensors.

Torch takes seconds to load, so what needs it imports it in functions: lists of checkpoints are read without.
"""

import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from grounding.errors import CheckpointError, FeaturesError
from grounding.features.encoded_video import EncodedVideo
from grounding.files import hash_file, load_tensors
from grounding.segments.config import SegmentConfig
from grounding.segments.scene_joins import JOINS_FILE, JoinDetector, detector_from_tensors
from grounding.segments.stand_out import BACKGROUND_FILE, StandOutRule
from grounding.text import describe_type
from grounding.validation import check_ranges

if TYPE_CHECKING:
    from torch import Tensor

    from grounding.model import Grounder

WIDEST, MIN_CENTERS = 65536, 4
CHECKPOINTS = Path(__file__).resolve().parent.parent / "checkpoints"


@dataclass(frozen=True)
class GrounderConfig:
    """Sizes of the grounder.

    Attributes:
        frame_width: width of the frame features, Dv.
        query_width: width of the query tokens, Dq.
        width: width D of the space where frames and queries meet.
        context: frames that a frame sees around itself, an odd number; 1 is none.
        dropout: share of features dropped in training.
        blur: standard deviation of the Gaussian that features are averaged with over time, frames; 0 is none.
        centered: whether a fixed center, which training finds, is taken off features and pooled queries.
        joint: whether frames and queries come from the two towers of one model, as CLIP's do, and so meet already: the
            frame side starts as the identity, and of queries the center is taken off and nothing is trained. The three
            widths are then the same.
        adapter: in a joint space, whether a linear map of the queries that a stand-in reads is trained along, from the
            identity on. What CLIP's text tower reads goes past it: see `Matcher.change_reader`.
        sentence_centers: centers of the training sentences, to which a frame's match is taken off its scores in part,
            see model.hold_back; 0 is none.
    """

    frame_width: int
    query_width: int = 384
    width: int = 512
    context: int = 5
    dropout: float = 0.3
    blur: float = 0.0
    centered: bool = False
    joint: bool = False
    adapter: bool = False
    sentence_centers: int = 0

    def __post_init__(self) -> None:
        widths = {name: getattr(self, name) for name in ("frame_width", "query_width", "width")}
        check_ranges(
            self,
            {name: (1 <= value <= WIDEST, f"from 1 to {WIDEST}") for name, value in widths.items()}
            | {
                "context": (self.context % 2 == 1 and 1 <= self.context < 1000, "odd, from 1 to 999"),
                "dropout": (0 <= self.dropout < 1, "from 0 on and below 1"),
                "blur": (0 <= self.blur <= 100, "from 0 to 100 frames"),
                "joint": (
                    not self.joint or (self.centered and len(set(widths.values())) == 1),
                    "false, or centered true and the three widths the same",
                ),
                "adapter": (self.joint or not self.adapter, "false where joint is false"),
                "sentence_centers": (
                    self.sentence_centers == 0
                    or (MIN_CENTERS <= self.sentence_centers <= WIDEST and not self.joint and self.width > 1),
                    f"0, or from {MIN_CENTERS} to {WIDEST}, where joint is false and width above 1",
                ),
            },
        )

    @property
    def learned_width(self) -> int:
        """What the projections give: all of `width`, but for the coordinate that `hold_back` adds."""
        return self.width - bool(self.sentence_centers)


@dataclass(frozen=True)
class CheckpointConfig:
    """What a checkpoint says of itself.

    Attributes:
        name: under which it is listed.
        summary: one line on what it is good at.
        frame_encoder: which features it reads, a name that `grounding.encoders.registry` knows.
        query_encoder: which tokens it reads.
        rate: frames sampled a second.
        model: sizes of the grounder.
        segments: how segments are read off its curves.
        data: the training data.
        scores: what was measured, by name.
        baseline: the checkpoint of the same model without hard-negative mining, for the demo to compare; "" is none.
        weights: sha256 of model.safetensors, so that another checkpoint's of the same sizes is an error and not a bad
            answer; "" is not checked.
        stand_in: sha256 of stand_in.safetensors, which reads queries where the query encoder's weights are not at hand;
            "" is none.
        trained_by: what read the training queries in CLIP's joint space: the name of a text tower, or the stand-in.
        scene_joins: sha256 of joins.safetensors, which tells where scenes meet; "" is none: `segments` tells it.
        stands_out: from when on a moment stands out; None says nothing of it.
    """

    name: str
    frame_encoder: str
    model: GrounderConfig
    query_encoder: str = "minilm"
    rate: float = 2.0
    summary: str = ""
    segments: SegmentConfig = field(default_factory=SegmentConfig)
    data: str = ""
    scores: dict[str, Any] = field(default_factory=dict)
    baseline: str = ""
    weights: str = ""
    stand_in: str = ""
    trained_by: str = ""
    scene_joins: str = ""
    stands_out: StandOutRule | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.rate, int | float) or not 0 < self.rate < 1000:
            raise ValueError(f"the rate is {self.rate!r}, not a number of frames a second")
        named = (self.name, self.frame_encoder, self.query_encoder, self.baseline)
        if not all(isinstance(text, str) for text in (*named, self.weights, self.stand_in, self.scene_joins)):
            raise ValueError(
                "name, frame_encoder, query_encoder, baseline, weights, stand_in and scene_joins must be text"
            )


def read_config(folder: Path) -> CheckpointConfig:
    """Reads `folder`/config.json. Raises CheckpointError if it is missing, no JSON, or holds unknown keys."""
    path = folder / "config.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8-sig"))  # editors may put a mark before it
        segments = values.pop("segments", {})
        segments.update({key: tuple(value) for key, value in segments.items() if isinstance(value, list)})
        rule = values.pop("stands_out", None)
        return CheckpointConfig(
            model=GrounderConfig(**values.pop("model")),
            segments=SegmentConfig(**segments),
            stands_out=StandOutRule(**rule) if rule else None,
            **values,
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise CheckpointError(f"{path} is not a checkpoint's config ({error}): fetch the checkpoint again.") from error


def load_grounder(folder: Path, config: CheckpointConfig) -> "Grounder":
    """The trained grounder of a checkpoint, ready to score. Raises CheckpointError if the weights do not fit."""
    from safetensors.torch import load_file

    from grounding.model import Grounder

    path = folder / "model.safetensors"
    grounder = Grounder(config.model)
    try:
        if config.weights and hash_file(path) != config.weights:
            raise ValueError("its sha256 is not the one in config.json")
        grounder.load_state_dict({name: tensor.float() for name, tensor in load_file(path).items()})
    except Exception as error:  # safetensors raises its own type, torch RuntimeError, the system OSError
        reason = str(error).splitlines()[0]
        raise CheckpointError(
            f"{path} does not hold the weights that config.json describes ({reason}): fetch the checkpoint again."
        ) from error
    return grounder.eval()


class Extras(NamedTuple):
    """What a checkpoint may hold beside its model.

    Attributes:
        background: (N, D) frames of other videos, which the rule of what stands out needs.
        joins: what tells where scenes meet in a video; without it `segments` tells it.
    """

    background: "Tensor | None" = None
    joins: JoinDetector | None = None


def load_extras(folder: Path, config: CheckpointConfig) -> Extras:
    """What the config names. Raises CheckpointError if a file is missing, damaged or another checkpoint's."""
    from torch import from_numpy

    background = joins = None
    if config.stands_out:
        background = from_numpy(load_tensors(folder / BACKGROUND_FILE, config.stands_out.background)["frames"])
    if config.scene_joins:
        joins = load_joins(folder / JOINS_FILE, config)
    return Extras(background, joins)


def load_joins(path: Path, config: CheckpointConfig) -> JoinDetector:
    """What tells where scenes meet. Raises CheckpointError as `load_extras` does, and if it reads something else."""
    tensors = load_tensors(path, config.scene_joins)
    try:
        return detector_from_tensors(tensors, 1 / config.rate, config.model.frame_width)
    except (KeyError, ValueError) as error:
        reason = "was made for other frame features, or by another version"
        raise CheckpointError(f"{path} {reason}: fetch it again, or run training.scene_joins.") from error


def check_features(config: CheckpointConfig, video: EncodedVideo) -> None:
    """Raises CheckpointError where a video's features come from another encoder, or have another width, than asked, and
    FeaturesError for what is no EncodedVideo."""
    if not isinstance(video, EncodedVideo):
        raise FeaturesError(
            f"A query is grounded in an EncodedVideo, not in {describe_type(video)}: encode the file first, with "
            "encode_video, or build an EncodedVideo from stored features."
        )
    if video.encoder != config.frame_encoder:
        raise CheckpointError(
            f"The features come from the encoder {video.encoder!r}, but the checkpoint {config.name!r} reads "
            f"{config.frame_encoder!r}: encode the video with this checkpoint, or choose another one."
        )
    if video.features.shape[1] != config.model.frame_width:
        raise CheckpointError(
            f"The features of {video.encoder!r} are {video.features.shape[1]} wide, but the checkpoint "
            f"{config.name!r} reads {config.frame_encoder!r} features of width "
            f"{config.model.frame_width}: encode the video again."
        )


def list_checkpoints(root: Path = CHECKPOINTS) -> list[str]:
    """Names of the checkpoints under `root`, sorted."""
    return sorted(path.parent.name for path in root.glob("*/config.json"))


def find_checkpoint(name_or_folder: str | Path) -> Path:
    """The folder of a checkpoint given by name or by path. Raises CheckpointError with the names there are."""
    if not isinstance(name_or_folder, str | os.PathLike):
        raise CheckpointError(f"{name_or_folder!r} is no checkpoint: give its name or its folder, as text or a path.")
    for folder in (CHECKPOINTS / name_or_folder, Path(name_or_folder)):
        with suppress(OSError, ValueError):  # a name that no file system takes is just not there
            if (folder / "config.json").is_file():
                return folder
    raise CheckpointError(
        f"There is no checkpoint {str(name_or_folder)!r}: choose one of {', '.join(list_checkpoints()) or 'none'}, "
        "or give a folder that holds config.json and model.safetensors."
    )
