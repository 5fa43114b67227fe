"""A library of many hours, with generated features: size on disk, time and memory of a query, recall of the index.

    python -m tests.benchmarks.library --hours 1000 --folder DIR
    python -m tests.benchmarks.library --hours 10000 --folder DIR

Videos are of half an hour, windows as make_windows lays them: 1,575 an hour. A window's vector is that of its scene,
video and surroundings, so that neighbours are alike as in real videos. Queries are halfway from a window to noise.
Recall: how many of the 100 best windows by brute force, over the part of --exact windows, the index finds in that part.
"""

import argparse
import json
import os
import resource
import time
from pathlib import Path

import numpy as np

from grounding.library.window_index import WindowIndex
from grounding.library.windows import LENGTHS, Windows

WIDTH = 384
SECONDS = 1800.0  # of a video
BATCH = 200  # videos written together
QUERIES = 50
BEST = 100  # windows looked for


def make_spans() -> tuple[np.ndarray, np.ndarray]:
    """Start and end of a video's windows, (N,) seconds each."""
    spans = [
        (start, start + length) for length in LENGTHS for start in np.arange(0, SECONDS - length + 0.1, length / 2)
    ]
    return np.array(spans).T


def make_vectors(number: int, starts: np.ndarray) -> np.ndarray:
    """(N, WIDTH) of unit length, the same for a video's number at every call."""
    rng = np.random.default_rng(number)
    topics = np.random.default_rng(10**9).standard_normal((2000, WIDTH), np.float32)  # that all videos share
    scenes = 0.6 * topics[rng.integers(0, len(topics), int(SECONDS // 60) + 1)]  # a topic a minute
    own = 0.5 * rng.standard_normal(WIDTH, np.float32)
    rows = scenes[(starts // 60).astype(int)] + own + 0.6 * rng.standard_normal((len(starts), WIDTH), np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def fill(index: WindowIndex, videos: int) -> None:
    """Adds the videos that are missing."""
    start, end = make_spans()
    there = index.read_stamps()
    for first in range(0, videos, BATCH):
        names = {f"/videos/{number}.mp4": number for number in range(first, min(first + BATCH, videos))}
        new = {name: number for name, number in names.items() if name not in there}
        if new:
            windows = {name: Windows(start, end, make_vectors(number, start)) for name, number in new.items()}
            index.add(windows, dict.fromkeys(new, "1"))


def make_queries(videos: int) -> np.ndarray:
    """(QUERIES, WIDTH) of unit length."""
    rng, start = np.random.default_rng(1), make_spans()[0]
    rows = np.array([make_vectors(int(rng.integers(videos)), start)[rng.integers(len(start))] for _ in range(QUERIES)])
    noise = rng.standard_normal(rows.shape, np.float32)
    rows = rows + noise / np.linalg.norm(noise, axis=1, keepdims=True)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def measure_recall(index: WindowIndex, queries: np.ndarray, exact: int) -> float:
    """Percentage of the best windows among the first videos, `exact` windows in all, that the index finds."""
    start, _ = make_spans()
    count = max(exact // len(start), 1)
    vectors = np.concatenate([make_vectors(number, start) for number in range(count)])  # (M, D)
    names = [f"/videos/{number}.mp4" for number in range(count)]
    within = f"video IN ({', '.join(repr(name) for name in names)})"
    found = []
    for query in queries:
        best = np.argsort(-(vectors @ query))[:BEST]
        truth = {(names[row // len(start)], float(start[row % len(start)])) for row in best}
        hits = index.search(query, BEST, within)
        found.append(len({(hit.video, hit.start) for hit in hits} & truth) / BEST)
    return 100 * float(np.mean(found))


def folder_size(folder: Path) -> int:
    """Bytes."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=int, default=1000)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--exact", type=int, default=50_000, help="windows compared by brute force")
    args = parser.parse_args()
    videos = round(args.hours * 3600 / SECONDS)
    index = WindowIndex(args.folder, "windows", WIDTH)
    begin = time.perf_counter()
    fill(index, videos)
    filled = time.perf_counter()
    index.tidy()
    tidied = time.perf_counter()
    queries, times = make_queries(videos), []
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for query in queries:
        start = time.perf_counter()
        index.search(query, BEST)
        times.append(time.perf_counter() - start)
    result = {
        "hours": args.hours,
        "windows": len(index),
        "fill_s": round(filled - begin, 1),
        "index_s": round(tidied - filled, 1),
        "disk_gb": round(folder_size(args.folder) / 1e9, 2),
        "query_ms_median": round(1000 * float(np.median(times)), 1),
        "query_ms_first": round(1000 * times[0], 1),
        "query_ms_p95": round(1000 * float(np.quantile(times, 0.95)), 1),
        "peak_mb_before_queries": round(before / 1024),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "recall_percent": round(measure_recall(index, queries, args.exact), 1),
        "load": round(os.getloadavg()[0], 1),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
