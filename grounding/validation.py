"""Checks of numbers that a configuration holds."""

from collections.abc import Mapping
from typing import Any


def check_ranges(config: Any, ranges: Mapping[str, tuple[bool, str]]) -> None:
    """Raises ValueError that begins with the name of the first field that is out of range.

    Args:
        config: holds the fields.
        ranges: for each field whether its value fits, and what it must be.
    """
    for name, (fits, wanted) in ranges.items():
        if not fits:
            raise ValueError(f"{name} must be {wanted}, not {getattr(config, name)}")
