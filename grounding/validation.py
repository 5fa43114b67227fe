"""Checks of numbers that a configuration holds, and of how many segments are asked for."""

from collections.abc import Mapping
from numbers import Integral
from typing import Any

from grounding.errors import QueryError
from grounding.text import shorten


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
    if not (isinstance(top_k, Integral) or (isinstance(top_k, float) and top_k.is_integer())) or top_k < 1:
        raise QueryError(f"top_k is {shorten(repr(top_k), 20)}: give a whole number, 1 or more.")
    return int(top_k)
