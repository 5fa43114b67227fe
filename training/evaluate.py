"""Scores a checkpoint on a moments file, through the predictor that the demo uses.

    python -m training.evaluate embedded MOMENTS.jsonl --videos DIR --features DIR --out predictions.jsonl

Videos are decoded and encoded once and kept under --features. The predictions are written one line per query,
{"segments": [[start, end], ...]}, best first, in the order of the moments file.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from tqdm import tqdm

from grounding import Answer, EncodedVideo, Predictor
from grounding.errors import GroundingError
from training.features import FeatureFolder, write_features
from training.metrics import recall_table
from training.moments import DataError, Moment, read_moments


def encoded(predictor: Predictor, video: str, videos: Path, features: Path) -> EncodedVideo:
    """The features of one video, from the folder or, the first time, from the video."""
    config = predictor.config
    store = FeatureFolder(features, config.frame_encoder, config.model.frame_width, config.rate)
    if not store.has(video):
        write_features(features, video, predictor.encode_video(videos / video), config.rate)
    return store.load(video)


def answers(predictor: Predictor, moments: Sequence[Moment], videos: Path, features: Path) -> Iterator[Answer]:
    """An answer per moment, in order; queries of one video that stand together are grounded together."""
    for video, rows in groupby(moments, key=lambda moment: moment.video):
        queries = [row.query for row in rows]
        yield from predictor.ground_many(encoded(predictor, video, videos, features), queries)


def evaluate(predictor: Predictor, moments: Sequence[Moment], videos: Path, features: Path, out: Path) -> dict:
    """Writes the predictions to `out` and returns the table of `training.metrics.recall_table`.

    Raises:
        DataError: a moment has no start and end.
    """
    if any(moment.start is None for moment in moments):
        raise DataError("Some moments have no start and end: evaluate on a file where every line has them.")
    found = []
    for answer in tqdm(answers(predictor, moments, videos, features), total=len(moments), unit="query"):
        found.append([[segment.start, segment.end] for segment in answer.segments])
    write_predictions(out, found)
    return recall_table(found, [(moment.start, moment.end) for moment in moments])


def write_predictions(path: Path, found: Sequence[Sequence[Sequence[float]]]) -> None:
    """Writes {"segments": [[start, end], ...]} for each query, beside `path`, and renames it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text("".join(json.dumps({"segments": spans}) + "\n" for spans in found), encoding="utf-8")
    os.replace(part, path)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", help="a name under checkpoints/, or a folder")
    parser.add_argument("moments", type=Path)
    parser.add_argument("--videos", type=Path, required=True, help="folder that the names in MOMENTS are relative to")
    parser.add_argument("--features", type=Path, required=True, help="folder where encoded videos are kept")
    parser.add_argument("--out", type=Path, required=True, help="file for the predictions")
    args = parser.parse_args()
    try:
        predictor = Predictor.from_checkpoint(args.checkpoint)
        table = evaluate(predictor, list(read_moments(args.moments)), args.videos, args.features, args.out)
    except GroundingError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(table))
    return 0


if __name__ == "__main__":
    sys.exit(main())
