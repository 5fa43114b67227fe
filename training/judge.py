"""Chooses from when on a moment stands out, and writes the rule into a checkpoint.

    python -m training.judge embedded MOMENTS.jsonl --features DIR
    python -m training.judge clip-vit-b-32 MOMENTS.jsonl --features FILE --timestamps FILE

Every second video of MOMENTS, which the checkpoint was not trained on, chooses: frames of these videos are the
background, and the rule is the one that tells off sentences of other videos and nonsense TOLD_OFF of the time and the
videos' own sentences as seldom as can be. Whether a video that stands out from its start to its end is one moment is
asked of these videos, where no moment may be lost by it, and of their moments cut out, where some must be gained. The
other videos measure the rule, with the same background. Composed videos whose lines name the "clips" they are joined
from do not take each other's sentences where they share one.

Writes background.safetensors and, into config.json, "stands_out". Run it again after every training, and after
`training.scene_joins`.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from grounding import Predictor
from grounding.checkpoint import find_checkpoint
from grounding.errors import GroundingError
from grounding.files import hash_file
from grounding.segments.stand_out import BACKGROUND_FILE, StandOutRule, measure_evidence
from grounding.text import stop_quietly
from training.asked_queries import KINDS, Judge, Judged, invent_nonsense, read_videos
from training.evaluate import open_store
from training.export import write_config
from training.files import DataError, write_whole

POWERS = (0.5, 0.75, 1.0, 1.5, 2.0)
# Share of what does not belong to a video: above 0.9, so that nine of ten are in the measuring halves, too.
TOLD_OFF = 0.91


def measure_all(judged: Sequence[Judged], power: float) -> np.ndarray:
    """The evidence of each, (J,)."""
    return np.array([measure_evidence(each.scores, each.weights, each.background, power) for each in judged])


def choose_rule(judged: Sequence[Judged], powers: Sequence[float] = POWERS) -> tuple[float, float]:
    """Power, one of `powers`, and threshold that tell off the fewest own sentences, where TOLD_OFF of each other kind
    are."""
    kinds = np.array([each.kind for each in judged])
    best = (np.inf, 0.0, 0.0)
    for power in powers:
        evidence = measure_all(judged, power)
        threshold = max(float(np.quantile(evidence[kinds == kind], TOLD_OFF)) for kind in KINDS[1:])
        own = evidence[kinds == "own"]
        standing = own[own >= threshold]
        threshold = (
            float((threshold + standing.min()) / 2) if len(standing) else threshold
        )  # off the edge on both sides
        best = min(best, (float((own < threshold).mean()), power, threshold))
    return best[1:]


def choose_fills(parts: tuple[int, int], cut_out: tuple[int, int]) -> bool:
    """Whether a video that stands out as a whole is one moment, by what `count_found` gives: none of the moments that
    are parts of their videos may be lost by it, and some of those that are cut out must be gained."""
    return parts[1] >= parts[0] and cut_out[1] > cut_out[0]


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
    write_config(replace(predictor.config, stands_out=rule), folder)
    return rule


def choose_and_write(
    checkpoint: str, moments: Path, features: Path, timestamps: Path | None, powers: Sequence[float] = POWERS
) -> StandOutRule:
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
    power, threshold = choose_rule(asked, powers)
    rule = StandOutRule(power, threshold, "")
    fills = choose_fills(judge.count_found(halves[0], rule, False), judge.count_found(halves[0], rule, True))
    rule = replace(rule, fills=fills)
    record = {
        "told off, percent": measure_rule(judge.ask(halves[1], nonsense[1::2], rule, seed=1), power, threshold),
        "found without and with fills": judge.count_found(halves[1], rule, False),
        "found without and with fills, cut out": judge.count_found(halves[1], rule, True),
        "on": f"{len(halves[1])} videos of {moments.name}",
    }
    return write_rule(folder, predictor, replace(rule, measured=record), judge.background)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", help="a name under checkpoints/, or a folder")
    parser.add_argument("moments", type=Path)
    parser.add_argument("--features", type=Path, required=True, help="folder of encoded videos, or a published file")
    parser.add_argument("--timestamps", type=Path, help="published file with the timestamps of the features")
    text = "how much the best of the others' frames may count"
    parser.add_argument("--power", type=float, nargs="+", choices=POWERS, default=POWERS, help=text)
    args = parser.parse_args()
    try:
        rule = choose_and_write(args.checkpoint, args.moments, args.features, args.timestamps, args.power)
    except GroundingError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(asdict(rule)))
    return 0


if __name__ == "__main__":
    sys.exit(stop_quietly(main, "Stopped."))
