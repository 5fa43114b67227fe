"""OpenAI's own weights, such as ViT-B-32.pt: a TorchScript archive, of which tensors are read and no code is run."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

CODE = "constants.pkl"  # by this record torch knows a TorchScript archive
LISTS = tuple(
    f"torch.jit._pickle.{name}" for name in ("build_intlist", "build_doublelist", "build_boollist", "restore_type_tag")
)
RECORDS = ("data.pkl", "version", "byteorder", ".format_version", ".storage_alignment")  # and the tensors, data/N


class Part:
    """Stands for a module of the archive: holds its tensors and parts, and can do nothing."""


def keep_first(value: Any, *_: Any) -> Any:
    """Stands for what TorchScript marks the type of a list with."""
    return value


def is_torchscript(path: str | Path) -> bool:
    """Whether a file is a TorchScript archive, as far as its table of contents says."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.count("/") == 1 and name.endswith(f"/{CODE}") for name in archive.namelist())


def read_torchscript(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a TorchScript archive by their dotted names, through torch's restricted reader.

    Raises:
        ValueError: the archive names anything but modules and tensors, or torch's restricted reader does not take it.
        RuntimeError, OSError: it is damaged.
    """
    plain = _copy_without_code(path)
    named = torch.serialization.get_unsafe_globals_in_checkpoint(plain)
    foreign = sorted(name for name in named if name not in LISTS and not name.startswith("__torch__."))
    if foreign:
        raise ValueError(f"it names {foreign[0]}, which is neither a module nor a tensor")
    plain.seek(0)
    with torch.serialization.safe_globals([(keep_first if name in LISTS else Part, name) for name in named]):
        try:
            whole = torch.load(plain, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises many types here, with a page of advice to trust the file
            raise ValueError("torch's restricted reader does not take it") from error
    return dict(_walk(whole, ""))


def _copy_without_code(path: str | Path) -> io.BytesIO:
    """The archive's tensors as a checkpoint of torch.save: torch reads those alone without code."""
    plain = io.BytesIO()
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(plain, "w") as copy:
        for record in archive.infolist():
            inner = record.filename.partition("/")[2]
            if inner in RECORDS or inner.startswith("data/"):
                copy.writestr(f"archive/{inner}", archive.read(record))
    plain.seek(0)
    return plain


def _walk(part: Any, prefix: str) -> Iterator[tuple[str, Tensor]]:
    if isinstance(part, Tensor):
        yield prefix, part.detach()
    elif isinstance(part, Part):
        for name, inner in vars(part).items():
            yield from _walk(inner, f"{prefix}.{name}" if prefix else name)
