"""Measures how long answers take, beside what decoding alone costs and beside other ways. Prints Markdown tables.

    python -m tests.benchmarks.speed --work DIR            all files: the longest has two hours, so this takes long
    python -m tests.benchmarks.speed --work DIR --quick    the files of 90 s alone

ffmpeg makes the files in DIR once. Every measurement is a process of its own, the best of three for files of 90 s.
Ratios are what counts; the absolute times are those of the machine that the first lines name, so run it on an idle one.
"""

import argparse
import os
import platform
import resource
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from tests.benchmarks.gpu import gpu_rows
from tests.benchmarks.jobs import Times, run
from tests.benchmarks.videos import FIRST, FULL, GROWTH, PIECE, QUICK, Video

Row = Sequence[str | float]


def table(heads: Sequence[str], rows: Sequence[Row]) -> str:
    """Rows as Markdown; numbers with three digits."""
    lines = [heads, ["---"] * len(heads), *([_cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def decode_only(file: Path) -> Times:
    """`ffmpeg -f null`: wall and CPU seconds to decode every frame and keep none."""
    before, begin = _children(), time.perf_counter()
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(file), "-an", "-f", "null", "-"], check=True)
    return {"first": time.perf_counter() - begin, "cpu": _children() - before}


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def best(video: Video, measure: Callable[[], Times]) -> Times:
    """Of three measurements (one, of a long file) that with the earliest first answer."""
    return min((measure() for _ in range(3 if video.seconds <= PIECE else 1)), key=lambda times: times["first"])


def file_rows(videos: Sequence[Video], work: Path) -> list[Row]:
    """Decoding alone beside our answers."""
    rows: list[Row] = []
    for video in videos:
        file = video.file(work)
        alone, ours = best(video, lambda file=file: decode_only(file)), best(video, lambda file=file: run("ours", file))
        ratio = ours["first"] / alone["first"]
        queries = [1000 * ours[name] for name in ("second", "10", "100")]
        rows.append(
            (video.name, alone["first"], ours["first"], ratio, alone["cpu"], ours["cpu"], *queries, ours["memory"])
        )
    return rows


def stage_rows(videos: Sequence[Video], work: Path) -> list[Row]:
    """Each stage by itself, and their share of the sum."""
    rows: list[Row] = []
    for video in videos:
        times = run("stages", video.file(work))
        seconds = [times[name] for name in ("decode", "preprocess", "encode", "ground")]
        rows.append((video.name, *seconds, sum(seconds)))
    return rows


def peer_rows(work: Path) -> list[Row]:
    """Other ways to the first answer for the same file."""
    file = FIRST.file(work)
    ways = {
        "ours": "ours",
        "recipe: CLIP ViT-B/32, a frame every 2 s": "recipe",
        "plain loop: seek, batch of one": "loop",
    }
    found = {way: best(FIRST, lambda job=job: run(job, file)) for way, job in ways.items()}
    return [
        (way, times["first"], times["first"] / found["ours"]["first"], times["memory"]) for way, times in found.items()
    ]


def start_rows() -> list[Row]:
    """The second start, when the files of the packages are in memory."""
    run("start")
    times = run("start")
    steps = [(f"{name}, s", times[name]) for name in ("import", "models", "page")]
    return [*steps, ("of timm, open_clip, transformers, those that the import loads", times["heavy"])]


FILES = ("file", "decode only, s", "first answer, s", "ratio", "decode only, CPU s", "first answer, CPU s")
FILES += ("second query, ms", "10 queries, ms", "100 queries, ms", "peak memory, MB")
STAGES = ("file, one stage after another", "decode, s", "preprocess, s", "encode, s", "ground, s", "sum, s")
PEERS = ("90 s 720p30 h264", "first answer, s", "times ours", "peak memory, MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for the files that are measured")
    parser.add_argument("--quick", action="store_true", help="the files of 90 s alone")
    args = parser.parse_args()
    videos = QUICK if args.quick else FULL
    print(f"{_machine()}\n", flush=True)
    print(table(FILES, file_rows(videos, args.work)), flush=True)
    print(f"\n{table(STAGES, stage_rows(videos, args.work))}", flush=True)
    print(f"\n{table(PEERS, peer_rows(args.work))}", flush=True)
    print(f"\n{table(('start', 'measured'), start_rows())}", flush=True)
    if not args.quick:
        print(f"\nResolution and frame rate:\n\n{table(FILES, file_rows(GROWTH, args.work))}", flush=True)
    if torch.cuda.is_available():
        print(f"\n{table(('GPU', 'frames a second', 'tower alone', 'share of a matrix product, %'), gpu_rows())}")


def _machine() -> str:
    cpu = next((line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if "model name" in line), "")
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    cores = len(os.sched_getaffinity(0))
    return f"{cpu or platform.processor()}, {cores} cores, torch {torch.__version__}, load before: {load}"


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


if __name__ == "__main__":
    main()
