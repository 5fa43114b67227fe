"""Encodes a folder of videos, one safetensors file per video. A folder of pictures counts as a video, too.

    python -m training.extract --videos DIR --encoder embedded --rate 2 --out DIR
    python -m training.extract --videos DIR --encoder open_clip:ViT-B-32-quickgelu:openai --weights FILE --out DIR
    accelerate launch --multi_gpu --num_processes 8 -m training.extract --videos DIR --out DIR
    accelerate launch --multi_gpu --num_processes 8 -m training.extract --videos DIR --store DIR

Videos that are done already are skipped, so a stopped run goes on, and any number of runs may work on one folder.
Linked folders are entered. Files that are no videos by suffix or content are left out, and one line names them. Videos
that cannot be read are skipped and reported at the end, a line each; the exit status is 1 if there are any.

Pictures of one folder are its frames in the order of their names. Their times are not known: with --rate 2 they count
as half a second apart.
"""

import argparse
import random
import sys
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np
import torch
from tqdm import tqdm

from grounding.encoders.oom_fallback import FallbackFrameEncoder
from grounding.encoders.registry import FrameEncoder, load_frame_encoder
from grounding.errors import GroundingError, VideoError
from grounding.features.encoded_video import EncodedVideo
from grounding.features.streaming import encode_frames
from grounding.library.feature_files import feature_place, features_folder
from grounding.text import describe_skipped, escape_unprintable, list_first, stop_quietly
from training.features import is_written, write_features
from training.files import DataError, check_folder
from training.video_files import PICTURES, find_videos

PATIENCE = timedelta(days=30)  # of a process that is done, for the others


def encode_frame_folder(folder: Path, encoder: FrameEncoder, rate: float) -> EncodedVideo:
    """Encodes the pictures of a folder as frames 1 / `rate` seconds apart. Raises VideoError if one cannot be read."""
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES)
    frames = [_read_picture(path) for path in paths]
    features = encoder.encode(frames).numpy()  # (T, Dv)
    return EncodedVideo(np.arange(len(frames)) / rate, features, len(frames) / rate, encoder.name)


def _read_picture(path: Path) -> np.ndarray:
    """(H, W, 3) uint8 RGB. Raises VideoError."""
    pixels = np.fromfile(path, dtype=np.uint8)
    picture = cv2.imdecode(pixels, cv2.IMREAD_COLOR) if len(pixels) else None
    if picture is None:
        raise VideoError(f"{path} cannot be read as a picture: mend or delete it.")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def extract(
    names: Iterable[str],
    videos: Path,
    encoder_name: str,
    rate: float,
    out: Path,
    device: str = "auto",
    weights: Path | None = None,
) -> dict[str, str]:
    """Encodes the videos that `out` lacks. Returns the reason by name of each that could not be read.

    Raises:
        DataError: `out` cannot be written, or holds features of another encoder or rate.
        EncoderError: the encoder's weights are missing or damaged.
    """
    missing = [name for name in names if not is_written(out, name, encoder_name, rate)]
    if not missing:
        return {}
    failed: dict[str, str] = {}
    encoder = FallbackFrameEncoder(lambda device: load_frame_encoder(encoder_name, device, weights), device)
    random.shuffle(missing)  # other runs on this folder go another way through it, and all of them share the work
    for name in tqdm(missing, unit="video", desc="encoding"):
        try:
            if not is_written(out, name, encoder_name, rate):
                encode = encode_frame_folder if (videos / name).is_dir() else encode_frames
                video = encode(videos / name, encoder, rate)
                write_features(out, name, video, rate)
                if video.skipped:
                    note = describe_skipped(video.skipped, video.duration)
                    tqdm.write(f"{escape_unprintable(name)}: {note}", sys.stderr)
        except VideoError as error:
            failed[name] = str(error)
    if encoder.note:
        print(encoder.note, file=sys.stderr)
    return dict(sorted(failed.items()))


def describe_left_out(names: list[str]) -> str:
    """Says in a line which files were taken for no videos; names the first of them."""
    return escape_unprintable(f"left out as no videos: {list_first(names)}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=Path, required=True)
    parser.add_argument("--encoder", default="embedded", help="embedded, or open_clip:<model>:<pretrained>")
    parser.add_argument("--weights", type=Path, help="local file with an open_clip encoder's weights")
    parser.add_argument("--rate", type=float, default=2.0, help="frames a second")
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--out", type=Path, help="folder of the features")
    place.add_argument("--store", type=Path, help="that of a library, which `python -m grounding search` then searches")
    args = parser.parse_args()
    from accelerate import PartialState

    try:
        if not 0 < args.rate < 1000:
            raise DataError(f"--rate {args.rate} is no number of frames a second: give one above 0 and below 1000.")
        out = args.out or feature_place(features_folder(args.store, args.encoder, args.rate), args.videos.absolute())
        check_folder(out)
        state = PartialState(cpu=not torch.cuda.is_available(), timeout=PATIENCE)
        found = find_videos(args.videos)
        if found.left_out and state.is_main_process:
            print(describe_left_out(found.left_out), file=sys.stderr)
        with state.split_between_processes(found.videos) as names:
            device = str(state.device)
            failed = extract(names, args.videos, args.encoder, args.rate, out, device, args.weights)
    except GroundingError as error:
        print(error, file=sys.stderr)
        return 2
    for name, reason in failed.items():
        print(f"skipped {name}: {reason}", file=sys.stderr)
    state.wait_for_everyone()  # a launcher stops all processes when one ends with a status other than 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(stop_quietly(main))
