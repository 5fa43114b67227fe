"""Which epoch's weights a run keeps: the last ones, or those that score best on validation videos."""

import copy
import math
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from grounding.checkpoint import CheckpointConfig
from grounding.encoders.queries import QueryTokens
from grounding.encoders.registry import QueryEncoder
from grounding.encoders.stand_in import StandIn
from grounding.model import Grounder
from grounding.predictor import Predictor
from training.config import TrainConfig
from training.features import open_features
from training.metrics import compute_recalls
from training.moments import DataError, Moment, read_moments
from training.sources import encode_queries, path_from_moments
from training.stand_in import read_by

Reader = StandIn | QueryEncoder
Score = Callable[[Grounder], float]


class Selection:
    """Remembers the best weights it was shown; without a score every newcomer is the best.

    Args:
        score: of a grounder, higher is better.
    """

    def __init__(self, score: Score | None = None) -> None:
        self.score, self.best, self.epoch, self.weights = score, -math.inf, 0, {}

    def consider(self, grounder: Grounder, epoch: int) -> float:
        """Looks at the weights after `epoch`; of equals the earlier stay. Returns their score."""
        value = self.score(grounder) if self.score else float(epoch)
        if value > self.best:
            self.best, self.epoch, self.weights = value, epoch, copy.deepcopy(grounder.state_dict())
        return value

    def state_dict(self) -> dict[str, float | int | dict[str, Tensor]]:
        """What a run saves to go on later."""
        return {"best": self.best, "epoch": self.epoch, "weights": self.weights}

    def load_state_dict(self, state: dict) -> None:
        """Takes back what `state_dict` gave."""
        self.best, self.epoch, self.weights = state["best"], state["epoch"], state["weights"]


class EncodedQueries:
    """A query encoder that looks up what was encoded before; meets the interface of `grounding.encoders.registry`.

    Args:
        queries: those that will be asked for.
        keep: a file for their encodings, see `encode_queries`.
        reader: the stand-in or the text tower that reads them, in CLIP's joint space; without one MiniLM does.
    """

    name, width = "minilm", 384

    def __init__(self, queries: Sequence[str], keep: Path | None = None, reader: Reader | None = None) -> None:
        if reader:
            self.name = getattr(reader, "name", "stand-in")
        bank = read_by(reader, encode_queries(list(queries), keep=keep))
        self.rows = dict(zip(queries, bank.tokens, strict=True))

    def encode(self, queries: Sequence[str]) -> QueryTokens:
        """Tokens of queries that are known. Raises KeyError for any other."""
        rows = [self.rows[query].float() for query in queries]
        lengths = torch.tensor([[len(row)] for row in rows])  # (Q, 1)
        tokens = pad_sequence(rows, batch_first=True)  # (Q, N, Dq)
        return QueryTokens(tokens, torch.arange(tokens.shape[1]) < lengths)


def make_validator(config: TrainConfig, reader: Reader | None = None) -> Score | None:
    """Scores a grounder on the config's validation moments: the mean of R@1 IoU=0.5 and mIoU. None where it names none.

    Raises DataError as `read_moments` and the feature stores do, and for a moment without start and end.
    """
    if not config.data.validation:
        return None
    moments = sorted(read_moments(config.data.validation), key=lambda moment: moment.video)
    if any(moment.start is None for moment in moments):
        raise DataError(f"{config.data.validation}: a moment has no start and end: validation needs both.")
    store = open_features(config.data, config.frame_encoder, config.model.frame_width, config.rate)
    videos = {moment.video: store.load(moment.video, moment.duration) for moment in moments}
    queries = EncodedQueries(
        sorted({moment.query.strip() for moment in moments}), path_from_moments(config.data.validation), reader
    )

    def score(grounder: Grounder) -> float:
        predictor = Predictor(describe_checkpoint(config), copy.deepcopy(grounder), device="cpu")
        predictor.query_encoder = queries
        table = compute_recalls(predict_spans(predictor, videos, moments), [moment.spans for moment in moments])
        return (table["R@1,IoU=0.5"] + table["mIoU"]) / 2

    return score


def predict_spans(predictor: Predictor, videos: dict, moments: Sequence[Moment]) -> list[list[tuple[float, float]]]:
    """The predicted segments of every moment's query; moments of one video stand together."""
    found = []
    for video, rows in groupby(moments, key=lambda moment: moment.video):
        for answer in predictor.ground_many(videos[video], [row.query for row in rows]):
            found.append([(segment.start, segment.end) for segment in answer.segments])
    return found


def describe_checkpoint(config: TrainConfig, trained_by: str = "") -> CheckpointConfig:
    """What the checkpoint that a run makes says of itself; `trained_by` names what read its training queries."""
    return CheckpointConfig(
        name=config.name,
        summary=config.summary,
        baseline=config.baseline,
        frame_encoder=config.frame_encoder,
        query_encoder=config.frame_encoder if config.model.joint else "minilm",
        model=config.model,
        rate=config.rate,
        segments=config.segments,
        data=config.description,
        trained_by=trained_by,
    )
