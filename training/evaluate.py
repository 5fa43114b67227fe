"""Scores a checkpoint on a moments file, through the predictor that the demo uses.

    python -m training.evaluate embedded MOMENTS.jsonl --videos DIR --features DIR --out predictions.jsonl
    python -m training.evaluate clip-vit-b-32 MOMENTS.jsonl --features FILE --timestamps FILE --out predictions.jsonl

Videos are decoded and encoded once and kept under --features, which alone will do where all of them are there; the
second line reads published features. The predictions are written one line per query, {"segments": [[start, end], ...]},
best first, in the order of the moments file.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from tqdm import tqdm

from grounding import Answer, EncodedVideo, Predictor
from grounding.errors import GroundingError
from grounding.text import stop_quietly
from training.features import FeatureFolder, FeatureStore, PublishedFeatures, find_file, write_features
from training.files import DataError, check_folder, write_whole
from training.metrics import compute_recalls, count_overlapping
from training.moments import Moment, read_moments


@dataclass(frozen=True)
class EncodingFolder:
    """A feature folder that encodes the videos it lacks.

    Attributes:
        predictor: encodes.
        features: the folder.
        videos: folder that their names are relative to.
    """

    predictor: Predictor
    features: Path
    videos: Path

    def load(self, video: str, duration: float | None = None) -> EncodedVideo:
        """The features of one video, from the folder or, the first time, from the video."""
        config = self.predictor.config
        store = FeatureFolder(self.features, config.frame_encoder, config.model.frame_width, config.rate)
        if not store.has(video):
            write_features(
                self.features, video, self.predictor.encode_video(find_file(self.videos, video)), config.rate
            )
        return store.load(video)


def open_store(predictor: Predictor, features: Path, timestamps: Path | None, videos: Path | None) -> FeatureStore:
    """Where the encoded videos come from: a published file, or a folder to which `videos` adds what it lacks."""
    config = predictor.config
    if timestamps:
        return PublishedFeatures(features, timestamps, config.frame_encoder, config.model.frame_width)
    if videos:
        return EncodingFolder(predictor, features, videos)
    return FeatureFolder(features, config.frame_encoder, config.model.frame_width, config.rate)


def answer_moments(predictor: Predictor, moments: Sequence[Moment], store: FeatureStore) -> Iterator[Answer]:
    """An answer per moment, in order; queries of one video that stand together are grounded together."""
    for (video, duration), rows in groupby(moments, key=lambda moment: (moment.video, moment.duration)):
        yield from predictor.ground_many(store.load(video, duration), [row.query for row in rows])


def evaluate(predictor: Predictor, moments: Sequence[Moment], store: FeatureStore, out: Path) -> dict:
    """Writes the predictions to `out` and returns the table of `training.metrics.compute_recalls`, with the
    percentage of lists in which segments overlap, and who read the queries, see Answer.

    Raises:
        DataError: a moment has no start and end, or `out` cannot be written.
    """
    for number, moment in enumerate(moments, 1):
        if moment.start is None:
            raise DataError(
                f"Moment {number} ({moment.query!r} in {moment.video}) has no start and end: evaluate on a file where "
                "every line has them."
            )
    check_folder(out.parent)
    found, readers = [], set()
    for answer in tqdm(answer_moments(predictor, moments, store), total=len(moments), unit="query"):
        found.append([[segment.start, segment.end] for segment in answer.segments])
        readers.add(answer.queries_by)
    write_predictions(out, found)
    table = compute_recalls(found, [moment.spans for moment in moments])
    return table | {"overlapping lists": count_overlapping(found), "queries_by": ", ".join(sorted(readers))}


def write_predictions(path: Path, found: Sequence[Sequence[Sequence[float]]]) -> None:
    """Writes {"segments": [[start, end], ...]} for each query. Raises DataError if it cannot."""
    with write_whole(path) as part:
        part.write_text("".join(json.dumps({"segments": spans}) + "\n" for spans in found), encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", help="a name under checkpoints/, or a folder")
    parser.add_argument("moments", type=Path)
    parser.add_argument("--videos", type=Path, help="folder that the names in MOMENTS are relative to")
    parser.add_argument("--features", type=Path, required=True, help="folder of encoded videos, or a published file")
    parser.add_argument("--timestamps", type=Path, help="published file with the timestamps of the features")
    parser.add_argument("--weights", type=Path, help="local file with an open_clip encoder's weights")
    parser.add_argument("--out", type=Path, required=True, help="file for the predictions")
    args = parser.parse_args()
    try:
        predictor = Predictor.from_checkpoint(args.checkpoint, weights=args.weights)
        store = open_store(predictor, args.features, args.timestamps, args.videos)
        table = evaluate(predictor, list(read_moments(args.moments)), store, args.out)
    except GroundingError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(table))
    return 0


if __name__ == "__main__":
    sys.exit(stop_quietly(main, "Stopped."))
