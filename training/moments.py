"""The moments file, the one format for training and evaluation: a JSON object per line.

    {"video": "a.mp4", "duration": 31.0, "query": "person turns a light on", "start": 24.3, "end": 30.4}

Times are seconds. `start` and `end` may be missing: training never reads them. A query that happens several times has
all its spans in "windows", [[start, end], ...], and `start` and `end` of the first: evaluation scores each segment by
the window that it fits best. Other keys are kept out.
"""

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from training.files import (
    READ_ERRORS,
    DataError,
    FormatError,
    describe_read_error,
    read_lines,
    read_object,
    write_whole,
)

__all__ = ["DataError", "Moment", "parse_moment", "read_moments", "write_moments"]


@dataclass(frozen=True)
class Moment:
    """A sentence about a video, and where evaluation finds it: seconds, 0 <= start < end, or both None.

    `windows` holds all spans of a query that happens several times, the first of which is `start` and `end`.
    """

    video: str
    duration: float
    query: str
    start: float | None = None
    end: float | None = None
    windows: tuple[tuple[float, float], ...] = ()

    @property
    def spans(self) -> tuple[tuple[float, float], ...]:
        """Where the query happens, (start, end) in seconds each; none where that is not known."""
        return self.windows or (((self.start, self.end),) if self.start is not None else ())

    def __post_init__(self) -> None:
        if not isinstance(self.video, str) or not self.video:
            raise FormatError("video must be a name")
        if not isinstance(self.query, str) or not self.query.strip():
            raise FormatError("the query is blank")
        times = {"duration": self.duration, "start": self.start, "end": self.end}
        for name, value in times.items():
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
                raise FormatError(f"{name} is {value!r}, not a number of seconds")
        if self.duration is None or not math.isfinite(self.duration) or self.duration <= 0:
            raise FormatError(f"the duration is {self.duration}, not a positive number of seconds")
        if (self.start is None) != (self.end is None):
            raise FormatError("only one of start and end is there")
        if self.start is not None and not 0 <= self.start < self.end < math.inf:
            raise FormatError(f"start {self.start} and end {self.end} are not 0 <= start < end")
        for start, end in self.windows:
            if not 0 <= start < end < math.inf:
                raise FormatError(f"the window {start} to {end} is not 0 <= start < end")
        if self.windows and self.windows[0] != (self.start, self.end):
            raise FormatError(f"start {self.start} and end {self.end} are not the first window, {self.windows[0]}")


def read_moments(path: str | Path) -> Iterator[Moment]:
    """Reads a moments file line by line; blank lines are skipped.

    Raises:
        DataError: the file is missing or empty, or a line is broken; names file and line.
    """
    try:
        lines = list(read_lines(path))
    except (OSError, UnicodeDecodeError) as error:
        reason = describe_read_error(error)
        raise DataError(f"{path} cannot be read ({reason}): give a moments file, see training/moments.py.") from error
    if not lines:
        raise DataError(f"{path} holds no moment: write one JSON object per line.")
    for number, line in lines:
        yield parse_moment(line, f"{path}, line {number}")


def parse_moment(line: str, where: str) -> Moment:
    """One line as a Moment. Raises DataError that begins with `where`."""
    try:
        values = read_object(line)
        windows = tuple((start, end) for start, end in values.get("windows", ()))
        needed = (values[key] for key in ("video", "duration", "query"))
        return Moment(*needed, values.get("start"), values.get("end"), windows)
    except READ_ERRORS as error:
        remedy = 'mend or delete the line; it needs "video", "duration" and "query"'
        raise DataError(f"{where}: {describe_read_error(error)}: {remedy}.") from error


def write_moments(path: str | Path, moments: Iterable[Moment]) -> int:
    """Writes a moments file whole or not at all. Returns how many moments it holds."""
    rows = []
    for moment in moments:
        values = asdict(moment) if moment.windows else {**asdict(moment), "windows": None}
        rows.append(json.dumps({key: value for key, value in values.items() if value is not None}))
    with write_whole(Path(path)) as part:
        part.write_text("".join(row + "\n" for row in rows), encoding="utf-8")
    return len(rows)
