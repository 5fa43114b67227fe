"""Files that are handed out: their names, and that they are whole."""

import os
import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LONGEST = 40  # characters of a visitor's own name that are kept


def safe_name(path: str | Path) -> str:
    """The stem of a file in letters, digits, - and _, safe on every file system and in every header."""
    plain = unicodedata.normalize("NFKD", Path(path).stem).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_-]+", "_", plain)[:LONGEST].strip("_-") or "clip"


@contextmanager
def whole_file(out: Path) -> Iterator[Path]:
    """A file beside `out` that takes its place when all went well, and otherwise leaves nothing."""
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def swept(folder: Path) -> Iterator[None]:
    """After an error, what a process that was killed had begun to write in `folder` is gone."""
    try:
        yield
    except BaseException:
        for part in folder.glob(".*.part"):
            part.unlink(missing_ok=True)
        raise
