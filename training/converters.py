"""Published annotations as moments files.

    python -m training.converters charades charades_sta_train.txt charades_durations.csv --out train.jsonl
    python -m training.converters activitynet train.json --out train.jsonl
    python -m training.converters qvhighlights highlight_val_release.jsonl --out val.jsonl
    python -m training.converters msrvtt clips.jsonl --split train --out train.jsonl
    python -m training.converters folds annotations.jsonl --split 0 1 2 3 --out train.jsonl

`msrvtt` reads clips with their captions, whole clips being the moments; `folds` reads Charades-STA with a fold for
each video. A span that runs over its video's end is cut there. Where no span is left, the
sentence stays without one, for training; such lines are counted.
"""

import argparse
import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from grounding.errors import GroundingError
from training.moments import DataError, Moment, write_moments

Row = tuple[str, float, str, float, float]  # video, duration, query, start, end


def charades(annotations: Path, durations: Path) -> Iterator[Row]:
    """Charades-STA as published (Gao et al., ICCV 2017): `ID start end##sentence`, with durations from a CSV
    whose columns are `id` and `length` (as in Charades_v1_train.csv) or `video_id` and `duration`."""
    with durations.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    seconds = {row.get("video_id") or row["id"]: float(row.get("duration") or row["length"]) for row in rows}
    for line in annotations.read_text(encoding="utf-8").split("\n"):
        if line.strip():
            span, query = line.split("##", 1)
            video, start, end = span.split()
            yield video, seconds[video], query, float(start), float(end)


def activitynet(annotations: Path) -> Iterator[Row]:
    """ActivityNet Captions as published (Krishna et al., ICCV 2017)."""
    for video, entry in json.loads(annotations.read_text(encoding="utf-8")).items():
        for query, (start, end) in zip(entry["sentences"], entry["timestamps"], strict=True):
            yield video, float(entry["duration"]), query.strip(), float(start), float(end)


def qvhighlights(annotations: Path) -> Iterator[Row]:
    """QVHighlights as published (Lei et al., NeurIPS 2021): a moment for each relevant window of a query."""
    for entry in json_lines(annotations):
        for start, end in entry["relevant_windows"]:
            yield entry["vid"], float(entry["duration"]), entry["query"], float(start), float(end)


def folds(annotations: Path, split: list[str]) -> Iterator[Row]:
    """Charades-STA with a fold for each video; `split` names the folds that are wanted."""
    for entry in json_lines(annotations):
        if str(entry["fold"]) in split:
            yield entry["video_id"], entry["duration"], entry["query"], entry["start"], entry["end"]


def msrvtt(clips: Path, split: list[str]) -> Iterator[Row]:
    """Clips with captions: every caption describes its whole clip. Names are those of the files in `videos/`."""
    from grounding.video import FrameReader

    for entry in json_lines(clips):
        if entry["split"] in split:
            name = f"{entry['video_id']}.mp4"
            reader = FrameReader(clips.parent / "videos" / name, rate=1.0)
            for _ in reader.timed():
                pass
            yield from ((name, reader.duration, query, 0.0, reader.duration) for query in entry["captions"])


def json_lines(path: Path) -> Iterator[dict]:
    """The objects of a file with one JSON object per line."""
    for line in path.read_text(encoding="utf-8").split("\n"):
        if line.strip():
            yield json.loads(line)


def to_moments(rows: Iterable[Row]) -> tuple[list[Moment], int]:
    """Moments, spans cut at the video's end, and how many of them are left without a span."""
    moments = []
    for video, duration, query, start, end in rows:
        start, end = max(0.0, start), min(end, duration)
        span = (start, end) if start < end else (None, None)
        moments.append(Moment(video, duration, query.strip(), *span))
    return moments, sum(moment.start is None for moment in moments)


READERS: dict[str, Callable[..., Iterator[Row]]] = {
    reader.__name__: reader for reader in (charades, activitynet, qvhighlights, folds, msrvtt)
}


def convert(kind: str, files: list[Path], split: list[str], out: Path) -> str:
    """Converts and says in a sentence what was written. Raises DataError naming the file."""
    try:
        rows = READERS[kind](*files, *([split] if split else []))
        moments, without = to_moments(rows)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise DataError(f"{', '.join(map(str, files))}: not {kind} as published ({reason}); see --help.") from error
    count = write_moments(out, moments)
    videos = len({moment.video for moment in moments})
    return f"{count:,} moments of {videos:,} videos in {out}; {without:,} without a span"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=sorted(READERS))
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--split", nargs="+", default=[], help="splits or folds to keep, for msrvtt and folds")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    try:
        print(convert(args.kind, args.files, args.split, args.out))
    except GroundingError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
