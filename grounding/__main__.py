"""The command line: python -m grounding VIDEO QUERY [QUERY ...], and python -m grounding search FOLDER --query QUERY"""

import argparse
import json
import os
import sys
from typing import NoReturn

from grounding.answer import Answer, describe_reading
from grounding.encoders.queries import check_query
from grounding.errors import GroundingError, WriteError
from grounding.features.disk_cache import add_options, cache_from_options
from grounding.features.key_frames import KeyFrames
from grounding.library.command_line import add_arguments, run_search
from grounding.predictor import Predictor
from grounding.segments.find import ORDER
from grounding.text import describe_skipped, escape_unprintable

MANY = "Many videos: python -m grounding search FOLDER_OR_FILE... --query QUERY; see python -m grounding search --help."


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{escape_unprintable(message)}; see {self.prog} --help\n")


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
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
    parser = Parser(prog="python -m grounding search", description="Find moments in many videos by describing them.")
    add_arguments(parser)
    return parser.parse_args(arguments)


def show(answer: Answer) -> str:
    """The segments of an answer as lines for a person, and a line of doubt where none of them stands out."""
    lines = [escape_unprintable(answer.query), *([f"  {answer.doubt}"] if answer.doubt else [])]
    lines += [f"  {s.start:8.2f} s to {s.end:8.2f} s   score {s.score:.2f}" for s in answer.segments]
    return "\n".join(lines)


def show_progress(fraction: float, message: str) -> None:
    """One line on a terminal, written over until the work is done."""
    print(f"\r{fraction:4.0%} {message:<40}", end="\n" if fraction == 1 else "", file=sys.stderr, flush=True)


def say(text: str) -> None:
    """Prints an answer. Raises WriteError for a full disk or a reader that has left."""
    try:
        print(text, flush=True)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python tries once more at its end
        raise WriteError(f"The answers cannot be written ({error.strerror}): give another place for them.") from error


def run(args: argparse.Namespace) -> None:
    """Grounds every query and prints the answers. Raises GroundingError."""
    queries = [check_query(query) for query in args.query]
    predictor = Predictor.from_checkpoint(args.checkpoint, weights=args.weights, cache=cache_from_options(args))
    report = show_progress if sys.stderr.isatty() else None

    def show_rough(key_frames: KeyFrames) -> None:
        count = len(key_frames.timestamps)
        for answer in predictor.ground_many(key_frames.video(), queries, args.top_k):
            rough = f"(rough, from {count} key frames) {show(answer)}"
            say(json.dumps(answer.to_dict(args.video) | {"rough": count}) if args.json else rough)

    video = predictor.encode_video(args.video, report, show_rough if args.rough else None)
    if video.skipped:
        print(describe_skipped(video.skipped, lambda seconds: f"{seconds:.1f} s"), file=sys.stderr)
    answers = predictor.ground_many(video, queries, args.top_k)
    for answer in answers:
        say(json.dumps(answer.to_dict(args.video)) if args.json else show(answer))
    several = any(len(answer.segments) > 1 for answer in answers) and not args.json
    for line in filter(None, (several and ORDER, describe_reading(answers), predictor.note)):
        print(escape_unprintable(line), file=sys.stderr)


def main(arguments: list[str] | None = None) -> int:
    """Returns 0, or 2 after one line on stderr."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        if arguments[:1] == ["search"]:
            run_search(parse_search(arguments[1:]), say)
        else:
            run(parse(arguments))
    except GroundingError as error:
        print(escape_unprintable(str(error)), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
