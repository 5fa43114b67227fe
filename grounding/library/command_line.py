"""Many videos on the command line: python -m grounding search FOLDER_OR_FILE... --query QUERY"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import suppress
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from grounding.answer import describe_readers
from grounding.errors import FeaturesError, VideoError
from grounding.exports.cut_list import Moment
from grounding.exports.write import KINDS, check_export, write_moments
from grounding.library.find_videos import absolute_path, find_unknown_kinds, find_videos
from grounding.text import (
    UNCERTAIN,
    describe_skipped,
    escape_unprintable,
    format_clock,
    list_first,
    print_notice,
    round_seconds,
)
from grounding.validation import check_query, check_top_k

if TYPE_CHECKING:
    from grounding.library.library import AddProgress, Library
    from grounding.predictor import Predictor

UNKNOWN = "It is of a kind that is not read: convert it to mp4."
SCORES = "Scores compare videos: each is of its video's best window, not the mean inside the moment as for one video."


def add_store_option(parser: argparse.ArgumentParser) -> None:
    """Where a library is kept; training.extract and the app have it too."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    place = Path(cache).expanduser() / "grounding" / "library"
    text = "folder that keeps the features, so that no video is encoded twice (%(default)s)"
    parser.add_argument("--store", metavar="DIR", type=Path, default=place, help=text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `search`."""
    parser.add_argument("paths", nargs="+", metavar="FOLDER_OR_FILE", help="videos, and folders of videos")
    parser.add_argument(
        "--query", action="append", required=True, help="a sentence that describes a moment; any number"
    )
    parser.add_argument("--top-k", type=int, default=10, help="moments per query at most")
    parser.add_argument("--checkpoint", default="embedded", help="a name under checkpoints/, or a folder")
    parser.add_argument("--weights", help="local file with the frame encoder's weights, for open_clip encoders")
    add_store_option(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object per moment, a line each, best first")
    kinds = ", ".join(KINDS)
    parser.add_argument(
        "--export",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help=f"write the moments, too; the suffix says how: {kinds}; any number",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the files of --export that are there")


def run_search(args: argparse.Namespace, say: Callable[[str], None]) -> None:
    """Adds the videos that are new to the library, and prints the moments of each query. Raises GroundingError."""
    queries = [check_query(query) for query in args.query]
    check_top_k(args.top_k)
    exports = [check_export(path, args.overwrite) for path in dict.fromkeys(args.export)]
    from grounding.library.library import Library
    from grounding.predictor import Predictor

    library = Library(args.store, Predictor.from_checkpoint(args.checkpoint, weights=args.weights))
    left_out: dict[str, str] = {}
    told = add_videos(library, args.paths, left_out)
    if left_out and left_out.keys() >= set(map(str, find_videos(args.paths))):
        raise VideoError("None of what was given can be read as a video, so there is nothing to search.")
    found = [moment for query in queries for moment in library.search(query, args.top_k, args.paths)]
    for path in exports:  # first: whoever reads what is printed may leave
        write_moments(path, found, overwrite=args.overwrite)
    shown = [replace(moment, video=as_given(moment.video, args.paths)) for moment in found]
    for line in map(to_json, shown) if args.json else describe(shown):
        say(line)
    for video, note in describe_missing(library, found).items():
        if video not in told:
            print(f"{escape_unprintable(as_given(video, args.paths))}: {note}", file=sys.stderr)
    for line in filter(None, (describe_queries(library.predictor, queries), library.predictor.note)):
        print(line, file=sys.stderr)


def describe_queries(predictor: "Predictor", queries: list[str]) -> str:
    """A line on who reads the queries, and which of them in part; "" where there is nothing to say."""
    cut = predictor.query_encoder.encode(queries).cut
    return describe_readers({predictor.query_encoder.name}, [queries[index] for index in sorted(cut)])


def describe_missing(library: "Library", moments: list[Moment]) -> dict[str, str]:
    """Which parts of the videos that moments were found in could not be read, by those of which not all could."""
    notes = {}
    for video in dict.fromkeys(moment.video for moment in moments):
        with suppress(FeaturesError):  # gone since
            encoded = library.load(video)
            notes[video] = describe_skipped(encoded.skipped, encoded.duration)
    return {video: note for video, note in notes.items() if note}


def add_videos(library: "Library", paths: list[str], left_out: MutableMapping[str, str] | None = None) -> set[str]:
    """Adds videos under a progress bar; those that cannot be read, as a whole or in part, are told on stderr, a line
    each, and those of unknown kinds in one. Why they cannot is put into `left_out` by video; returned are those that
    can be read in part."""
    partly = set()
    with tqdm(unit="video", disable=None, leave=False) as bar:  # None: on a terminal alone
        for progress in library.add(paths):
            show_progress(bar, progress)
            if left_out is not None and progress.problem:
                left_out[progress.video] = progress.problem
            if progress.note:
                partly.add(progress.video)
    unknown = [str(path) for path in find_unknown_kinds(paths)]
    if unknown:
        names = list_first([as_given(path, paths) for path in unknown])
        print_notice(escape_unprintable(f"left out, of kinds that are not read: {names}; convert them to mp4"))
    if left_out is not None:
        left_out |= dict.fromkeys(unknown, UNKNOWN)
    return partly


def show_progress(bar: tqdm, progress: "AddProgress") -> None:
    """One step of the bar."""
    bar.total, bar.n = progress.total, progress.done
    name = escape_unprintable(Path(progress.video).name)
    bar.set_postfix_str(f"{name} {progress.fraction:.0%}")
    if progress.problem:
        tqdm.write(f"left out {escape_unprintable(progress.video)}: {escape_unprintable(progress.problem)}", sys.stderr)
    if progress.note:
        tqdm.write(f"{escape_unprintable(progress.video)}: {progress.note}", sys.stderr)


def to_json(moment: Moment) -> str:
    """A moment as one line for programs."""
    fields = ("video", "query", "start", "end", "score", "stands_out")
    times = {"start": round_seconds(moment.start), "end": round_seconds(moment.end)}
    return json.dumps({field: getattr(moment, field) for field in fields} | times)


def describe(moments: list[Moment]) -> Iterator[str]:
    """Moments as lines for a person, under the query that found them, and a line of doubt where none stands out."""
    from grounding.library.ranking import describe_doubt

    for query, group in groupby(moments, key=lambda moment: moment.query):
        group = list(group)
        yield escape_unprintable(query)
        doubt = describe_doubt(group)
        if doubt:
            yield f"  {doubt}"
        for moment in group:
            span = f"{format_clock(moment.start)} to {format_clock(moment.end)}"
            mark = f"  ({UNCERTAIN})" if moment.stands_out is False and not doubt else ""
            yield f"  {span:<24} score {moment.score:.2f}  {escape_unprintable(moment.video)}{mark}"
    if moments:
        yield SCORES


def as_given(video: str, paths: list[str]) -> str:
    """The path of a video as it lies from the folder or file that was named."""
    for path in paths:
        whole = absolute_path(path)
        if Path(video) == whole:
            return path
        if whole in Path(video).parents:
            return os.path.join(path, os.path.relpath(video, whole))
    return video
