"""The windows of all videos in LanceDB: on disk, searched without being read into memory."""

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from grounding.errors import GroundingError, WriteError
from grounding.library.windows import Windows

if TYPE_CHECKING:
    import pyarrow as pa

REQUIREMENTS = "grounding/library/requirements-library.txt"
APPROXIMATE_FROM = 200_000  # windows; fewer are compared one by one, which is exact and takes milliseconds
PARTITION = 65_536  # windows of one partition of the approximate index, about
ITERATIONS = 10  # of k-means
BITS = 2  # that each value of a vector becomes in it
PROBED = 16  # partitions that are looked into, and more only where they hold too few
INDEX = f"rabitq{BITS}"  # its kind, in the name of the approximate index
REFINED = 4  # times as many windows as asked for are compared in full
SOURCE = re.compile(r",? \S*/registry/src/\S*")  # where in its code an error of LanceDB arose
UNUSED = timedelta(hours=1)  # old versions of the table stay so long, for processes that read them


@dataclass(frozen=True)
class Hit:
    """A window that was found: of which video, where (seconds), and its product with the query."""

    video: str
    start: float
    end: float
    product: float


class WindowIndex:
    """Windows of videos, each with a stamp that tells of which features they are.

    What is removed, and what is added, is seen whole or not at all, whenever a process ends. Windows in the place of
    older ones take both steps: after the first the video has none and no stamp, so that it is added again.

    It is opened at its first use, which raises GroundingError where LanceDB is not installed or the table cannot be
    opened.

    Args:
        address: a folder, or what else LanceDB can open, such as s3://bucket/path.
        name: of the table.
        width: of a vector.
    """

    def __init__(self, address: str | Path, name: str, width: int) -> None:
        self.address, self.name, self.width = str(address), name, width
        self._stamps: tuple[int, dict[str, str]] = (-1, {})  # of which version; replaced as one, threads share it

    @cached_property
    def _table(self) -> Any:
        lancedb, pa = load_lancedb()
        vector = pa.list_(pa.float16(), self.width)
        kinds = {"video": pa.string(), "number": pa.int32(), "stamp": pa.string()}
        kinds |= {"start": pa.float32(), "end": pa.float32(), "vector": vector}
        with self._explained():
            return lancedb.connect(self.address).create_table(self.name, schema=pa.schema(kinds), exist_ok=True)

    def __len__(self) -> int:
        with self._explained():
            self._table.checkout_latest()
            return self._table.count_rows()

    def read_stamps(self) -> dict[str, str]:
        """The stamp of each video; read again only where the table changed since."""
        with self._explained():
            self._table.checkout_latest()
            version, stamps = self._stamps
            if version != self._table.version:
                version = self._table.version
                rows = self._table.search().where("number = 0").select(["video", "stamp"]).to_arrow()
                stamps = dict(zip(rows["video"].to_pylist(), rows["stamp"].to_pylist(), strict=True))
                self._stamps = version, stamps
        return dict(stamps)

    def add(self, windows: Mapping[str, Windows], stamps: Mapping[str, str]) -> None:
        """Keeps the windows of videos, by video, in the place of those that they had."""
        self.remove(set(windows) & set(self.read_stamps()))
        with self._explained():
            _, pa = load_lancedb()
            self._table.add(pa.concat_tables(self._rows(video, windows[video], stamps[video]) for video in windows))

    def _rows(self, video: str, windows: Windows, stamp: str) -> "pa.Table":
        _, pa = load_lancedb()
        count = len(windows.start)
        flat = pa.array(windows.vectors.astype(np.float16).reshape(-1))
        columns = {
            "video": pa.array([video] * count),
            "number": pa.array(range(count), pa.int32()),
            "stamp": pa.array([stamp] * count),
            "start": pa.array(windows.start.astype(np.float32)),
            "end": pa.array(windows.end.astype(np.float32)),
            "vector": pa.FixedSizeListArray.from_arrays(flat, self.width),
        }
        return pa.table(columns)

    def remove(self, videos: Iterable[str]) -> None:
        """Forgets the windows of videos."""
        if videos := sorted(videos):
            with self._explained():
                self._table.delete(f"video IN ({', '.join(map(quote, videos))})")

    def tidy(self) -> None:
        """Joins what was added piece by piece, and indexes what is there once it is much."""
        with self._explained():
            self._table.optimize(cleanup_older_than=UNUSED)
            count = self._table.count_rows()
            there = [index.name for index in self._table.list_indices()]
            if count >= APPROXIMATE_FROM and not any(is_fresh(name, count) for name in there):
                from lancedb.index import IvfRq  # RaBitQ (Gao and Long, SIGMOD 2024): no codebook has to be trained

                partitions = max(count // PARTITION, 1)
                config = IvfRq("dot", num_partitions=partitions, num_bits=BITS, max_iterations=ITERATIONS)
                for name in there:  # meanwhile all windows are compared
                    self._table.drop_index(name)
                self._table.create_index("vector", config=config, name=f"{INDEX}-{count}")

    def search(self, query: np.ndarray, count: int, within: str = "") -> list[Hit]:
        """The `count` windows with the largest product with `query` (D,), best first; `within` is a condition. Few
        windows are compared one by one, of the table or of what is within."""
        with self._explained():
            self._table.checkout_latest()
            search = self._table.search(query.astype(np.float32), vector_column_name="vector").distance_type("dot")
            if within:
                search = search.where(within, prefilter=True)
                if self._table.count_rows(within) < APPROXIMATE_FROM:
                    search = search.bypass_vector_index()
            # No limit above: what is within a large folder may lie in other partitions than those looked into first.
            search = search.minimum_nprobes(PROBED).maximum_nprobes(0).refine_factor(REFINED)
            rows = search.select(["video", "start", "end", "_distance"]).limit(count).to_arrow().to_pylist()
        return [Hit(row["video"], row["start"], row["end"], 1 - row["_distance"]) for row in rows]

    @contextmanager
    def _explained(self):
        """Turns what LanceDB raises into one sentence."""
        try:
            yield
        except GroundingError:
            raise
        except (OSError, RuntimeError, ValueError) as error:  # by what lies below
            reason = SOURCE.sub("", " ".join(str(error).split()))[:200]
            if any(word in reason.lower() for word in ("no space", "os error 28", "disk quota", "permission denied")):
                raise WriteError(f"The library in {self.address!r} cannot be written ({reason}): make room.") from error
            anew = f"delete {self.name}.lance there, and they are made anew from the features."
            mend = f"see that it can be reached; if it is damaged, {anew}" if "://" in self.address else anew
            raise GroundingError(
                f"The windows of the library in {self.address!r} cannot be read ({reason}): {mend}"
            ) from error


def load_lancedb() -> tuple[Any, Any]:
    """The packages lancedb and pyarrow. Raises GroundingError where they are not installed."""
    try:
        import lancedb
        import pyarrow
    except ImportError as error:
        raise GroundingError(
            f"Many videos are searched with LanceDB, which is not installed: pip install -r {REQUIREMENTS}."
        ) from error
    return lancedb, pyarrow


def is_fresh(name: str, count: int) -> bool:
    """Whether an approximate index is of the present kind, and of more than half of the `count` windows: its
    partitions are those of the windows that it was made of."""
    kind, _, made_of = name.rpartition("-")
    return kind == INDEX and made_of.isdecimal() and int(made_of) > count / 2


def quote(text: str) -> str:
    """Text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"


def lies_within(folders: Sequence[str], files: Sequence[str], but: Sequence[str] = ()) -> str:
    """The condition that a video is one of `files` or lies below one of `folders`, wherever it lies where there are
    none of them, and is none of `but`; "" where that says nothing."""
    parts = [f"starts_with(video, {quote(folder.rstrip('/') + '/')})" for folder in folders]
    parts += [f"video IN ({', '.join(map(quote, files))})"] if files else []
    others = [f"video NOT IN ({', '.join(map(quote, but))})"] if but else []
    return " AND ".join([*([f"({' OR '.join(parts)})"] if parts else []), *others])


def count_within(videos: Iterable[str], folders: Sequence[str], files: Sequence[str]) -> int:
    """How many videos `lies_within` holds for."""
    below, named = tuple(folder.rstrip("/") + "/" for folder in folders), set(files)
    return sum(video.startswith(below) or video in named for video in videos)
