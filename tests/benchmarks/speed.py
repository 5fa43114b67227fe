"""Measures how long answers take, beside what decoding alone costs and beside other ways. Prints Markdown tables.

    python -m tests.benchmarks.speed --work DIR            all files, up to two hours: about 20 minutes on 2 cores
    python -m tests.benchmarks.speed --work DIR --quick    the files of 90 s alone

ffmpeg makes the files in DIR once, which takes ten minutes more. Every measurement is a process of its own, the best
of three for files of 90 s.
Ratios are what counts; the absolute times are those of the machine that the first line names, so run it on an idle one.
Memory and CPU seconds are those of the process and of the child that decodes, see usage.py; CPU seconds by seconds say
how many cores were busy. A processor that computes in bfloat16 is measured without it, too: our towers then compute in
float32, and torch runs with ONEDNN_MAX_CPU_ISA=AVX512_CORE_VNNI.
"""

import argparse
import math
import os
import platform
import resource
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from grounding.encoders.devices import tower_dtype
from grounding.encoders.openvino_runtime import describe_runtime
from tests.benchmarks.gpu import gpu_rows
from tests.benchmarks.jobs import Times, run
from tests.benchmarks.videos import CLIP, FIRST, FULL, GROWTH, PIECE, QUICK, Video

Row = Sequence[str | float]


def table(heads: Sequence[str], rows: Sequence[Row]) -> str:
    """Rows as Markdown; numbers with three digits."""
    lines = [heads, ["---"] * len(heads), *([_cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: str | float) -> str:
    if isinstance(value, str) or value == math.inf:
        return str(value).replace("inf", "none")
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


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


class Measured:
    """Measurements of files in the folder `work`, each made once."""

    def __init__(self, work: Path) -> None:
        self.work, self._alone = work, dict[Video, Times]()
        self._ours: dict[tuple[Video, str, bool], Times] = {}

    def ours(self, video: Video, job: str = "ours", float32: bool = False) -> Times:
        which = (video, job, float32)
        if which not in self._ours:
            file = video.file(self.work)
            self._ours[which] = best(video, lambda: run(job, str(file), float32=float32))
        return self._ours[which]

    def alone(self, video: Video) -> Times:
        if video not in self._alone:
            file = video.file(self.work)
            self._alone[video] = best(video, lambda: decode_only(file))
        return self._alone[video]


def file_row(video: Video, measured: Measured, job: str = "ours", float32: bool = False) -> Row:
    """Decoding alone beside our answers."""
    alone, ours = measured.alone(video), measured.ours(video, job, float32)
    ratio, busy = ours["first"] / alone["first"], ours["cpu"] / ours["first"]
    queries = [1000 * ours[name] for name in ("second", "10", "100")]
    rough = math.inf if job == "clip" else measured.ours(video, "rough", float32)["first"]
    early = (rough, rough / alone["first"])
    return (video.name, alone["first"], *early, ours["first"], ratio, ours["cpu"], busy, *queries, ours["memory"])


def growth_rows(measured: Measured) -> list[Row]:
    """The same, in the order in which one thing grows and the others stay."""
    return [(what, *file_row(video, measured)) for what, videos in GROWTH.items() for video in videos]


def stage_rows(videos: Sequence[Video], work: Path) -> list[Row]:
    """Each stage by itself, one after another."""
    rows: list[Row] = []
    for video in videos:
        times = run("stages", str(video.file(work)))
        seconds = [times[name] for name in ("decode", "preprocess", "encode", "ground")]
        rows.append((video.name, *seconds, sum(seconds)))
    return rows


def peer_rows(measured: Measured) -> list[Row]:
    """Other ways to the first answer for the same file; the plain loop, which is slow, once."""
    file, ours = str(FIRST.file(measured.work)), measured.ours(FIRST)
    found = {
        "ours": ours,
        "ours, clip-vit-b-32 of random weights": measured.ours(FIRST, "clip"),
        "recipe: CLIP ViT-B/32 of random weights, a frame every 2 s": best(FIRST, lambda: run("recipe", file)),
        "recipe, with our runtime": best(FIRST, lambda: run("recipe in openvino", file)),
        "plain loop: our tower, a seek and a batch of one per frame": run("loop", file),
    }
    return [(way, times["first"], times["first"] / ours["first"], times["memory"]) for way, times in found.items()]


def start_rows() -> list[Row]:
    """The second start, when the files of the packages are in memory."""
    run("start")
    times = run("start")
    steps = [(f"{name}, s", times[name]) for name in ("import", "models", "page")]
    return [*steps, ("of timm, open_clip and transformers, how many the import loads", times["heavy"])]


FILES = ("file", "decode only, s", "rough answer, s", "ratio", "first answer, s", "ratio", "first answer, CPU s")
FILES += ("CPU s / s",)
FILES += ("second query, ms", "10 queries, ms", "100 queries, ms", "peak memory, MB")
STAGES = ("file, one stage after another", "decode, s", "preprocess, s", "encode, s", "ground, s", "sum, s")
PEERS = ("90 s 720p30 h264", "first answer, s", "times ours", "peak memory, MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for the files that are measured")
    parser.add_argument("--quick", action="store_true", help="the files of 90 s alone")
    args = parser.parse_args()
    measured, begin = Measured(args.work), time.perf_counter()
    videos = QUICK if args.quick else FULL
    say(_machine())
    say(table(("`embedded`", *FILES[1:]), [file_row(video, measured) for video in videos]))
    if computes_in_bfloat16():
        rows = [file_row(video, measured, float32=True) for video in videos]
        say(table(("`embedded` without bfloat16", *FILES[1:]), rows))
    say(table(("`clip-vit-b-32`", *FILES[1:]), [file_row(video, measured, "clip") for video in CLIP]))
    say(table(STAGES, stage_rows(QUICK if args.quick else FULL[:-1], args.work)))  # two hours tell nothing new
    say(table(PEERS, peer_rows(measured)))
    say(table(("start", "measured"), start_rows()))
    if not args.quick:
        say(table(("what grows", *FILES), growth_rows(measured)))
    if torch.cuda.is_available():
        say(table(("GPU", "frames a second", "tower alone", "share of a matrix product, %"), gpu_rows()))
    else:
        say("No GPU here, so open_clip towers were not measured on one.")
    say(f"Measured in {(time.perf_counter() - begin) / 60:.0f} min.")


def computes_in_bfloat16() -> bool:
    """Whether there is something to compare."""
    return tower_dtype(torch.device("cpu")) == torch.bfloat16


def say(text: str) -> None:
    print(f"{text}\n", flush=True)


def _machine() -> str:
    cpu = next((line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if "model name" in line), "")
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    runtimes = f"torch {torch.__version__}, {describe_runtime(torch.device('cpu'))}"
    return f"{cpu or platform.processor()}, {len(os.sched_getaffinity(0))} cores, {runtimes}, load before: {load}"


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


if __name__ == "__main__":
    main()
