"""The command line: python -m grounding VIDEO QUERY [QUERY ...], and python -m grounding search FOLDER --query QUERY"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from grounding.errors import GroundingError, QueryError
from grounding.text import (
    UNCERTAIN,
    describe_skipped,
    escape_unprintable,
    prepare_console,
    print_answer,
    print_error,
    print_notice,
    report_interrupt,
    shorten,
)

if TYPE_CHECKING:
    from grounding.answer import Answer
    from grounding.features.key_frames import KeyFrames

MANY = "Many videos: python -m grounding search FOLDER_OR_FILE... --query QUERY; see python -m grounding search --help."
STATUS = "Exit status: 0 after a search, with what could not be read on stderr; 2 where nothing could be searched."


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        print_error(f"{message}; see {self.prog} --help")
        self.exit(2)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    from grounding.features.disk_cache import add_options

    parser = Parser(prog="python -m grounding", description="Find moments in a video by describing them.", epilog=MANY)
    parser.add_argument("video", help="a video file")
    parser.add_argument("query", nargs="+", help="a sentence that describes a moment")
    parser.add_argument("--checkpoint", default="embedded", help="a name under checkpoints/, or a folder")
    parser.add_argument("--top-k", type=int, default=5, help="segments per query at most")
    parser.add_argument("--weights", help="local file with both towers' weights, for open_clip encoders")
    add_options(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object per query, a line each")
    parser.add_argument("--rough", action="store_true", help="first answer from the key frames of a long video alone")
    return parser.parse_args(arguments)


def parse_search(arguments: list[str]) -> argparse.Namespace:
    from grounding.library.command_line import add_arguments

    description = "Find moments in many videos by describing them."
    parser = Parser(prog="python -m grounding search", description=description, epilog=STATUS)
    add_arguments(parser)
    return parser.parse_args(arguments)


def check_is_sentence(query: str, remedy: str) -> None:
    """Raises QueryError, which ends with `remedy`, for a query that is a path. A word stays a query, even where a
    folder of the same name is at hand."""
    from grounding.video.video_files import is_named_like_video, is_video

    path, is_word, starts = Path(query), not any(map(str.isspace, query)), (os.sep, f".{os.sep}", f"..{os.sep}")
    has_folder = os.sep in query or query in (os.curdir, os.pardir)
    is_name = is_word and (is_named_like_video(path) or query.startswith(starts))
    try:
        if path.is_dir() and (has_folder or is_name):
            kind = "a folder"
        elif path.is_file() and (has_folder or is_name or path.suffix or is_video(path)):
            kind = "a file"
        elif is_name:
            kind = "the name of a file"
        else:
            return
    except (OSError, ValueError):  # no name of a file
        return
    raise QueryError(f"{shorten(query, 60)!r} is {kind} and no sentence: {remedy}")


def show(answer: "Answer") -> str:
    """The segments of an answer as lines for a person: a line of doubt where the best does not stand out, else a mark
    at each that does not."""
    lines = [escape_unprintable(answer.query), *([f"  {answer.doubt}"] if answer.doubt else [])]
    for one in answer.segments:
        mark = f"  ({UNCERTAIN})" if one.stands_out is False and not answer.doubt else ""
        lines.append(f"  {one.start:8.2f} s to {one.end:8.2f} s   score {one.score:.2f}{mark}")
    return "\n".join(lines)


def show_progress(fraction: float, message: str) -> None:
    """One line on a terminal, written over until the work is done."""
    print_notice(f"\r{fraction:4.0%} {message:<40}", end="\n" if fraction == 1 else "")


def run(args: argparse.Namespace) -> None:
    """Grounds every query and prints the answers. Raises GroundingError."""
    from grounding.answer import describe_reading
    from grounding.encoders.memory import hold_little_memory
    from grounding.features.disk_cache import cache_from_options
    from grounding.predictor import Predictor
    from grounding.segments.find import describe_order
    from grounding.validation import check_query

    queries = [check_query(query) for query in args.query]
    hold_little_memory()
    predictor = Predictor.from_checkpoint(args.checkpoint, weights=args.weights, cache=cache_from_options(args))
    report = show_progress if sys.stderr.isatty() else None

    def show_rough(key_frames: "KeyFrames | None") -> None:
        if key_frames is None:
            print_notice("No rough answer: the video is short, or its key frames are too few.")
            return
        for answer in predictor.ground_many(key_frames.video(), queries, args.top_k):
            rough = f"(rough, from {answer.rough} key frames) {show(answer)}"
            print_answer(json.dumps(answer.to_dict(args.video)) if args.json else rough)

    video = predictor.encode_video(args.video, report, show_rough if args.rough else None)
    if video.skipped:
        print_notice(describe_skipped(video.skipped, video.duration, lambda seconds: f"{seconds:.1f} s"))
    answers = predictor.ground_many(video, queries, args.top_k)
    for answer in answers:
        print_answer(json.dumps(answer.to_dict(args.video)) if args.json else show(answer))
    if orders := [order for answer in answers if (order := describe_order(answer.segments))] and not args.json:
        print_answer(orders[0])
    for line in filter(None, (describe_reading(answers), predictor.note)):
        print_error(line)


def run_command(arguments: list[str]) -> None:
    """Runs the command that the arguments name. Raises GroundingError, and SystemExit for arguments that do not fit.

    NumPy and torch take a while to load, so they are imported in functions: Ctrl-C ends the program then, too.
    """
    if arguments[:1] == ["search"]:
        args = parse_search(arguments[1:])
        for query in args.query:
            check_is_sentence(query, "describe the moment in words.")
        from grounding.library.command_line import run_search

        run_search(args, print_answer)
    else:
        args = parse(arguments)
        for query in args.query:
            check_is_sentence(query, f"give one video and then sentences. {MANY}")
        run(args)


def main(arguments: list[str] | None = None) -> int:
    """Returns 0, 2 after one line on stderr, or 130 after Ctrl-C."""
    try:
        prepare_console()
        run_command(sys.argv[1:] if arguments is None else arguments)
    except GroundingError as error:
        print_error(error)
        return 2
    except KeyboardInterrupt:
        return report_interrupt("Stopped.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
