"""How long a search takes in a process that stays, as in Python and on the page.

    python -m tests.benchmarks.second_search VIDEOS

Encodes what the store lacks, searches once, which loads the query encoder, and then each of a few sentences twice: the
first time its videos' features may come from disk, the second time they are in memory.
"""

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np

from grounding import Library, Predictor
from grounding.library.command_line import add_store_option

QUERIES = (
    "a dog runs on the grass",
    "a man cooks in a kitchen",
    "a car drives on a road",
    "a woman sings on a stage",
    "a rocket starts",
    "people play a game",
    "a rabbit in a meadow",
    "someone talks to the camera",
)


def time_search(library: Library, query: str, folder: Path) -> tuple[float, float]:
    """Milliseconds by the clock, and of computing."""
    begin, used = time.perf_counter(), time.process_time()
    library.search(query, 10, [folder])
    return 1000 * (time.perf_counter() - begin), 1000 * (time.process_time() - used)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="videos")
    add_store_option(parser)
    args = parser.parse_args()
    library = Library(args.store, Predictor.from_checkpoint("embedded"))
    for _ in library.add([args.folder]):
        pass
    first, _ = time_search(library, "a first sentence", args.folder)
    result = {"videos": len(library.videos()), "first_ms": round(first), "load": round(os.getloadavg()[0], 1)}
    for name in ("new", "again"):
        clock, computing = np.array([time_search(library, query, args.folder) for query in QUERIES]).T
        result |= {f"{name}_ms_median": round(float(np.median(clock)), 1), f"{name}_ms_max": round(clock.max(), 1)}
        result |= {f"{name}_cpu_ms_median": round(float(np.median(computing)), 1)}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
