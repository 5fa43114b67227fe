"""The table of what was tried and what survived."""

from collections.abc import Sequence
from typing import NamedTuple

HEAD = "| what was tried | tried | survived | |\n|---|---|---|---|\n"


class Row(NamedTuple):
    """One line of the table.

    Attributes:
        what: kind of trouble, such as "videos with flipped bits".
        tried: how many.
        survived: how many of these ended in a right answer or in one clear message.
        note: what came of them, or which did not survive.
    """

    what: str
    tried: int
    survived: int
    note: str = ""


def table(rows: Sequence[Row]) -> str:
    """A Markdown table, one row a line."""
    return HEAD + "".join(line(row) for row in rows)


def line(row: Row) -> str:
    """A row as a line of Markdown."""
    cells = (" ".join(str(cell).split()).replace("|", "\\|") for cell in row)
    return f"| {' | '.join(cells)} |\n"


def all_survived(rows: Sequence[Row]) -> bool:
    """Whether there is something, and all of it survived."""
    return bool(rows) and all(row.tried > 0 and row.survived == row.tried for row in rows)
