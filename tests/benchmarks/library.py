"""A library of many hours, with generated features: size on disk, time and memory of a query, recall of the index.

    python -m tests.benchmarks.library --hours 1000 --folder DIR
    python -m tests.benchmarks.library --hours 10000 --folder DIR

Videos are of half an hour, windows as make_windows lays them: 1,568 an hour. A window's vector is that of its scene,
video and surroundings, so that neighbours are alike as in real videos. Queries are halfway from a window to noise.
Recall: how many of the 200 best windows of all, by brute force, are among the 200 that the engine finds. A process of
its own searches, so that memory and the first query are those of a program that only searches. A run that was stopped
goes on where it was.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from tqdm import tqdm

from grounding.library.window_index import WindowIndex, lies_within
from grounding.library.windows import LENGTHS, Windows

WIDTH = 384
SECONDS = 1800.0  # of a video
BATCH = 1340  # videos written together: as many windows as a file of the table holds, so that none are joined later
QUERIES = 50
BEST = 200  # windows looked for, as Library.search does for ten moments
FOLDERS, FOLDER = 10, 7  # that the videos are in, and the one that is searched alone

Truth = list[set[tuple[str, float, float]]]  # for each query, video, start and end of its best windows


@cache
def make_spans() -> tuple[np.ndarray, np.ndarray]:
    """Start and end of a video's windows, (N,) seconds each."""
    spans = [
        (start, start + length) for length in LENGTHS for start in np.arange(0, SECONDS - length + 0.1, length / 2)
    ]
    return np.array(spans).T


@cache
def make_topics() -> np.ndarray:
    """(2000, WIDTH), shared by all videos."""
    return np.random.default_rng(10**9).standard_normal((2000, WIDTH), np.float32)


