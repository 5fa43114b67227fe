"""Checks of numbers that a configuration holds, and of what is asked: the query, and how many segments."""

from collections.abc import Mapping
from numbers import Integral
from typing import Any

from grounding.errors import QueryError
from grounding.text import describe_type, shorten

MAX_QUERY = 1000  # characters


def check_ranges(config: Any, ranges: Mapping[str, tuple[bool, str]]) -> None:
    """Raises ValueError that begins with the name of the first field that is out of range.

    Args:
        config: holds the fields.
        ranges: for each field whether its value fits, and what it must be.
    """
    for name, (fits, wanted) in ranges.items():
        if not fits:
            raise ValueError(f"{name} must be {wanted}, not {getattr(config, name)}")


def check_top_k(top_k: Any) -> int:
    """`top_k` as a visitor or a program gave it, as a whole number. Raises QueryError."""
    is_number = isinstance(top_k, Integral) and not isinstance(top_k, bool)
    if not (is_number or (isinstance(top_k, float) and top_k.is_integer())) or top_k < 1:
        raise QueryError(f"top_k is {shorten(repr(top_k), 20)}: give a whole number, 1 or more.")
    return int(top_k)


def check_text(query: str) -> None:
    """Raises QueryError for half a surrogate pair, which comes from a terminal, from JSON or from a text cut short."""
    try:
        query.encode()
    except UnicodeEncodeError as error:
        raise QueryError(f"The query {ascii(query[:40])} holds bytes that are not text. Type it again.") from error


def check_query(query: str) -> str:
    """`query` without outer blanks. Raises QueryError if it is blank or longer than MAX_QUERY characters."""
    if not isinstance(query, str):
        raise QueryError(f"The query is {describe_type(query)}: give one sentence, a str.")
    if not query.strip():
        raise QueryError("The query is empty: describe the moment in a few words, such as 'a dog catches a frisbee'.")
    if len(query) > MAX_QUERY:
        raise QueryError(
            f"The query has {len(query):,} characters and {MAX_QUERY:,} is the most: describe one moment in a sentence."
        )
    check_text(query)
    return query.strip()
