"""Reads queries in place of CLIP's text tower where its weights are not at hand: MiniLM, mapped to CLIP's text space.

The map is a ridge regression on sentences whose CLIP text embeddings are known; training fits it, and it lies in the
checkpoint as stand_in.safetensors. Both sides are centred, since each lies around a mean of its own (Liang et al.,
"Mind the Gap", NeurIPS 2022).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor

from grounding.encoders.queries import MiniLMQueryEncoder, OpenClipQueryEncoder, QueryTokens
from grounding.errors import CheckpointError, EncoderError
from grounding.files import hash_file

STAND_IN_FILE = "stand_in.safetensors"
LEAST_AGREEMENT, LEAST_BY_FRAMES = 0.15, 0.07  # see check_agreement
KNOWN_QUERIES = (  # of different things
    "a dog catches a frisbee",
    "a red car drives down a street",
    "two children play in the snow",
    "a person cooks in a kitchen",
    "a plane takes off from an airport",
    "a man plays the guitar",
    "waves break on a beach",
    "a cat sleeps on a sofa",
    "a woman reads a book",
    "a football match in a stadium",
    "a city at night",
    "a horse runs across a field",
)
CENTER_QUERIES = (  # as people describe what is done at home, and for a third of the general ones above
    "a person opens the door.",
    "a person is sitting on the couch.",
    "a person puts a book on a shelf.",
    "the person takes a drink from a glass.",
    "a person turns off the light.",
    "person is cooking something on the stove.",
    "a person walks into the room.",
    "the person closes the window.",
    "person picks up a bag from the floor.",
    "a person is looking out of the window.",
    "person folds a blanket.",
    "the person washes the dishes.",
    "a person takes off their shoes.",
    "person sneezes into their hand.",
    "a person is watching television.",
    "the person starts laughing.",
    "person throws a pillow on the bed.",
    "a person is holding a phone.",
    "a person runs up the stairs.",
    "the person gets dressed.",
    "person eats a sandwich at the table.",
    "a person is tidying up the table.",
    "the person puts on a jacket.",
    "a person plays with a laptop.",
    *KNOWN_QUERIES,
)


@dataclass(frozen=True)
class StandIn:
    """The map from MiniLM's sentence embeddings to a CLIP text space of width D.

    Attributes:
        weight: (D, 384).
        query_mean: (384,), taken off sentence embeddings.
        text_mean: (D,), added to what they are mapped to; all 0 where no embedding of that text tower is known.

    Raises:
        ValueError: shapes disagree, or a value is not finite.
    """

    weight: Tensor
    query_mean: Tensor
    text_mean: Tensor

    def __post_init__(self) -> None:
        if self.weight.ndim != 2 or self.weight.shape != (*self.text_mean.shape, *self.query_mean.shape):
            shapes = [tuple(tensor.shape) for tensor in (self.weight, self.query_mean, self.text_mean)]
            raise ValueError(f"weight, query_mean and text_mean are {shapes}, not (D, S), (S,) and (D,)")
        if not all(torch.isfinite(tensor).all() for tensor in (self.weight, self.query_mean, self.text_mean)):
            raise ValueError("it holds NaN or infinity")

    @property
    def knows_text_mean(self) -> bool:
        """Whether the mean of CLIP's own text embeddings is known to it."""
        return bool(self.text_mean.any())

    def map_sentences(self, sentences: Tensor) -> Tensor:
        """`sentences` (Q, 384) of unit length to (Q, D) float32 of unit length."""
        centred = sentences.float() - self.query_mean.float()  # (Q, 384)
        return F.normalize(centred @ self.weight.float().T + self.text_mean.float(), dim=-1)  # (Q, D)


