"""What a run leaves behind: the checkpoint and the log."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from grounding.checkpoint import CheckpointConfig
from grounding.encoders.stand_in import StandIn, save_stand_in
from grounding.files import hash_file
from training.files import write_whole


def export(
    weights: Mapping[str, Tensor], described: CheckpointConfig, folder: Path, stand_in: StandIn | None = None
) -> None:
    """Writes weights, config and, if there is one, the stand-in as a checkpoint. Raises DataError if it cannot."""
    with write_whole(folder / "model.safetensors") as part:
        save_file({name: tensor.contiguous().cpu() for name, tensor in weights.items()}, part)
        described = replace(described, weights=hash_file(part))
        if stand_in:
            described = replace(described, stand_in=save_stand_in(stand_in, folder))
    write_config(described, folder)


def write_config(config: CheckpointConfig, folder: Path) -> None:
    """Writes what a checkpoint says of itself. Raises DataError if it cannot."""
    with write_whole(folder / "config.json") as part:
        part.write_text(json.dumps(asdict(config), indent=2) + "\n", encoding="utf-8")


def write_log(rows: Iterable[Mapping[str, float]], path: Path) -> None:
    """The mean losses of every epoch so far, a line each; what a killed run left out is there again."""
    with write_whole(path) as part:
        part.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
