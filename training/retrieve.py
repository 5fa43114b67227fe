"""Scores a checkpoint on finding videos and moments among many, as a library ranks them.

    python -m training.converters msrvtt clips.jsonl --split val --out val.jsonl
    python -m training.retrieve embedded val.jsonl --features DIR

Every query of the moments file is searched among all of its videos; they must have been encoded by training.extract.
A query that stands there with several videos has several right ones, as where videos were composed of the same clips.

R@K video: one of the first K videos is right. R@K moment: one of the first K moments overlaps the right one by an IoU
of 0.5 or more; for queries with a span. Told off: none of the first ten moments stands out; a second time where the
right videos are taken away, so that the sentence should be. All are percent, and printed as JSON.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from grounding import EncodedVideo, Predictor
from grounding.errors import GroundingError
from grounding.exports.cut_list import Moment as Found
from grounding.library.embedding import embed_frames, embed_query
from grounding.library.ranking import describe_doubt, rank_moments
from grounding.library.windows import make_windows
from grounding.segments.find import compute_iou
from grounding.text import stop_quietly
from training.features import FeatureFolder
from training.moments import Moment, read_moments

FIRST = (1, 5)  # how many are looked at
TOP_K = 10  # moments that are asked for
OVERLAP = 0.5  # IoU

Spans = Sequence[tuple[float, float]]


class Videos:
    """Encoded videos with their windows, compared one by one.

    Args:
        predictor: of the checkpoint.
        videos: by name.
    """

    def __init__(self, predictor: Predictor, videos: Mapping[str, EncodedVideo]) -> None:
        self.predictor, self.videos, self._vectors = predictor, videos, {}
        for name, video in videos.items():
            windows = make_windows(embed_frames(predictor, video), video.timestamps, video.duration)
            self._vectors[name] = windows.vectors  # (N, D)

    def rank(self, query: str) -> dict[str, float]:
        """The cosine of the query and the best window of each video, best first."""
        embedded = embed_query(self.predictor, query)  # (D,)
        best = {name: float((vectors @ embedded).max()) for name, vectors in self._vectors.items()}
        return dict(sorted(best.items(), key=lambda item: -item[1]))


def score_retrieval(videos: Videos, moments: Sequence[Moment], with_moments: bool = True) -> dict[str, float]:
    """Percentages by name, see the head of this file. `with_moments`: whether moments are found in the videos, too."""
    right: dict[str, dict[str, Spans]] = defaultdict(dict)
    for moment in moments:
        right[moment.query][moment.video] = moment.spans
    hits = defaultdict(list)
    for query, spans in tqdm(right.items(), unit="query", disable=None):
        ranked = videos.rank(query)
        for first in FIRST:
            hits[f"R@{first} video"].append(any(name in spans for name in list(ranked)[:first]))
        if with_moments and any(spans.values()):
            found = rank_moments(videos.predictor, query, ranked, videos.videos.__getitem__, TOP_K, len(ranked))
            for first in FIRST:
                hits[f"R@{first} moment"].append(any(is_right(one, spans) for one in found[:first]))
            others = {name: cosine for name, cosine in ranked.items() if name not in spans}
            absent = rank_moments(videos.predictor, query, others, videos.videos.__getitem__, TOP_K, len(others))
            hits["told off"].append(bool(describe_doubt(found)))
            hits["told off without its videos"].append(bool(describe_doubt(absent)))
    return {name: round(100 * float(np.mean(values)), 1) for name, values in hits.items()}


def is_right(found: Found, spans: Mapping[str, Spans]) -> bool:
    """Whether a moment overlaps a right one of its video enough."""
    return any(compute_iou((found.start, found.end), span) >= OVERLAP for span in spans.get(found.video, ()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", help="a name under checkpoints/, or a folder")
    parser.add_argument("moments", type=Path, help="a moments file")
    parser.add_argument("--features", type=Path, required=True, help="folder that training.extract wrote")
    parser.add_argument("--videos-only", action="store_true", help="leave the moments out")
    args = parser.parse_args()
    try:
        predictor, moments = Predictor.from_checkpoint(args.checkpoint), list(read_moments(args.moments))
        config = predictor.config
        store = FeatureFolder(args.features, config.frame_encoder, config.model.frame_width, config.rate)
        videos = Videos(predictor, {name: store.load(name) for name in sorted({one.video for one in moments})})
        scores = score_retrieval(videos, moments, not args.videos_only)
    except GroundingError as error:
        print(error, file=sys.stderr)
        return 2
    counts = {
        "checkpoint": args.checkpoint,
        "queries": len({one.query for one in moments}),
        "videos": len(videos.videos),
    }
    print(json.dumps(counts | scores))
    return 0


if __name__ == "__main__":
    sys.exit(stop_quietly(main, "Stopped."))
