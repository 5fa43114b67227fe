"""Cross-validation by video: the moments files of every fold."""

import dataclasses
import random
from pathlib import Path
from typing import NamedTuple

from training.ablation_config import AblationConfig
from training.annotations import read_folds, read_json_lines
from training.converters import find_place, to_moments
from training.files import READ_ERRORS, describe_read_error
from training.moments import DataError, Moment, write_moments


class Fold(NamedTuple):
    """Moments files of one fold: to learn from, to select the epoch by ("": the last is taken), and to score.

    `supervised` is what to learn from with start and end, which full supervision alone reads.
    """

    number: int
    train: str
    select: str
    test: str
    supervised: str = ""


def make_folds(ablation: AblationConfig, out: Path) -> list[Fold]:
    """The folds with their moments files below `out`. Training files hold no start or end; those that full supervision
    reads stand apart.

    Raises DataError naming the annotations if they cannot be read.
    """
    if ablation.moments:
        return [Fold(0, "", "", ablation.moments)]
    try:
        numbers = sorted({row["fold"] for row in read_json_lines(Path(ablation.annotations))})
        return [_make_fold(ablation, number, numbers, out / f"fold-{number}") for number in numbers]
    except READ_ERRORS as error:
        place = find_place(error, [Path(ablation.annotations)])
        raise DataError(
            f"{place}: no annotations with folds ({describe_read_error(error)}): give an object per line with "
            "video_id, duration, fold, query, start and end."
        ) from error


def _make_fold(ablation: AblationConfig, number: int, numbers: list[int], out: Path) -> Fold:
    others = [str(other) for other in numbers if other != number]
    rest = to_moments(read_folds(Path(ablation.annotations), others))
    test = to_moments(read_folds(Path(ablation.annotations), [str(number)]))
    videos = sorted({moment.video for moment in rest})
    chosen = set(random.Random(number).sample(videos, round(ablation.held_out * len(videos))))
    parts = {
        "train": [_drop_span(moment) for moment in rest if moment.video not in chosen],
        "select": [moment for moment in rest if moment.video in chosen and moment.start is not None],
        "test": [moment for moment in test if moment.start is not None],
        "supervised": [moment for moment in rest if moment.video not in chosen and moment.start is not None],
    }
    for name, moments in parts.items():
        write_moments(out / f"{name}.jsonl", moments)
    return Fold(number, *(str(out / f"{name}.jsonl") if parts[name] else "" for name in parts))


def _drop_span(moment: Moment) -> Moment:
    return dataclasses.replace(moment, start=None, end=None)
