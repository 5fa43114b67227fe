"""Published annotations as moments files.

    python -m training.converters charades charades_sta_train.txt charades_durations.csv --out train.jsonl
    python -m training.converters activitynet train.json --out train.jsonl
    python -m training.converters qvhighlights highlight_val_release.jsonl --out val.jsonl
    python -m training.converters msrvtt clips.jsonl --split train --out train.jsonl
    python -m training.converters frames clips.jsonl --out train.jsonl
    python -m training.converters folds annotations.jsonl --split 0 1 2 3 --out train.jsonl

`charades` and `activitynet` also read the list format of CNM and CPL, [[video, duration, [start, end], sentence], ...],
which needs no durations. `msrvtt` reads clips with their captions, whole clips being the moments, and `frames` the same
of folders of frames; `folds` reads Charades-STA with a fold for each video. A span that runs over a video's end is cut
there; where none is left, as where the start is not before the end, the sentence stays without one, for training.
Several windows of one query are one moment. A blank sentence is left out. All are counted. --features DIR leaves out
the videos that were not encoded.
"""

import argparse
import math
import sys
from collections.abc import Iterable
from pathlib import Path

from grounding.errors import GroundingError
from grounding.text import stop_quietly
from training.annotations import READERS, Row, name_errors_at
from training.features import find_file
from training.files import READ_ERRORS, FormatError, describe_read_error
from training.moments import DataError, Moment, write_moments

SPLIT = {"msrvtt": "train", "folds": "0 1 2 3"}  # formats of several parts, and an example of these


def to_moments(rows: Iterable[Row]) -> list[Moment]:
    """Moments, spans cut at the video's end, without the sentences that are blank.

    Raises FormatError or another error about values, with a note that names the video and the sentence.
    """
    moments = []
    for video, duration, query, spans in rows:
        with name_errors_at(f"video {video}, {query!r}"):
            if not isinstance(query, str):
                raise FormatError("the sentence is no text")
            if not query.strip():
                continue
            for start, end in spans:
                if not math.isfinite(start) or not math.isfinite(end):
                    raise FormatError(f"start {start} and end {end} are not both times")
            within = [(max(0.0, start), min(end, duration)) for start, end in spans]
            left = tuple(span for span in within if span[0] < span[1])
            windows = left if len(left) > 1 else ()
            moments.append(Moment(video, duration, query.strip(), *(left[0] if left else ()), windows=windows))
    return moments


def convert(kind: str, files: list[Path], split: list[str], out: Path, features: Path | None = None) -> str:
    """Converts and says in a sentence what was written. Of `features`, if given, only the videos are kept.

    Raises DataError naming the file and the line, and if nothing is left.
    """
    most = 2 if kind == "charades" else 1
    if len(files) > most:
        raise DataError(f"{kind} takes {most} of the {len(files)} files that are given: see --help.")
    if kind in SPLIT and not split:
        raise DataError(f"{kind} has parts: name those to keep with --split, such as --split {SPLIT[kind]}.")
    try:
        rows = list(READERS[kind](*files, *([split] if split else [])))
        moments = to_moments(rows)
    except OSError as error:
        raise DataError(f"{error.filename} cannot be read ({error.strerror}): check the path.") from error
    except READ_ERRORS as error:
        place, reason = find_place(error, files), describe_read_error(error)
        raise DataError(f"{place}: not {kind} as published ({reason}): mend or delete it, and see --help.") from error
    kept = keep_encoded(moments, features) if features else moments
    if not kept:
        raise DataError(f"{', '.join(map(str, files))}: nothing is left to write: check --split and --features.")
    count, videos = write_moments(out, kept), len({moment.video for moment in kept})
    cut = sum(any(start < 0 or end > duration for start, end in spans) for _, duration, _, spans in rows)
    several, without = (
        sum(test(moment.spans) for moment in moments) for test in (lambda s: len(s) > 1, lambda s: not s)
    )
    return (
        f"{count:,} moments of {videos:,} videos in {out}; {len(moments) - count:,} lacked features and were left out. "
        f"Of all, {cut:,} ran over their video and were cut, {several:,} have several windows, {without:,} are without "
        f"a span; {len(rows) - len(moments):,} blank sentences were left out"
    )


def find_place(error: Exception, files: list[Path]) -> str:
    """Where an error arose, as `name_errors_at` noted it, or else in which files."""
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
    sys.exit(stop_quietly(main, "Stopped."))
