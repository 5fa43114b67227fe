"""Which moments of which videos come first."""

import heapq
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from grounding.answer import find_answer_segments
from grounding.checkpoint import check_features
from grounding.exports.cut_list import Moment
from grounding.features.encoded_video import EncodedVideo
from grounding.segments.find import Segment
from grounding.text import describe_language

if TYPE_CHECKING:
    from grounding.predictor import Predictor

MOMENTS = 3  # of one video at most
LATER = 0.02  # by how much a video's next moment counts for less than the one before, of a cosine
RISE = 0.055  # of the evidence asked for, with the logarithm of the number of videos: the best of many fits by chance
NOTHING_STANDS_OUT = "Nothing in these videos stands out for this sentence."


def rank_moments(
    predictor: "Predictor",
    query: str,
    evidence: Mapping[str, float],
    load: Callable[[str], EncodedVideo | None],
    top_k: int,
    searched: int,
) -> list[Moment]:
    """The first `top_k` moments of several videos, best first, with scores in [0, 1] that can be compared.

    Which video is right shows in its best window; which stretch of it, in the order that the grounder gives. Scores of
    segments would prefer short peaks: README.md of this folder has the figures. A moment's score is therefore that of
    its video's best window, less for the video's later moments, and not the mean inside it, as for a single video.

    Args:
        predictor: grounds.
        query: a sentence.
        evidence: by video, the cosine of the query and its best window.
        load: gives the features of a video, None where it is to be left out; asked only for videos whose moments can
            be among the first.
        top_k: how many moments at most.
        searched: how many videos these are the best of.
    """
    from grounding.library.embedding import matching_scores

    margin = RISE * math.log(max(searched, 1))

    def ground(video: str) -> list[Segment]:
        encoded = load(video)
        return ground_moments(predictor, encoded, query, margin) if encoded else []

    found = take_best(evidence, ground, top_k)
    scores = matching_scores(predictor, [cosine for cosine, *_ in found])
    return [
        Moment(video, query, segment.start, segment.end, score, segment.stands_out)
        for (_, video, segment), score in zip(found, scores, strict=True)
    ]


def take_best(
    evidence: Mapping[str, float], ground: Callable[[str], list[Segment]], top_k: int
) -> list[tuple[float, str, Segment]]:
    """Up to `top_k` moments in the order of their cosines, each with its cosine and video; a video is grounded when its
    first moment is due."""
    waiting = [(-cosine, video, 0) for video, cosine in evidence.items()]  # with their sign turned: best first
    heapq.heapify(waiting)
    found, segments = [], {}
    while waiting and len(found) < top_k:
        behind, video, rank = heapq.heappop(waiting)
        if rank == 0:
            segments[video] = ground(video)
        if rank < len(segments[video]):
            found.append((-behind, video, segments[video][rank]))
            heapq.heappush(waiting, (behind + LATER, video, rank + 1))
    return found


def ground_moments(predictor: "Predictor", video: EncodedVideo, query: str, margin: float = 0.0) -> list[Segment]:
    """The segments of a video, best first, which stand out by the checkpoint's rule and `margin` more. Raises as
    `Predictor.ground` does."""
    check_features(predictor.config, video)
    match = predictor.matcher.match(video, [query])
    return find_answer_segments(predictor.config, video, match, 0, MOMENTS, margin)[1]


def describe_doubt(moments: Sequence[Moment]) -> str:
    """What to say of the moments of a query where none of them stands out, "" for any others."""
    doubtful = moments and all(one.stands_out is False for one in moments)
    return NOTHING_STANDS_OUT + describe_language(moments[0].query) if doubtful else ""
