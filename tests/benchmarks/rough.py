"""How often the rough answer, from key frames alone, is right, beside the answer from all frames.

    python -m tests.benchmarks.rough --videos DIR --moments FILE --count 400

Prints the metrics of training.evaluate over the videos that have a rough answer, and how many these are.
"""

import argparse
import json
from itertools import islice
from pathlib import Path

from grounding import EncodedVideo, Predictor
from grounding.segments.find import Span
from training.metrics import compute_recalls


def find_spans(predictor: Predictor, video: EncodedVideo, query: str) -> list[Span]:
    """The first five segments."""
    return [(segment.start, segment.end) for segment in predictor.ground(video, query).segments]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=Path, required=True, help="folder that holds the files")
    parser.add_argument("--moments", type=Path, required=True, help="their moments file")
    parser.add_argument("--count", type=int, default=400, help="how many videos")
    parser.add_argument("--checkpoint", default="embedded")
    args = parser.parse_args()
    predictor, truths = Predictor.from_checkpoint(args.checkpoint), []
    found: dict[str, list[list[Span]]] = {"rough": [], "final": []}
    with args.moments.open(encoding="utf-8") as lines:
        for moment in map(json.loads, islice(lines, args.count)):
            path = args.videos / moment["video"]
            key_frames = predictor.encode_key_frames(path)
            if key_frames is None:
                continue
            truths.append([(moment["start"], moment["end"])])
            found["rough"].append(find_spans(predictor, key_frames.video(), moment["query"]))
            found["final"].append(find_spans(predictor, predictor.encode_video(path), moment["query"]))
            if len(truths) % 20 == 0:
                report(found, truths)
    report(found, truths)


def report(found: dict[str, list[list[Span]]], truths: list[list[Span]]) -> None:
    """A line for each kind of answer."""
    for name, spans in found.items():
        print(f"{len(truths)} videos, {name}: {compute_recalls(spans, truths)}", flush=True)


if __name__ == "__main__":
    main()
