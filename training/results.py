"""What a run leaves behind: the checkpoint and the log."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from grounding.checkpoint import CheckpointConfig, sha256
from training.files import whole_file


def export(weights: Mapping[str, Tensor], described: CheckpointConfig, folder: Path) -> None:
    """Writes weights and config as a checkpoint. Raises DataError if `folder` cannot be written."""
    with whole_file(folder / "model.safetensors") as part:
        save_file({name: tensor.contiguous().cpu() for name, tensor in weights.items()}, part)
        described = replace(described, weights=sha256(part))
    with whole_file(folder / "config.json") as part:
        part.write_text(json.dumps(asdict(described), indent=2) + "\n", encoding="utf-8")


def write_log(rows: Iterable[Mapping[str, float]], path: Path) -> None:
    """The mean losses of every epoch so far, a line each; what a killed run left out is there again."""
    with whole_file(path) as part:
        part.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