class StandInQueryEncoder:
    """Reads queries as CLIP's text tower nearly would: one token per query, of unit length; see QueryEncoder."""

    name = "stand-in"

    def __init__(self, stand_in: StandIn, device: torch.device) -> None:
        self.stand_in, self.width = stand_in, len(stand_in.text_mean)
        self._minilm = MiniLMQueryEncoder(device)

    def encode(self, queries: Sequence[str]) -> QueryTokens:
        """Q queries to tokens (Q, 1, width), on the CPU. Raises QueryError for a query that is not text."""
        read = self._minilm.encode(queries)
        embedded = self.stand_in.map_sentences(read.pool_sentences())  # (Q, D)
        return QueryTokens(embedded.unsqueeze(1), torch.ones(len(embedded), 1, dtype=torch.bool), read.cut)


def measure_agreement(one: Tensor, other: Tensor) -> float:
    """How alike two encoders see the same queries: the mean cosine of their embeddings (Q, D), each side centred."""
    centred = (embedded - embedded.mean(dim=0) for embedded in (one, other))  # (Q, D)
    return float(F.cosine_similarity(*centred).mean())


def check_agreement(text_tower: OpenClipQueryEncoder, stand_in: StandInQueryEncoder) -> None:
    """Raises EncoderError where CLIP's text tower is not the one that the checkpoint's stand-in was fitted to.

    The thresholds come from CLIP ViT-B/32's own embeddings of 2,068 names of things, 1,000 names of classes and 250
    sentences about photos. Stand-ins that were fitted to one or two of these sets agree with CLIP on a dozen texts of
    another set by 0.34 to 0.40 on average (ridges of 1 to 10), by 0.18 at least in 1,000 dozens; with CLIP's embeddings
    of eleven other texts in their place by -0.03 on average, by 0.11 at most. A stand-in for a text tower of which
    nothing is known comes through a map of frames: with two such maps, from ViT-B/32 to ViT-L/14 and back, it still
    agrees by 0.15 to 0.23 on average, by 0.08 at least in 300 dozens, and with other texts by 0.06 at most.
    """
    least = LEAST_AGREEMENT if stand_in.stand_in.knows_text_mean else LEAST_BY_FRAMES
    found = measure_agreement(*(each.encode(KNOWN_QUERIES).tokens[:, 0] for each in (text_tower, stand_in)))
    if not found >= least:
        raise EncoderError(
            f"The weights given for {text_tower.name} are not those that this checkpoint was trained for: on a dozen "
            f"known queries their text tower and the checkpoint's stand-in agree by {found:.2f}, and "
            f"{least:.2f} is the least. Another model, activation or tokenizer does that: give the weights "
            "that open_clip publishes under this name, or none."
        )


def measure_center(text_tower: OpenClipQueryEncoder) -> Tensor:
    """The mean (D,) of CENTER_QUERIES as the text tower reads them, which is taken off its queries where the stand-in
    read the training sentences: their mean is another one, and costs points (training/README.md)."""
    return text_tower.encode(CENTER_QUERIES).tokens[:, 0].mean(dim=0)


def save_stand_in(stand_in: StandIn, folder: Path) -> str:
    """Writes `folder`/stand_in.safetensors, and returns its sha256 for config.json."""
    tensors = {name: getattr(stand_in, name).contiguous() for name in ("weight", "query_mean", "text_mean")}
    save_file(tensors, folder / STAND_IN_FILE)
    return hash_file(folder / STAND_IN_FILE)


def load_stand_in(folder: Path, width: int, sha256: str) -> StandIn:
    """The stand-in of a checkpoint.

    Args:
        folder: of the checkpoint.
        width: of CLIP's joint space, as config.json names it.
        sha256: of the file, as config.json names it.

    Raises:
        CheckpointError: the file is missing, damaged, another checkpoint's, or of another width.
    """
    path = folder / STAND_IN_FILE
    try:
        if hash_file(path) != sha256:
            raise ValueError("its sha256 is not the one in config.json")
        stand_in = StandIn(**load_file(path))
        if len(stand_in.text_mean) != width:
            raise ValueError(f"it is {len(stand_in.text_mean)} wide and the checkpoint {width}")
    except Exception as error:  # safetensors raises its own type, others ValueError, TypeError and OSError
        reason = str(error).splitlines()[0]
        raise CheckpointError(
            f"{path} does not hold the stand-in that config.json describes ({reason}): fetch the checkpoint again."
        ) from error
    return stand_in
