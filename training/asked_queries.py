"""Queries asked of videos as the product would: their own, those of other videos, and nonsense."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from grounding import EncodedVideo, Predictor
from grounding.answer import find_answer_segments
from grounding.encoders.queries import QueryTokens
from grounding.scoring import Match
from grounding.segments.curve import edges_from_timestamps
from grounding.segments.find import compute_iou
from grounding.segments.stand_out import StandOutRule, weigh_frames
from training.features import FeatureStore
from training.files import read_lines
from training.moments import Moment, parse_moment

FRAMES = 256  # of other videos that are kept
OTHERS = 10  # sentences of other videos, and a quarter as many of nonsense, that each moment's video is asked
KINDS = ("own", "others", "nonsense")
SYLLABLES = "ba bli cru dra fen fli gnu hox jub kel lum mip nar oof plu qui rix sno spla tez ulb vex wug xil zog zxq"


@dataclass(frozen=True)
class Judged:
    """One sentence asked of one video.

    Attributes:
        kind: of KINDS.
        scores: (T,) matching scores.
        weights: (T,) seconds of each frame that lie in the best segment.
        background: (N,) matching scores at the frames of other videos.
        right: whether the best segment is the moment asked for, IoU 0.5 or more.
    """

    kind: str
    scores: np.ndarray
    weights: np.ndarray
    background: np.ndarray
    right: bool = False


def read_videos(path: Path) -> dict[str, list[tuple[Moment, frozenset[str]]]]:
    """The moments of each video, with the clips that it is joined from, or else its own name."""
    videos: dict[str, list[tuple[Moment, frozenset[str]]]] = {}
    for number, line in read_lines(path):
        moment = parse_moment(line, f"{path}, line {number}")
        clips = frozenset(json.loads(line).get("clips", [moment.video]))
        videos.setdefault(moment.video, []).append((moment, clips))
    return videos


def invent_nonsense(count: int, seed: int = 0) -> list[str]:
    """Sentences of words that do not exist."""
    rng, syllables = random.Random(seed), SYLLABLES.split()

    def invent_word() -> str:
        return "".join(rng.choice(syllables) for _ in range(rng.randint(1, 3)))

    plans = ["{} {}", "a {} {}s the {}", "{}", "the {} {} of {} {}"]
    return ["zxqv blorp", *(rng.choice(plans).format(*(invent_word() for _ in range(4))) for _ in range(count - 1))]


class Judge:
    """Asks videos their own sentences, those of other videos and nonsense.

    Args:
        predictor: of the checkpoint.
        store: the videos' features.
        videos: as `read_videos` gives them.
        background: names of the videos whose frames are held against.
    """

    def __init__(self, predictor: Predictor, store: FeatureStore, videos: dict, background: Sequence[str]) -> None:
        self.predictor, self.videos = predictor, videos
        self.encoded = {name: store.load(name, rows[0][0].duration) for name, rows in videos.items()}
        self.frames = {name: predictor.matcher.embed_video(video).cpu() for name, video in self.encoded.items()}
        owners = [name for name in background for _ in self.frames[name]]
        chosen = sorted(random.Random(0).sample(range(len(owners)), min(FRAMES, len(owners))))
        self.owners = np.array([owners[index] for index in chosen])  # (N,)
        self.background = torch.cat([self.frames[name] for name in background])[chosen].half()  # (N, D)
        self.queries: dict[str, torch.Tensor] = {}

    @torch.inference_mode()
    def embed_queries(self, queries: list[str]) -> None:
        """Embeds the sentences that are asked, in batches."""
        missing = sorted(set(queries) - set(self.queries))
        for start in range(0, len(missing), 128):
            batch = missing[start : start + 128]
            read = self.predictor.query_encoder.encode(batch)
            self.queries |= dict(zip(batch, self.predictor.grounder.query_tower(read.tokens, read.mask), strict=True))

    def ask(
        self, names: Sequence[str], nonsense: Sequence[str], rule: StandOutRule | None = None, seed: int = 0
    ) -> list[Judged]:
        """Every own sentence of the named videos, and OTHERS of the others among them with nonsense for each."""
        rng, asked = random.Random(seed), []
        rows = [row for name in names for row in self.videos[name]]
        for name in names:
            clips = self.videos[name][0][1]
            for moment, _ in self.videos[name]:
                strangers = (row for row in rng.sample(rows, len(rows)) if not row[1] & clips)
                others = [row[0].query for row, _ in zip(strangers, range(OTHERS), strict=False)]
                made_up = rng.sample(list(nonsense), min(OTHERS // 4, len(nonsense)))
                asked += [(name, "own", moment.query, moment)]
                asked += [(name, "others", query, None) for query in others]
                asked += [(name, "nonsense", query, None) for query in made_up]
        self.embed_queries([query for _, _, query, _ in asked])
        return [self.judge(*each, rule) for each in asked]

    def count_found(self, names: Sequence[str], rule: StandOutRule, cut_out: bool) -> tuple[int, int]:
        """How many moments of the named videos are found where no video is one moment, and where the rule may say so.

        `cut_out`: each moment is asked for in a video that shows nothing else.
        """
        moments = [row[0] for name in names for row in self.videos[name] if row[0].start is not None]
        self.embed_queries([moment.query for moment in moments])
        without, allowed = (
            sum(self.judge(moment.video, "own", moment.query, moment, each, cut_out).right for moment in moments)
            for each in (replace(rule, fills=False), replace(rule, fills=True))
        )
        return without, allowed

    @torch.inference_mode()
    def judge(
        self,
        name: str,
        kind: str,
        query: str,
        moment: Moment | None,
        rule: StandOutRule | None = None,
        cut_out: bool = False,
    ) -> Judged:
        """One sentence asked of one video as the product would; frames of that video are no background to it."""
        video, grounder, frames = self.encoded[name], self.predictor.grounder, self.frames[name]  # frames: (T, D)
        if cut_out:
            video = cut_video(video, moment.start, moment.end)
            moment = replace(moment, duration=video.duration, start=0.0, end=video.duration, windows=())
            frames = self.predictor.matcher.embed_video(video).cpu()  # (T, D)
        embedded = self.queries[query][None]  # (1, D)
        scores = grounder.logits(embedded, frames).sigmoid()  # (1, T)
        background = grounder.logits(embedded, self.background[self.owners != name].float()).sigmoid()  # (1, N)

        tokens = QueryTokens(embedded[None], torch.ones(1, 1, dtype=torch.bool))
        match = Match(scores, tokens, "", background, self.predictor.matcher.joins)
        curve, (best,) = find_answer_segments(replace(self.predictor.config, stands_out=rule), video, match, 0, 1)
        edges = edges_from_timestamps(video.timestamps, video.duration)  # (T + 1,)
        weights = weigh_frames(edges, best.start, best.end)  # (T,)
        known = moment is not None and moment.start is not None
        right = known and compute_iou(best.span, (moment.start, moment.end)) >= 0.5
        return Judged(kind, curve, weights, background[0].double().numpy(), right)


def cut_video(video: EncodedVideo, start: float, end: float) -> EncodedVideo:
    """What of a video lies between two times, seconds, as a video of its own; its nearest frame where none does."""
    inside = (video.timestamps >= start) & (video.timestamps < end)  # (T,)
    if not inside.any():
        nearest = np.abs(video.timestamps - start).argmin()
        return EncodedVideo(np.zeros(1), video.features[[nearest]], end - start, video.encoder)
    return EncodedVideo(video.timestamps[inside] - start, video.features[inside], end - start, video.encoder)
