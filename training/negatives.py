"""How many of the frames that training takes for background lie inside the moment: the false negatives, by scale.

    python -m training.negatives training/configs/clip-vit-b-32.toml CHECKPOINT MOMENTS
    python -m training.negatives training/configs/embedded.toml embedded MOMENTS --features DIR

The config says how negatives are mined and where the features are, the checkpoint is a grounder that was trained on
other videos, and MOMENTS has start and end, which are read for this count alone.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import torch
from torch import Tensor

from grounding.checkpoint import CheckpointConfig, find_checkpoint, load_grounder, read_config
from grounding.encoders.stand_in import load_stand_in
from grounding.errors import CheckpointError, GroundingError
from grounding.model import Grounder
from grounding.text import stop_quietly
from training.config import TrainConfig, read_train_config
from training.epoch_selection import EncodedQueries
from training.features import FeatureStore, open_features
from training.losses import ContrastConfig, OwnFrames, estimate_foreground, mine_scales, rescale_scores
from training.moments import DataError, Moment, read_moments
from training.sources import path_from_moments

Frames = dict[str, Tensor]  # by name, the frames that were taken for something, (Q, T) bool


def mark_frames(frames: Tensor, logits: Tensor, timestamps: Tensor, config: ContrastConfig) -> Frames:
    """What each contrast takes for foreground and background in one video.

    Args:
        frames: (T, D) unit length.
        logits: (Q, T) of the video's queries.
        timestamps: (T,) seconds.
    """
    count, mask = len(logits), torch.ones_like(logits, dtype=torch.bool)  # (Q, T)
    foreground, background = estimate_foreground(rescale_scores(logits, mask), mask, config)  # (Q, T) each
    found = {"all frames": mask, "foreground": foreground > 0, "background of coarse contrast": background}
    own_frames = OwnFrames(frames.unsqueeze(0), torch.zeros(count, dtype=torch.long))
    scales = mine_scales(own_frames, logits, mask, timestamps.expand(count, -1), config)
    for number, mined in enumerate(scales, 1):
        found |= {f"foreground at scale {number}": mined.foreground > 0, f"mined at scale {number}": mined.negatives}
    return found


def score_videos(
    grounder: Grounder, moments: Sequence[Moment], store: FeatureStore, queries: EncodedQueries
) -> Iterator[tuple[list[Moment], Tensor, Tensor, Tensor]]:
    """The moments of each video, its frames (T, D), logits (Q, T) and timestamps (T,)."""
    for video, rows in groupby(sorted(moments, key=lambda moment: moment.video), key=lambda moment: moment.video):
        rows = list(rows)
        encoded, tokens = store.load(video, rows[0].duration), queries.encode([row.query.strip() for row in rows])
        features = torch.from_numpy(encoded.features).float().unsqueeze(0)  # (1, T, Dv)
        frames = grounder.frame_tower(features, torch.ones(features.shape[:2], dtype=torch.bool))  # (1, T, D)
        logits = grounder.logits(grounder.query_tower(tokens.tokens, tokens.mask), frames)  # (Q, 1, T)
        yield rows, frames[0], logits[:, 0], torch.from_numpy(encoded.timestamps).float()


@torch.inference_mode()
def count_inside(grounder: Grounder, moments: Sequence[Moment], config: TrainConfig, queries: EncodedQueries) -> str:
    """A markdown table of how many frames were taken for what, and the share of them inside the annotated moment.

    `moments` have start and end. Raises DataError as the feature stores do.
    """
    store = open_features(config.data, config.frame_encoder, config.model.frame_width, config.rate)
    total, inside = Counter(), Counter()
    for rows, frames, logits, timestamps in score_videos(grounder, moments, store, queries):
        true = torch.stack([mark_inside(row, timestamps) for row in rows])  # (Q, T)
        for name, chosen in mark_frames(frames, logits, timestamps, config.objective.contrast).items():
            total[name] += int(chosen.sum())
            inside[name] += int((chosen & true).sum())
    rows = [f"| {name} | {number:,} | {100 * inside[name] / max(number, 1):.1f}% |\n" for name, number in total.items()]
    return "".join(["| taken for | frames | inside the moment |\n", "|---|---|---|\n", *rows])


def mark_inside(moment: Moment, timestamps: Tensor) -> Tensor:
    """Which frames lie in a span of the moment: (T,) seconds give (T,) bool."""
    start, end = torch.tensor(moment.spans).T.unsqueeze(-1)  # (W, 1) each
    return ((timestamps >= start) & (timestamps < end)).any(dim=0)  # (T,)


def read_annotated(path: Path) -> list[Moment]:
    """The moments with start and end. Raises DataError where there is none."""
    known = [moment for moment in read_moments(path) if moment.start is not None]
    if not known:
        raise DataError(f"{path} has no moment with start and end: give one that has, since they are what is counted.")
    return known


def check_fits(checkpoint: CheckpointConfig, config: TrainConfig) -> None:
    """Raises CheckpointError if a checkpoint reads other frames than those of the config."""
    theirs, ours = ((each.frame_encoder, each.rate) for each in (checkpoint, config))
    if theirs != ours:
        raise CheckpointError(
            f"The checkpoint {checkpoint.name!r} reads {theirs[0]!r} at {theirs[1]:g} fps, but the config has "
            f"{ours[0]!r} at {ours[1]:g} fps: give a checkpoint and a config of the same frames."
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="a training config")
    parser.add_argument("checkpoint", help="a name under checkpoints/, or a folder")
    parser.add_argument("moments", type=Path, help="moments with start and end")
    parser.add_argument("--features", help="folder of encoded videos, where it is not that of the config")
    args = parser.parse_args()
    try:
        config = read_train_config(args.config)
        if args.features:
            config = replace(config, data=replace(config.data, features=args.features, timestamps=""))
        folder = find_checkpoint(args.checkpoint)
        checkpoint = read_config(folder)
        check_fits(checkpoint, config)
        moments = read_annotated(args.moments)
        stand_in = load_stand_in(folder, checkpoint.model.width, checkpoint.stand_in) if checkpoint.stand_in else None
        asked = sorted({moment.query.strip() for moment in moments})
        queries = EncodedQueries(asked, path_from_moments(args.moments), stand_in)
        print(count_inside(load_grounder(folder, checkpoint), moments, config, queries), end="")
    except GroundingError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(stop_quietly(main, "Stopped."))
