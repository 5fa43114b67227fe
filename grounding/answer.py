"""What a query gets: where in the video it happens, and how well each frame fits."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from grounding.checkpoint import CheckpointConfig
from grounding.features.encoded_video import EncodedVideo
from grounding.segments.curve import edges_from_timestamps
from grounding.segments.find import Segment, find_segments, make_segment
from grounding.segments.hard_negatives import HardNegative, inspect_segment, measure_moment_similarity
from grounding.segments.scene_changes import find_scene_changes
from grounding.segments.scene_joins import READING
from grounding.segments.stand_out import describe_doubt, measure_frame_evidence, weigh_frames
from grounding.text import describe_language, round_seconds, shorten

if TYPE_CHECKING:
    from torch import Tensor

    from grounding.scoring import Match

# Of 400 joined val videos 20 segments after the best stood out by their evidence alone, 7 of them parts of the moment;
# of the 12 that have this share of the best one's score, the same 7.
NEAR_BEST = 0.75


@dataclass(frozen=True)
class Answer:
    """Where a query happens in a video.

    Attributes:
        query: the sentence.
        duration: of the video, seconds.
        checkpoint: name of the checkpoint that answered.
        timestamps: (T,) seconds.
        scores: (T,) matching scores in [0, 1].
        segments: best first.
        hard_negatives: boundary frames of the segments, segment by segment, the hardest first.
        skipped: spans (start, end) in seconds that could not be decoded in full; where the file ends early, one goes on
            from there to the end that its container states, beyond `duration`.
        queries_by: which query encoder read the query: "minilm", "open_clip:<model>:<pretrained>" for CLIP's text
            tower, or "stand-in" where its weights are not at hand.
        query_cut: whether the query is longer than that encoder reads, so that its end was left out.
        rough: how many key frames stand for what of the video is not encoded; 0 where all of it is.
    """

    query: str
    duration: float
    checkpoint: str
    timestamps: np.ndarray
    scores: np.ndarray
    segments: list[Segment]
    hard_negatives: list[HardNegative]
    skipped: tuple[tuple[float, float], ...] = ()
    queries_by: str = ""
    query_cut: bool = False
    rough: int = 0

    @property
    def stands_out(self) -> bool | None:
        """Whether the best segment stands out, see Segment."""
        return self.segments[0].stands_out

    @property
    def doubt(self) -> str:
        """What to say beside a best guess that does not stand out, "" for any other."""
        if self.stands_out is not False:
            return ""
        return describe_doubt(self.scores) + describe_language(self.query)

    def to_dict(self, video: str = "") -> dict[str, Any]:
        """JSON-ready; `video` is the name to report. Only a video that was skipped in part has the key `skipped`, only
        a query that was cut has `query_cut`, and only a rough answer has `rough`."""
        skipped = {"skipped": [[round_seconds(edge) for edge in span] for span in self.skipped]} if self.skipped else {}
        return {
            "video": video,
            "query": self.query,
            "duration": round_seconds(self.duration),
            "checkpoint": self.checkpoint,
            "segments": [
                {"start": round_seconds(one.start), "end": round_seconds(one.end), "score": one.score}
                for one in self.segments
            ],
            "timestamps": [round_seconds(time) for time in self.timestamps.tolist()],
            "scores": self.scores.tolist(),
            "hard_negatives": [
                asdict(frame) | {"timestamp": round_seconds(frame.timestamp)} for frame in self.hard_negatives
            ],
            "queries_by": self.queries_by,
            "stands_out": self.stands_out,
            "segments_stand_out": [one.stands_out for one in self.segments],
            **skipped,
            **({"query_cut": True} if self.query_cut else {}),
            **({"rough": self.rough} if self.rough else {}),
        }


def describe_reading(answers: Sequence[Answer]) -> str:
    """A line on who read the queries, and which of them in part; "" where there is nothing to say."""
    return describe_readers({answer.queries_by for answer in answers}, [one.query for one in answers if one.query_cut])


def describe_readers(readers: Collection[str], cut: Iterable[str]) -> str:
    """As `describe_reading`, of query encoders by name and the queries that they read in part."""
    lines = []
    if "stand-in" in readers:
        lines.append("Queries read by the checkpoint's stand-in: the weights of CLIP's text tower are not at hand.")
    if names := sorted(name for name in readers if name.startswith("open_clip:")):
        lines.append(f"Queries read by CLIP's text tower, {names[0]}.")
    lines += [
        f"The query {shorten(query, 40)!r} is longer than its encoder reads: only its beginning counted."
        for query in cut
    ]
    return " ".join(lines)


def build_answer(
    config: CheckpointConfig,
    video: EncodedVideo,
    query: str,
    match: "Match",
    row: int,
    top_k: int,
    pictures: "Tensor",
) -> Answer:
    """The answer to one query.

    Args:
        config: of the checkpoint that gave the scores.
        video: in which the query was asked.
        query: the sentence.
        match: what this query and others score in the video.
        row: which of them this query is.
        top_k: how many segments at most.
        pictures: (T, D) of unit length, each frame seen alone, among which hard negatives are looked for.
    """
    from torch import from_numpy

    scores = match.scores[row]  # (T,)
    curve, segments = find_answer_segments(config, video, match, row, top_k)
    times = from_numpy(video.timestamps)  # (T,)
    hard = [
        frame
        for index, segment in enumerate(segments)
        for frame in inspect_segment(pictures, times, scores, (segment.start, segment.end), index)
    ]
    return Answer(
        query=query,
        duration=video.duration,
        checkpoint=config.name,
        timestamps=video.timestamps,
        scores=curve,
        segments=segments,
        hard_negatives=hard,
        skipped=video.skipped,
        queries_by=match.queries_by,
        query_cut=row in match.queries.cut,
        rough=video.rough,
    )


def find_answer_segments(
    config: CheckpointConfig, video: EncodedVideo, match: "Match", row: int, top_k: int, margin: float = 0.0
) -> tuple[np.ndarray, list[Segment]]:
    """The (T,) scores of a query and its segments, best first; arguments as in `build_answer`. `margin`: evidence
    beyond the checkpoint's threshold that a segment needs to stand out."""
    curve = match.scores[row].numpy().astype(np.float64)  # (T,)
    asked = match.joins and config.segments.windows and not video.rough
    joins = match.joins if asked and match.joins.fits(video.timestamps) else None
    reading = replace(config.segments, **READING) if joins else config.segments
    changes = video.compute_once(  # the same for every query, and for the baseline's
        ("scene changes", reading.windows, reading.join, reading.changes, config.scene_joins if joins else ""),
        lambda: find_scene_changes(video.timestamps, video.features, reading, joins),
    )
    find = partial(find_segments, video.timestamps, curve, video.features, video.duration, top_k, reading, changes)
    rule = config.stands_out
    if not rule or match.background is None:
        return curve, find()
    edges = edges_from_timestamps(video.timestamps, video.duration)  # (T + 1,)
    background = match.background[row].numpy()  # (N,)
    filled = rule.is_filled(curve, np.diff(edges), background)
    segments = [make_segment(edges, curve, 0, len(curve))] if filled else find()
    evidence = measure_frame_evidence(curve, background, rule.power)  # (T,)
    return curve, judge_segments(segments, edges, evidence, rule.threshold + margin)


def judge_segments(
    segments: Sequence[Segment], edges: np.ndarray, evidence: np.ndarray, threshold: float
) -> list[Segment]:
    """The segments with whether each stands out: edges (T + 1,) in seconds, the `evidence` (T,) of each frame.

    One after the best has to come near its score, too, see NEAR_BEST.
    """
    weights = [weigh_frames(edges, one.start, one.end) for one in segments]  # (T,) each, seconds
    means = [evidence @ seconds / seconds.sum() for seconds in weights]
    least = NEAR_BEST * segments[0].score
    return [
        replace(one, stands_out=bool(mean >= threshold and one.score >= least))
        for one, mean in zip(segments, means, strict=True)
    ]


def measure_segment_similarities(pictures: "Tensor", answer: Answer) -> list[np.ndarray]:
    """For each segment of an answer, the (T,) cosines of `pictures` (T, D) with it, see `measure_moment_similarity`."""
    from torch import from_numpy

    times, scores = from_numpy(answer.timestamps), from_numpy(answer.scores).float()  # (T,) each
    bounds = [(segment.start, segment.end) for segment in answer.segments]
    return [measure_moment_similarity(pictures, times, scores, span).numpy() for span in bounds]
