"""Whether answers depend on what computes the embedded tower: torch or OpenVINO, in float32 or bfloat16.

    python -m tests.benchmarks.agreement --videos DIR --moments FILE --count 60

Of each combination: on how many queries the best segment is not, within one sampled frame at both ends, that of torch
in float32, and R@1 IoU=0.5. bfloat16 is left out where the CPU does not compute in it.
"""

import argparse
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch

from grounding import EncodedVideo, Predictor
from grounding.encoders.devices import tower_dtype
from grounding.encoders.frames import EmbeddedFrameEncoder
from grounding.features.chunks import BLOCK
from grounding.features.new_frames import NewFrameEncoder
from grounding.isolation.client import IsolatedReader
from grounding.segments.find import Segment, compute_iou

CPU = torch.device("cpu")


def make_encoders() -> dict[str, EmbeddedFrameEncoder]:
    """Each runtime with each arithmetic, torch in float32 first."""
    encoders = {}
    dtypes = (torch.float32, torch.bfloat16)[: 2 if tower_dtype(CPU) is torch.bfloat16 else 1]
    for dtype in dtypes:
        with patch("grounding.encoders.frames.tower_dtype", lambda device, dtype=dtype: dtype):
            with patch("grounding.encoders.frames.compile_for", lambda *_: None):
                encoders[f"torch {dtype}"] = EmbeddedFrameEncoder(CPU)
            encoders[f"openvino {dtype}"] = EmbeddedFrameEncoder(CPU)
    return encoders


def encode(path: Path, rate: float, encoders: dict[str, EmbeddedFrameEncoder]) -> dict[str, EncodedVideo]:
    """A video's features by each encoder; it is decoded once."""
    reader = IsolatedReader(path, rate)
    frames, times, rows = iter(reader), [], {name: [] for name in encoders}
    while chunk := list(islice(frames, BLOCK)):
        times += [frame.timestamp for frame in chunk]
        for name, encoder in encoders.items():
            features = NewFrameEncoder(encoder).encode([frame.image for frame in chunk])  # (B, D)
            rows[name].append(features.astype(np.float16))
    stamps = np.array(times)
    return {
        name: EncodedVideo(stamps, np.concatenate(each), reader.duration, "embedded") for name, each in rows.items()
    }


def read_moments(path: Path) -> Iterator[dict]:
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=Path, required=True, help="folder that holds the files")
    parser.add_argument("--moments", type=Path, required=True, help="their moments file")
    parser.add_argument("--count", type=int, default=60, help="how many videos")
    args = parser.parse_args()
    predictor, encoders = Predictor.from_checkpoint("embedded", device="cpu"), make_encoders()
    found: dict[str, list[Segment]] = {name: [] for name in encoders}
    truths = []
    for moment in islice(read_moments(args.moments), args.count):
        videos = encode(args.videos / moment["video"], predictor.config.rate, encoders)
        truths.append((moment["start"], moment["end"]))
        for name, video in videos.items():
            found[name].append(predictor.ground(video, moment["query"]).segments[0])
    frame = 1 / predictor.config.rate
    reference = np.array([(segment.start, segment.end) for segment in next(iter(found.values()))])  # (Q, 2)
    for name, segments in found.items():
        spans = np.array([(segment.start, segment.end) for segment in segments])  # (Q, 2)
        moved = int((np.abs(spans - reference).max(axis=1) > frame + 1e-6).sum())
        right = 100 * np.mean([compute_iou(*pair) >= 0.5 for pair in zip(spans, truths, strict=True)])
        print(f"{name}: {moved} of {len(spans)} segments moved by more than a frame, R@1 IoU=0.5 {right:.1f}")


if __name__ == "__main__":
    main()
