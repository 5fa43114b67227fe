"""Files that are there whole or not at all, and the errors that say what is wrong with one."""

import codecs
import csv
import json
import os
import tomllib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any
from uuid import uuid4
from zipfile import BadZipFile

import numpy as np
from safetensors import SafetensorError

from grounding.errors import GroundingError


class DataError(GroundingError):
    """Training or evaluation data is missing or wrong; the message names the file, the line and the remedy."""


class FormatError(ValueError):
    """A text holds something else than it should; the message says what, in plain words."""


# What reading a text of an unknown format raises.
READ_ERRORS = (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, csv.Error)


def describe_read_error(error: Exception) -> str:
    """What is wrong with a text that was read, one of READ_ERRORS, in plain words."""
    match error:
        case FormatError() | tomllib.TOMLDecodeError():
            return str(error)
        case OSError():
            return error.strerror or str(error)
        case json.JSONDecodeError(doc=text) if not text.strip():
            return "it is empty"
        case json.JSONDecodeError():
            place = f"line {error.lineno}, column {error.colno}" if "\n" in error.doc else f"column {error.colno}"
            return f"it is no JSON from {place} on: look there for a comma, bracket or quote too many or too few"
        case UnicodeDecodeError():
            return f"its byte {error.start:,} is no text in {error.encoding.upper()}"
        case KeyError():
            return f"{error.args[0]!r} is missing"
    return "a value is of another kind"


def read_number(value: Any, name: str) -> float:
    """A number, which may be written as text. Raises FormatError that begins with `name`."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        given = "missing" if value is None else f"{value!r}, not a number"
        raise FormatError(f"{name} is {given}") from error


def read_object(text: str) -> dict[str, Any]:
    """A JSON object. Raises ValueError."""
    value = json.loads(text)
    if not isinstance(value, dict):
        raise FormatError("it is no JSON object, which stands in braces")
    return value


def read_arrays(path: str | Path, *names: str) -> dict[str, np.ndarray]:
    """Those arrays of an npz file that have these names. Raises FormatError and OSError."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in names if name in file}
    except (ValueError, TypeError, AttributeError, EOFError, BadZipFile, zlib.error) as error:
        raise FormatError(f"{path} is no npz file of numbers and texts, or a damaged one") from error


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
