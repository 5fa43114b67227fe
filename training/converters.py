"""Published annotations as moments files.

    python -m training.converters charades charades_sta_train.txt charades_durations.csv --out train.jsonl
    python -m training.converters activitynet train.json --out train.jsonl
    python -m training.converters qvhighlights highlight_val_release.jsonl --out val.jsonl
    python -m training.converters msrvtt clips.jsonl --split train --out train.jsonl
    python -m training.converters frames clips.jsonl --out train.jsonl
    python -m training.converters folds annotations.jsonl --split 0 1 2 3 --out train.jsonl

`msrvtt` reads clips with their captions, whole clips being the moments, and `frames` the same of folders of frames;
`folds` reads Charades-STA with a fold for each video. A span that runs over its video's end is cut there. Where no span
is left, as where the start is not before the end, the sentence stays without one, for training. Both are counted.
--features DIR leaves out the videos that were not encoded.
"""

import argparse
import csv
import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from grounding.errors import GroundingError
from training.features import find_file
from training.moments import DataError, Moment, write_moments

Row = tuple[str, float, str, float, float]  # video, duration, query, start, end


def read_charades(annotations: Path, durations: Path) -> Iterator[Row]:
    """Charades-STA as published (Gao et al., ICCV 2017): `ID start end##sentence`, with durations from a CSV
    whose columns are `id` and `length` (as in Charades_v1_train.csv) or `video_id` and `duration`."""
    seconds = read_durations(durations)
    for number, line in read_lines(annotations):
        with name_errors_at(f"{annotations}, line {number}"):
            span, query = line.split("##", 1)
            video, start, end = span.split()
            if video not in seconds:
                raise ValueError(f"{durations} has no duration of {video}, so give the one that has")
            row = video, seconds[video], query, float(start), float(end)
        yield row


def read_durations(path: Path) -> dict[str, float]:
    """Seconds by video, from a CSV. Raises ValueError or KeyError that knows the line."""
    seconds = {}
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        for row in reader:
            with name_errors_at(f"{path}, line {reader.line_num}"):
                seconds[row.get("video_id") or row["id"]] = float(row.get("duration") or row["length"])
    return seconds


def read_activitynet(annotations: Path) -> Iterator[Row]:
    """ActivityNet Captions as published (Krishna et al., ICCV 2017)."""
    for video, entry in json.loads(annotations.read_text(encoding="utf-8")).items():
        with name_errors_at(f"{annotations}, video {video}"):
            spans = zip(entry["sentences"], entry["timestamps"], strict=True)
            rows = [(video, float(entry["duration"]), query, float(start), float(end)) for query, (start, end) in spans]
        yield from rows


def read_qvhighlights(annotations: Path) -> Iterator[Row]:
    """QVHighlights as published (Lei et al., NeurIPS 2021): a moment for each relevant window of a query."""
    for number, entry in read_numbered_objects(annotations):
        with name_errors_at(f"{annotations}, line {number}"):
            row = entry["vid"], float(entry["duration"]), entry["query"]
            rows = [(*row, float(start), float(end)) for start, end in entry["relevant_windows"]]
        yield from rows


def read_folds(annotations: Path, split: list[str]) -> Iterator[Row]:
    """Charades-STA with a fold for each video; `split` names the folds that are wanted."""
    for number, entry in read_numbered_objects(annotations):
        with name_errors_at(f"{annotations}, line {number}"):
            row = tuple(entry[key] for key in ("video_id", "duration", "query", "start", "end"))
            wanted = str(entry["fold"]) in split
        if wanted:
            yield row


def read_msrvtt(clips: Path, split: list[str]) -> Iterator[Row]:
    """Clips with captions: every caption describes its whole clip. Names are those of the files in `videos/`."""
    from grounding.video.reader import FrameReader

    for number, entry in read_numbered_objects(clips):
        with name_errors_at(f"{clips}, line {number}"):
            name, captions = f"{entry['video_id']}.mp4", entry["captions"]
            wanted = entry["split"] in split
        if wanted:
            reader = FrameReader(clips.parent / "videos" / name, rate=1.0)
            for _ in reader.read_timed():
                pass
            yield from ((name, reader.duration, query, 0.0, reader.duration) for query in captions)


