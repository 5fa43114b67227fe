"""Files that are there whole or not at all, and the error that says what is wrong with one."""

import codecs
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from uuid import uuid4

from safetensors import SafetensorError

from grounding.errors import GroundingError


class DataError(GroundingError):
    """Training or evaluation data is missing or wrong; the message names the file, the line and the remedy."""


def read_text(path: str | Path) -> str:
    """A text in UTF-8, or in UTF-16 where its byte-order mark says so, without any such mark.

    Spreadsheets and editors put a mark before a text; texts that were joined hold marks in their midst. Raises OSError
    and UnicodeDecodeError.
    """
    content = Path(path).read_bytes()
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if marked else "utf-8").replace("\ufeff", "")


def read_lines(path: str | Path) -> Iterator[tuple[int, str]]:
    """The lines of a text that are not blank, with their numbers from 1 on. Raises as `read_text` does."""
    lines = read_text(path).split("\n")  # a sentence may hold other separators
    return ((number, line) for number, line in enumerate(lines, 1) if line.strip())


@contextmanager
def write_whole(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to, renamed to `path` at the end: readers find the old file or the new one.

    The name is this writer's own, so several processes may write the same file. What is left over from a failure is
    deleted.

    Raises:
        DataError: the folder cannot be written, or the disk is full.
    """
    part = path.with_name(f"{path.name}.{uuid4().hex[:8]}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.touch()
        mode = part.stat().st_mode
        yield part
        part.chmod(mode)  # safetensors leaves files that their owner alone can read
        os.replace(part, path)
    except (OSError, SafetensorError, RuntimeError) as error:  # the last two are what safetensors and torch make of it
        reason = (getattr(error, "strerror", None) or str(error)).splitlines()[0]
        raise DataError(f"{path} cannot be written ({reason}): make room there, or give another place.") from error
    finally:
        with suppress(OSError):  # a folder that is none holds nothing to delete
            part.unlink(missing_ok=True)


def check_folder(folder: Path) -> None:
    """Makes sure, before hours of work, that files can be written to `folder`. Raises DataError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=folder).close()
    except OSError as error:
        raise DataError(f"{folder} cannot be written ({error.strerror}): give another --out.") from error
