"""Chooses from when on a moment stands out, and writes the rule into a checkpoint.

    python -m training.judge embedded MOMENTS.jsonl --features DIR
    python -m training.judge clip-vit-b-32 MOMENTS.jsonl --features FILE --timestamps FILE

Every second video of MOMENTS, which the checkpoint was not trained on, chooses: frames of these videos are the
background, and the rule is the one that tells off sentences of other videos and nonsense nine times of ten and the
videos' own sentences as seldom as can be. Where that loses no moment, a video whose frames
stand out one by one is one moment from its start to its end. The other videos measure the rule, with the same
background. Composed videos whose lines name the "clips" they are joined from do not take each other's sentences where
they share one.

Writes background.safetensors and, into config.json, "stands_out". Run it again after every training.
"""

import argparse
import json
import random
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from grounding import Predictor
from grounding.checkpoint import find_checkpoint
from grounding.errors import GroundingError
from grounding.files import hash_file
from grounding.segments.curve import edges_from_timestamps
from grounding.segments.find import compute_iou, find_segments
from grounding.segments.scene_changes import find_scene_changes
from grounding.segments.stand_out import BACKGROUND_FILE, StandOutRule, measure_evidence, weigh_frames
from training.evaluate import open_store
from training.features import FeatureStore
from training.files import DataError, read_lines, write_whole
from training.moments import Moment, parse_moment

FRAMES = 256  # of other videos that are kept
OTHERS = 10  # sentences of other videos, and a quarter as many of nonsense, that each moment's video is asked
POWERS = (0.5, 0.75, 1.0, 1.5, 2.0)
TOLD_OFF = 0.9  # share of what does not belong to a video
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
        fills: whether the whole video is the moment asked for, IoU 0.5 or more.
    """

    kind: str
    scores: np.ndarray
    weights: np.ndarray
    background: np.ndarray
    right: bool = False
    fills: bool = False


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

    def ask(self, names: Sequence[str], nonsense: Sequence[str], seed: int = 0) -> list[Judged]:
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
        return [self.judge(*each) for each in asked]

    @torch.inference_mode()
    def judge(self, name: str, kind: str, query: str, moment: Moment | None) -> Judged:
        """One sentence asked of one video; frames of that video are no background to it."""
        video, config, grounder = self.encoded[name], self.predictor.config.segments, self.predictor.grounder
        embedded = self.queries[query][None]  # (1, D)
        scores = grounder.logits(embedded, self.frames[name])[0].sigmoid().double().numpy()  # (T,)
        other = self.background[self.owners != name].float()  # (N, D)
        background = grounder.logits(embedded, other)[0].sigmoid().double().numpy()  # (N,)
        changes = video.compute_once("changes", lambda: find_scene_changes(video.timestamps, video.features, config))
        best = find_segments(video.timestamps, scores, video.features, video.duration, 1, config, changes)[0]
        edges = edges_from_timestamps(video.timestamps, video.duration)  # (T + 1,)
        weights = weigh_frames(edges, best.start, best.end)  # (T,)
        right, fills = (
            moment is not None and moment.start is not None and compute_iou(span, (moment.start, moment.end)) >= 0.5
            for span in (best.span, (0.0, video.duration))
        )
        return Judged(kind, scores, weights, background, right, fills)


def measure_all(judged: Sequence[Judged], power: float) -> np.ndarray:
    """The evidence of each, (J,)."""
    return np.array([measure_evidence(each.scores, each.weights, each.background, power) for each in judged])


def choose_rule(judged: Sequence[Judged]) -> tuple[float, float]:
    """Power and threshold that tell off the fewest own sentences, where TOLD_OFF of each other kind are."""
    kinds = np.array([each.kind for each in judged])
    best = (np.inf, 0.0, 0.0)
    for power in POWERS:
        evidence = measure_all(judged, power)
        threshold = max(float(np.quantile(evidence[kinds == kind], TOLD_OFF)) for kind in KINDS[1:])
        own = evidence[kinds == "own"]
        standing = own[own >= threshold]
        threshold = (
            float((threshold + standing.min()) / 2) if len(standing) else threshold
        )  # off the edge on both sides
        best = min(best, (float((own < threshold).mean()), power, threshold))
    return best[1:]


def choose_fills(judged: Sequence[Judged], rule: StandOutRule) -> bool:
    """Whether no moment is lost where a video whose frames stand out is taken for one moment."""
    whole = [each for each in judged if rule.has_all_frames(each.scores, each.background)]
    return sum(each.fills for each in whole) >= sum(each.right for each in whole)


def measure_rule(judged: Sequence[Judged], power: float, threshold: float) -> dict[str, float]:
    """Percent of each kind that is told off, and of the own sentences whose best segment is right."""
    kinds, right = np.array([each.kind for each in judged]), np.array([each.right for each in judged])
    told_off = measure_all(judged, power) < threshold  # (J,)
    groups = {kind: kinds == kind for kind in KINDS} | {"own, found": right}
    return {name: round(100 * float(told_off[rows].mean()), 1) for name, rows in groups.items() if rows.any()}


def write_rule(folder: Path, predictor: Predictor, rule: StandOutRule, background: torch.Tensor) -> StandOutRule:
    """Writes the frames, then the config that names them. Raises DataError if the folder cannot be written."""
    with write_whole(folder / BACKGROUND_FILE) as part:
        save_file({"frames": background.contiguous()}, part)
        rule = replace(rule, background=hash_file(part))
    config = replace(predictor.config, stands_out=rule)
    with write_whole(folder / "config.json") as part:
        part.write_text(json.dumps(asdict(config), indent=2) + "\n", encoding="utf-8")
    return rule


def choose_and_write(checkpoint: str, moments: Path, features: Path, timestamps: Path | None) -> StandOutRule:
    """The whole command. Raises GroundingError."""
    folder = find_checkpoint(checkpoint)
    predictor = Predictor.from_checkpoint(folder, device="cpu")
    videos = read_videos(moments)
    halves = [sorted(videos)[first::2] for first in (0, 1)]
    if any(len(half) < 10 for half in halves):
        raise DataError(f"{moments}: {len(videos)} videos are too few to choose a rule on: give 20 or more.")
    judge = Judge(predictor, open_store(predictor, features, timestamps, None), videos, halves[0])
    nonsense = invent_nonsense(200)
    asked = judge.ask(halves[0], nonsense[::2])
    power, threshold = choose_rule(asked)
    fills = choose_fills(asked, StandOutRule(power, threshold, ""))
    measured = measure_rule(judge.ask(halves[1], nonsense[1::2], seed=1), power, threshold)
    record = {"told off, percent": measured, "on": f"{len(halves[1])} videos of {moments.name}"}
    return write_rule(folder, predictor, StandOutRule(power, threshold, "", fills, record), judge.background)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", help="a name under checkpoints/, or a folder")
    parser.add_argument("moments", type=Path)
    parser.add_argument("--features", type=Path, required=True, help="folder of encoded videos, or a published file")
    parser.add_argument("--timestamps", type=Path, help="published file with the timestamps of the features")
    args = parser.parse_args()
    try:
        rule = choose_and_write(args.checkpoint, args.moments, args.features, args.timestamps)
    except GroundingError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(asdict(rule)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