def read_frame_folders(clips: Path) -> Iterator[Row]:
    """Folders of frames with captions, each about the whole of its folder, whose frames count as half a second apart.

    A line is an object with "video_id", the folder's name, "frames", how many it holds, and "captions".
    """
    for number, entry in read_numbered_objects(clips):
        with name_errors_at(f"{clips}, line {number}"):
            name, duration, captions = entry["video_id"], entry["frames"] / 2, entry["captions"]
            rows = [(name, duration, query, 0.0, duration) for query in captions]
        yield from rows


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file that are not blank, with their numbers; a sentence may hold other separators."""
    text = path.read_text(encoding="utf-8").split("\n")
    return ((number, line) for number, line in enumerate(text, 1) if line.strip())


def read_numbered_objects(path: Path) -> Iterator[tuple[int, dict]]:
    """The objects of a file with one JSON object per line, with the lines' numbers."""
    for number, line in read_lines(path):
        with name_errors_at(f"{path}, line {number}"):
            entry = json.loads(line)
        yield number, entry


def read_json_lines(path: Path) -> Iterator[dict]:
    """The objects of a file with one JSON object per line."""
    return (entry for _, entry in read_numbered_objects(path))


@contextmanager
def name_errors_at(place: str) -> Iterator[None]:
    """Notes on an error where it arose."""
    try:
        yield
    except Exception as error:
        error.add_note(place)
        raise


def to_moments(rows: Iterable[Row]) -> tuple[list[Moment], int]:
    """Moments, spans cut at the video's end, and how many of them are left without a span.

    Raises ValueError or another error about values, with a note that names the video and the sentence.
    """
    moments = []
    for video, duration, query, start, end in rows:
        with name_errors_at(f"video {video}, {query!r}"):
            if not math.isfinite(start) or not math.isfinite(end):
                raise ValueError(f"start {start} and end {end} are not both times")
            start, end = max(0.0, start), min(end, duration)
            span = (start, end) if start < end else (None, None)
            moments.append(Moment(video, duration, query.strip(), *span))
    return moments, sum(moment.start is None for moment in moments)


READERS: dict[str, Callable[..., Iterator[Row]]] = {
    "charades": read_charades,
    "activitynet": read_activitynet,
    "qvhighlights": read_qvhighlights,
    "folds": read_folds,
    "msrvtt": read_msrvtt,
    "frames": read_frame_folders,
}


def convert(kind: str, files: list[Path], split: list[str], out: Path, features: Path | None = None) -> str:
    """Converts and says in a sentence what was written. Of `features`, if given, only the videos are kept.

    Raises DataError naming the file and the line, and if nothing is left.
    """
    try:
        rows = list(READERS[kind](*files, *([split] if split else [])))
        moments, without = to_moments(rows)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise DataError(
            f"{_find_place(error, files)}: not {kind} as published ({reason}): mend or delete it, and see --help."
        ) from error
    kept = keep_encoded(moments, features) if features else moments
    if not kept:
        raise DataError(f"{', '.join(map(str, files))}: nothing is left to write: check --split and --features.")
    count, videos = write_moments(out, kept), len({moment.video for moment in kept})
    cut = sum(start < 0 or end > duration for _, duration, _, start, end in rows)
    return (
        f"{count:,} moments of {videos:,} videos in {out}; {len(moments) - count:,} lacked features and were left out. "
        f"Of all, {cut:,} ran over their video and were cut, {without:,} are without a span"
    )


def _find_place(error: Exception, files: list[Path]) -> str:
    notes = getattr(error, "__notes__", [])[:1]
    known = notes and notes[0].startswith(tuple(map(str, files)))
    return ", ".join(notes if known else [*map(str, files), *notes])


def keep_encoded(moments: list[Moment], features: Path) -> list[Moment]:
    """The moments whose videos were encoded. Raises DataError if `features` is no folder."""
    if not features.is_dir():
        raise DataError(f"{features} is no folder: give the one that python -m training.extract wrote to.")
    there = {video: find_file(features, video, ".safetensors").is_file() for video in {m.video for m in moments}}
    return [moment for moment in moments if there[moment.video]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=sorted(READERS))
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--split", nargs="+", default=[], help="splits or folds to keep, for msrvtt and folds")
    parser.add_argument("--features", type=Path, help="keep only the videos that were encoded into this folder")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    try:
        print(convert(args.kind, args.files, args.split, args.out, args.features))
    except GroundingError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
