"""Encodes a folder of videos, one safetensors file per video.

    python -m training.extract --videos DIR --encoder embedded --rate 2 --out DIR
    accelerate launch --num_processes 4 -m training.extract --videos DIR ...

Videos that are done already are skipped, so a stopped run goes on; files that cannot be read are reported at the end.
"""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from tqdm import tqdm

from grounding.encoders import load_frame_encoder
from grounding.errors import GroundingError, VideoError
from grounding.predictor import encode_frames
from training.features import feature_path, write_features

SUFFIXES = {".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".flv", ".wmv", ".ogv"}


def find_videos(folder: Path) -> list[str]:
    """Names of the videos below `folder`, relative to it, sorted. Raises VideoError if there is none."""
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not names:
        raise VideoError(f"There is no video in {folder}: give a folder with {', '.join(sorted(SUFFIXES))} files.")
    return names


def extract(names: Iterable[str], videos: Path, encoder_name: str, rate: float, out: Path) -> dict[str, str]:
    """Encodes the videos that `out` lacks. Returns the reason by name of each that could not be read."""
    missing = [name for name in names if not feature_path(out, name).is_file()]
    failed: dict[str, str] = {}
    encoder = load_frame_encoder(encoder_name) if missing else None
    for name in tqdm(missing, unit="video", desc="encoding"):
        try:
            write_features(out, name, encode_frames(videos / name, encoder, rate), rate)
        except VideoError as error:
            failed[name] = str(error)
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=Path, required=True)
    parser.add_argument("--encoder", default="embedded", help="embedded, or open_clip:<model>:<pretrained>")
    parser.add_argument("--rate", type=float, default=2.0, help="frames a second")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    from accelerate import PartialState

    try:
        with PartialState().split_between_processes(find_videos(args.videos)) as names:
            failed = extract(names, args.videos, args.encoder, args.rate, args.out)
    except GroundingError as error:
        print(error, file=sys.stderr)
        return 2
    for name, reason in failed.items():
        print(f"skipped {name}: {reason}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
