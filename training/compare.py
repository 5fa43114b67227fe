"""Holds freshly extracted features against published ones of the same videos, frame by frame.

    python -m training.extract --videos DIR --encoder open_clip:ViT-B-32-quickgelu:openai --rate 1 --out OWN
    python -m training.compare OWN PUBLISHED.safetensors TIMESTAMPS.safetensors

Prints the cosine between each published frame and the extracted one nearest in time. Frames may lie up to half a step
apart and be scaled differently, so a few low cosines are no alarm; a low median is. Exit status 1 if it is below 0.95.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from safetensors import safe_open

from grounding.errors import GroundingError
from grounding.features.encoded_video import EncodedVideo
from grounding.text import stop_quietly
from training.features import FeatureFolder, PublishedFeatures
from training.files import DataError

SAME = 0.95  # median cosine from which features count as those of one encoder


def compute_cosines(own: EncodedVideo, published: EncodedVideo) -> np.ndarray:
    """(T,) cosine of each published frame with our frame nearest in time."""
    apart = np.abs(published.timestamps[:, None] - own.timestamps[None])  # (T, S)
    nearest = own.features[apart.argmin(axis=1)].astype(np.float32)  # (T, D)
    other = published.features.astype(np.float32)  # (T, D)
    lengths = np.linalg.norm(nearest, axis=1) * np.linalg.norm(other, axis=1)  # (T,)
    return (nearest * other).sum(axis=1) / np.maximum(lengths, 1e-9)  # (T,)


def compare(own: Path, features: Path, timestamps: Path) -> dict[str, np.ndarray]:
    """Cosines (T,) by video, of the videos that both hold. Raises DataError if there is none, or widths differ."""
    found = {}
    for path in sorted(own.rglob("*.safetensors")):
        with safe_open(path, "numpy") as file:
            encoder, width = file.metadata()["encoder"], file.get_slice("features").get_shape()[1]
        name = str(path.relative_to(own).with_suffix(""))
        video = find_published_name(name, timestamps)
        if video:
            published = PublishedFeatures(features, timestamps, encoder, width).load(video)
            found[name] = compute_cosines(FeatureFolder(own, encoder, width).load(name), published)
    if not found:
        raise DataError(f"{own} holds features of no video that {features} knows: extract some of its videos first.")
    return found


def find_published_name(name: str, timestamps: Path) -> str | None:
    """The video's name in a published file, which may leave out the suffix; None where it is not there."""
    try:
        with safe_open(timestamps, "numpy") as file:
            return next((key for key in (name, str(Path(name).with_suffix(""))) if key in file.keys()), None)  # noqa: SIM118
    except (OSError, ValueError) as error:
        raise DataError(f"{timestamps} cannot be read ({error}): give the published timestamps.") from error


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("own", type=Path, help="folder that training.extract wrote")
    parser.add_argument("published", type=Path)
    parser.add_argument("timestamps", type=Path)
    args = parser.parse_args()
    try:
        found = compare(args.own, args.published, args.timestamps)
    except GroundingError as error:
        print(error, file=sys.stderr)
        return 2
    every = np.concatenate(list(found.values()))  # (N,)
    for name, row in found.items():
        print(f"{name}: median {np.median(row):.4f}, lowest {row.min():.4f}, {len(row)} frames")
    print(f"all: median {np.median(every):.4f}, lowest {every.min():.4f}, {len(every)} frames of {len(found)} videos")
    return 0 if np.median(every) >= SAME else 1


if __name__ == "__main__":
    sys.exit(stop_quietly(main, "Stopped."))
