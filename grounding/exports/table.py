"""Tables that a spreadsheet opens, and runs nothing of."""

import csv
import io
import unicodedata
from collections.abc import Iterable, Sequence

from grounding.exports.cut_list import CutList

BOM = "\ufeff"  # tells Excel that a table is UTF-8
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # what makes a spreadsheet run a cell
MOMENT_COLUMNS = (
    "video",
    "query",
    "rank",
    "start",
    "end",
    "score",
    "start_timecode",
    "end_timecode",
    "frame_rate",
    "stands_out",
)


def csv_from_cuts(cuts: CutList) -> str:
    """A row for each moment, in their order: seconds, and timecodes in the clip's own frame rate.

    The end's timecode is that of the first frame after the moment, as editing programs have it.
    """
    rows = [
        (cut.path, cut.moment.query, rank, cut.moment.start, cut.moment.end, cut.moment.score)
        + (*cut.timecodes, float(cut.rate), write_truth(cut.moment.stands_out))
        for rank, cut in enumerate(cuts.cuts, start=1)
    ]
    return BOM + csv_table(MOMENT_COLUMNS, rows)


def write_truth(value: bool | None) -> str:
    """Whether a moment stands out, as a cell: true or false, empty where that is not known."""
    return "" if value is None else str(value).lower()


def csv_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A header and rows."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([safe_cell(value) for value in row] for row in rows)
    return text.getvalue()


def safe_cell(value: object) -> object:
    """Text that a spreadsheet would run as a formula gets an apostrophe before it, which it shows as text.

    Its full-width signs count as the plain ones, which some spreadsheets take them for.
    """
    if isinstance(value, str):
        plain = unicodedata.normalize("NFKC", value).lstrip(" ")
        return f"'{value}" if plain.startswith(FORMULA) else value
    return round(value, 4) if isinstance(value, float) else value
