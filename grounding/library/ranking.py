"""Which moments of which videos come first."""

from collections.abc import Callable, Mapping

from grounding.exports.cut_list import Moment
from grounding.features.encoded_video import EncodedVideo
from grounding.library.embedding import matching_scores
from grounding.predictor import Predictor

MOMENTS = 3  # of one video at most
LATER = 0.02  # by how much a video's next moment counts for less than the one before, of a cosine


def rank_moments(
    predictor: Predictor, query: str, evidence: Mapping[str, float], load: Callable[[str], EncodedVideo], top_k: int
) -> list[Moment]:
    """The first `top_k` moments of several videos, best first, with scores in [0, 1] that can be compared.

    Which video is right shows in its best window; which stretch of it, in the order that the grounder gives. Scores of
    segments would prefer short peaks: README.md of this folder has the figures.

    Args:
        predictor: grounds.
        query: a sentence.
        evidence: by video, the cosine of the query and its best window.
        load: gives the features of a video.
        top_k: how many moments at most.
    """
    found = []
    for video, cosine in sorted(evidence.items(), key=lambda item: -item[1])[:top_k]:
        segments = predictor.ground(load(video), query, MOMENTS).segments
        scores = matching_scores(predictor, [cosine - LATER * rank for rank in range(len(segments))])
        found += [Moment(video, query, one.start, one.end, score) for one, score in zip(segments, scores, strict=True)]
    return sorted(found, key=lambda moment: -moment.score)[:top_k]