def make_vectors(number: int) -> np.ndarray:
    """(N, WIDTH) of unit length, the same for a video's number at every call."""
    starts, topics, rng = make_spans()[0], make_topics(), np.random.default_rng(number)
    scenes = 0.6 * topics[rng.integers(0, len(topics), int(SECONDS // 60) + 1)]  # a topic a minute
    own = 0.5 * rng.standard_normal(WIDTH, np.float32)
    rows = 0.6 * rng.standard_normal((len(starts), WIDTH), np.float32)
    rows += (scenes + own)[(starts // 60).astype(int)]
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def name_video(number: int) -> str:
    """Path of a video."""
    return f"/videos/{number % FOLDERS}/{number}.mp4"


class BruteForce:
    """Compares windows with the queries (Q, WIDTH), video by video, and keeps the best of each query."""

    def __init__(self, queries: np.ndarray) -> None:
        self.queries, self._best = queries, []

    def add(self, numbers: Sequence[int], vectors: Sequence[np.ndarray]) -> None:
        """Takes the windows of videos, (N, WIDTH) each."""
        count = len(vectors[0])
        products = np.concatenate([rows @ self.queries.T for rows in vectors]).T  # (Q, M)
        rows = np.argpartition(-products, BEST, axis=1)[:, :BEST]  # (Q, BEST)
        places = np.array(numbers)[rows // count] * count + rows % count  # among the windows of all videos
        self._best.append((np.take_along_axis(products, rows, 1), places))

    def truth(self) -> Truth:
        """The best windows of all."""
        products, places = (np.concatenate(parts, axis=1) for parts in zip(*self._best, strict=True))
        places = np.take_along_axis(places, np.argsort(-products, axis=1)[:, :BEST], 1)  # (Q, BEST)
        spans = list(zip(*(edge.tolist() for edge in make_spans()), strict=True))
        return [{(name_video(place // len(spans)), *spans[place % len(spans)]) for place in line} for line in places]


def fill(index: WindowIndex, videos: int, queries: np.ndarray) -> Truth:
    """Adds the videos that are missing, and compares all of them with the queries one by one."""
    start, end = make_spans()
    there, compared = index.read_stamps(), BruteForce(queries)
    for first in tqdm(range(0, videos, BATCH), unit="batch"):
        numbers = range(first, min(first + BATCH, videos))
        vectors = {name_video(number): make_vectors(number) for number in numbers}
        new = {name: Windows(start, end, rows) for name, rows in vectors.items() if name not in there}
        if new:
            index.add(new, dict.fromkeys(new, "1"))
        compared.add(numbers, list(vectors.values()))
    return compared.truth()


def compare_folder(videos: int, queries: np.ndarray) -> Truth:
    """The best windows of the videos in FOLDER."""
    compared, numbers = BruteForce(queries), range(FOLDER, videos, FOLDERS)
    for first in range(0, len(numbers), BATCH):
        part = numbers[first : first + BATCH]
        compared.add(part, [make_vectors(number) for number in part])
    return compared.truth()


def measure_recall(found: list[list], truth: Truth) -> float:
    """Percentage of the best windows that were found."""
    shares = [len(set(map(tuple, one)) & other) / len(other) for one, other in zip(found, truth, strict=True)]
    return round(100 * float(np.mean(shares)), 1)


def make_queries(videos: int) -> np.ndarray:
    """(QUERIES, WIDTH) of unit length."""
    rng, count = np.random.default_rng(1), len(make_spans()[0])
    rows = np.array([make_vectors(int(rng.integers(videos)))[rng.integers(count)] for _ in range(QUERIES)])
    noise = rng.standard_normal(rows.shape, np.float32)
    rows = rows + noise / np.linalg.norm(noise, axis=1, keepdims=True)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def time_searches(index: WindowIndex, queries: np.ndarray, within: str = "") -> tuple[list[float], list[list]]:
    """Milliseconds of each query, and the video, start and end of each window that was found."""
    times, found = [], []
    for query in queries:
        begin = time.perf_counter()
        hits = index.search(query, BEST, within)
        times.append(1000 * (time.perf_counter() - begin))
        found.append([(hit.video, hit.start, hit.end) for hit in hits])
    return times, found


def peak_mb() -> int:
    """The most memory that this process had so far; getrusage would count that of the process that started it, too."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def search(index: WindowIndex, videos: int) -> dict:
    """What a program that only searches measures, and what it finds."""
    queries = make_queries(videos)
    index.search(queries[0], 1)  # imports and opens
    before = peak_mb()
    times, found = time_searches(index, queries)
    after = peak_mb()
    inside, found_inside = time_searches(index, queries[:10], lies_within([f"/videos/{FOLDER}"], []))
    return {
        "query_ms_median": round(float(np.median(times)), 1),
        "query_ms_p95": round(float(np.quantile(times, 0.95)), 1),
        "query_ms_first": round(times[0], 1),
        "folder_query_ms_median": round(float(np.median(inside)), 1),
        "folder_recall_percent": measure_recall(found_inside, compare_folder(videos, queries[:10])),
        "peak_mb_before_queries": before,
        "peak_mb": after,
        "found": found,
    }


def folder_size(folder: Path) -> int:
    """Bytes."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=int, default=1000)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--search-only", action="store_true", help="search what is there, which the other mode starts")
    args = parser.parse_args()
    videos = round(args.hours * 3600 / SECONDS)
    index = WindowIndex(args.folder, "windows", WIDTH)
    if args.search_only:
        print(json.dumps(search(index, videos)))
        return
    begin = time.perf_counter()
    truth = fill(index, videos, make_queries(videos))
    filled, used = time.perf_counter(), time.process_time()
    index.tidy()
    sizes = {
        "hours": args.hours,
        "windows": len(index),
        "fill_s": round(filled - begin, 1),
        "fill_cpu_s": round(used, 1),
        "index_s": round(time.perf_counter() - filled, 1),
        "index_cpu_s": round(time.process_time() - used, 1),
        "disk_gb": round(folder_size(args.folder) / 1e9, 2),
    }
    command = [sys.executable, "-m", "tests.benchmarks.library", "--search-only", "--folder", str(args.folder)]
    run = subprocess.run([*command, "--hours", str(args.hours)], check=True, capture_output=True, text=True)
    result = json.loads(run.stdout)
    recall = measure_recall(result.pop("found"), truth)
    facts = {"recall_percent": recall, "load": round(os.getloadavg()[0], 1)}
    print(json.dumps(sizes | result | facts))


if __name__ == "__main__":
    main()
