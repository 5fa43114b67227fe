"""Files: what they hold, as a hash; under which names they are handed out, and that they are whole."""

import errno
import glob
import hashlib
import os
import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError

from grounding.errors import CheckpointError, WriteError

if TYPE_CHECKING:
    import numpy as np

REFUSED = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)
LONGEST = 40  # characters of a visitor's own name that are kept


def hash_file(path: str | Path) -> str:
    """SHA-256 of a file's content in hexadecimal digits, read in pieces. Raises OSError."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def make_safe_name(path: str | Path) -> str:
    """The stem of a file in letters, digits, - and _, safe on every file system and in every header."""
    plain = unicodedata.normalize("NFKD", Path(path).stem).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_-]+", "_", plain)[:LONGEST].strip("_-") or "clip"


def make_preview_name(path: str | Path) -> str:
    """File name of a clip's preview."""
    return f"{make_safe_name(path)}-preview.mp4"


@contextmanager
def write_whole(out: Path) -> Iterator[Path]:
    """A file beside `out` that takes its place when all went well, and otherwise leaves nothing.

    Raises WriteError where there is no room for it, see `explain_write_errors`.
    """
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        with explain_write_errors(out):
            yield part
            part.replace(out)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def remove_parts_on_error(out: Path) -> Iterator[None]:
    """After an error, what a process that was killed had begun to write of `out` is gone."""
    try:
        yield
    except BaseException:
        for part in out.parent.glob(f".{glob.escape(out.name)}.*.part"):
            part.unlink(missing_ok=True)
        raise


@contextmanager
def explain_write_errors(out: Path) -> Iterator[None]:
    """A block that writes `out`. Raises WriteError if the disk is full or must not be written to."""
    try:
        yield
    except OSError as error:
        if error.errno not in REFUSED:
            raise
        raise make_write_error(out, os.strerror(error.errno)) from error
    except SafetensorError as error:  # what safetensors makes of the same
        raise make_write_error(out, str(error).splitlines()[0]) from error


def make_write_error(out: Path, reason: str) -> WriteError:
    """The error that says why `out` cannot be written."""
    return WriteError(f"{out.name!r} cannot be written ({reason}): make room on the disk, and try again.")


def load_tensors(path: Path, sha256: str) -> "dict[str, np.ndarray]":
    """The tensors of a checkpoint's file by name, float32. Raises CheckpointError if it is missing or another one."""
    from safetensors.numpy import load_file

    try:
        if hash_file(path) != sha256:
            raise ValueError("its sha256 is not the one in config.json")
        return {name: array.astype("float32") for name, array in load_file(path).items()}
    except (OSError, ValueError, SafetensorError) as error:
        raise CheckpointError(f"{path} is not the one of this checkpoint ({error}): fetch it again.") from error
