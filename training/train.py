"""Trains a grounder from videos and sentences.

    python -m training.train training/configs/embedded.toml --out runs/embedded

A run that was stopped goes on where it was when the same command is given again.
"""

import argparse
import json
import os
import random
import sys
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from grounding.errors import GroundingError
from grounding.model import Grounder
from training.bridges import start
from training.config import TrainConfig, read_train_config
from training.data import QueryBank, Source, batches, groups
from training.moments import DataError
from training.objective import objective
from training.selection import Selection, as_checkpoint, validator
from training.sources import load_sources

STATE = "state.pt"


class Run:
    """One training run: the model, its moving average, the optimiser, and where they stand.

    Args:
        config: of the run.
        sources: training videos.
        bank: their queries.
        device: to train on.
    """

    def __init__(self, config: TrainConfig, sources: list[Source], bank: QueryBank, device: str = "cpu") -> None:
        self.config, self.sources, self.bank, self.device = config, sources, bank, device
        if len(sources) < config.composition.fewest:
            raise DataError(
                f"{len(sources)} videos in {config.data.moments} are too few to compose {config.composition.fewest} of "
                "them: add videos, or set composition.fewest lower."
            )
        torch.manual_seed(config.seed)
        self.grounder = start(Grounder(config.model), config).to(device)
        self.average = AveragedModel(self.grounder, multi_avg_fn=get_ema_multi_avg_fn(config.averaging))
        self.optimizer = torch.optim.AdamW(
            self.grounder.parameters(), config.learning_rate, weight_decay=config.weight_decay
        )
        self.scheduler = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, config.learning_rate, total_steps=self._total_steps(), pct_start=0.1
        )
        self.selection = Selection(validator(config))
        self.selection.consider(self.average.module, 0)  # where training starts may be best, and is all of 0 epochs
        self.log: list[dict[str, float]] = []

    @property
    def epoch(self) -> int:
        """How many epochs are done."""
        return len(self.log)

    def _total_steps(self) -> int:
        """At least as many steps as the run takes: groups are of random size, so epochs differ by a step."""
        counts = [
            len(groups(len(self.sources), self.config.composition, random.Random(f"{self.config.seed}/{epoch}")))
            for epoch in range(self.config.epochs)
        ]
        return sum(-(-count // self.config.videos) for count in counts) + 1

    def run_epoch(self) -> None:
        """One pass over the sources; the mean losses by name go to the log."""
        config, sums, count = self.config, {}, 0
        self.grounder.train()
        torch.manual_seed(config.seed * 100_003 + self.epoch)  # dropout too is the same in a resumed run
        for batch in batches(self.sources, self.bank, config.composition, config.videos, config.seed, self.epoch):
            losses = objective(self.grounder, batch.to(self.device), config.objective)
            self._step(losses["total"])
            count += 1
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + float(value.detach())
        row = {"epoch": self.epoch + 1, **{name: round(value / count, 4) for name, value in sums.items()}}
        value = self.selection.consider(self.average.module, row["epoch"])
        self.log.append(row | ({"validation": round(value, 2)} if self.selection.score else {}))

    def _step(self, loss: torch.Tensor) -> None:
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.grounder.parameters(), 1.0)
        self.optimizer.step()
        self.scheduler.step()
        self.average.update_parameters(self.grounder)

    def save(self, path: Path) -> None:
        """Writes the whole state beside `path`, then renames it, so that a kill leaves the old state or the new."""
        parts = ("grounder", "average", "optimizer", "scheduler", "selection")
        state = {name: getattr(self, name).state_dict() for name in parts} | {
            "log": self.log,
            "config": repr(self.config),
        }
        torch.save(state, path.with_suffix(".part"))
        os.replace(path.with_suffix(".part"), path)

    def load(self, path: Path) -> None:
        """Goes on from a saved state. Raises DataError if it is damaged or of another config."""
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
            if state.pop("config") != repr(self.config):
                raise ValueError("the config has changed since")
            self.log = state.pop("log")
            for name, value in state.items():
                getattr(self, name).load_state_dict(value)
        except Exception as error:  # torch raises many types here
            reason = str(error).splitlines()[0]
            raise DataError(
                f"{path} cannot be resumed ({reason}): delete it to start anew, or give another --out."
            ) from error


def export(run: Run, folder: Path) -> None:
    """Writes the selected weights, averaged over steps, and the config as a checkpoint."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.contiguous().cpu() for name, tensor in run.selection.weights.items()}
    save_file(weights, folder / "model.part")
    os.replace(folder / "model.part", folder / "model.safetensors")
    described = asdict(as_checkpoint(run.config))
    (folder / "config.json").write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")


def write_log(run: Run, folder: Path) -> None:
    """The mean losses of every epoch so far, a line each; what a killed run left out is there again."""
    rows = "".join(json.dumps(row) + "\n" for row in run.log)
    (folder / "log.jsonl").write_text(rows, encoding="utf-8")


def train(config: TrainConfig, out: Path, device: str = "cpu") -> Run:
    """Trains to the end, saving after every epoch, and exports the checkpoint to `out`."""
    out.mkdir(parents=True, exist_ok=True)
    sources, bank = load_sources(config)
    run = Run(config, sources, bank, device)
    if (out / STATE).is_file():
        run.load(out / STATE)
    bar = tqdm(total=config.epochs, initial=run.epoch, unit="epoch", desc=config.name)
    while run.epoch < config.epochs:
        run.run_epoch()
        run.save(out / STATE)
        write_log(run, out)
        bar.update()
        bar.set_postfix(loss=f"{run.log[-1]['total']:.3f}")
    bar.close()
    write_log(run, out)
    export(run, out)
    return run


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="a TOML file, such as training/configs/embedded.toml")
    parser.add_argument("--out", type=Path, required=True, help="folder for the state, the log and the checkpoint")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    try:
        train(read_train_config(args.config), args.out, args.device)
    except GroundingError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
