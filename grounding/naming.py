"""Names of files that are handed out."""

import re
import unicodedata
from pathlib import Path

LONGEST = 40  # characters of a visitor's own name that are kept


def safe_name(path: str | Path) -> str:
    """The stem of a file in letters, digits, - and _, safe on every file system and in every header."""
    plain = unicodedata.normalize("NFKD", Path(path).stem).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_-]+", "_", plain)[:LONGEST].strip("_") or "clip"
