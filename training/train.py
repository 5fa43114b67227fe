"""Trains a grounder from videos and sentences.

    python -m training.train CONFIG --out DIR                                           # on one GPU, or the CPU
    accelerate launch --multi_gpu --num_processes 8 -m training.train CONFIG --out DIR  # on eight GPUs
    tensorboard --logdir DIR

CONFIG is a TOML file, such as training/configs/embedded.toml. Where there is no GPU, the second line starts processes
on the CPU. For several machines give it, on each, --num_machines, --machine_rank, --main_process_ip and
--main_process_port, the processes of all machines as --num_processes, and a DIR that all of them see. A run that was
stopped goes on where it was when the same command is given again.
"""

import argparse
import copy
import random
import sys
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from grounding.encoders.registry import QueryEncoder
from grounding.encoders.stand_in import StandIn
from grounding.errors import GroundingError
from grounding.model import Grounder
from grounding.text import stop_quietly
from training.batches import Batch, QueryBank, Source, draw_batches, draw_groups
from training.config import TrainConfig, check_sizes, read_train_config
from training.distributed import PRECISIONS, Team, start_alone, start_together
from training.epoch_selection import Selection, describe_checkpoint, make_validator
from training.export import export, write_log
from training.files import DataError, check_folder, write_whole
from training.initialization import initialize
from training.objective import ObjectiveConfig, compute_losses
from training.sources import load_sources
from training.stand_in import drop_adapter, find_text_tower, fit_stand_in, read_by

STATE = "state.pt"
FULL = "The GPU has no memory left: set videos lower in {}, add GPUs, give --mixed-precision bf16 or --device cpu."


class Learner(nn.Module):
    """A grounder whose forward pass is its objective, which is what DistributedDataParallel wraps."""

    def __init__(self, grounder: Grounder, config: ObjectiveConfig, team: Team) -> None:
        super().__init__()
        self.grounder, self.config, self.team = grounder, config, team

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The losses of this process's share of a batch, by name."""
        return compute_losses(self.grounder, batch, self.config, self.team)


class Run:
    """One training run: the model, its moving average, the optimiser, and where they stand.

    Args:
        config: of the run.
        sources: training videos.
        bank: their queries.
        team: the processes that train together.
        stand_in: for the checkpoint, in CLIP's joint space.
        text_tower: what read the queries in its place.
    """

    def __init__(
        self,
        config: TrainConfig,
        sources: list[Source],
        bank: QueryBank,
        team: Team,
        stand_in: StandIn | None = None,
        text_tower: QueryEncoder | None = None,
    ) -> None:
        self.config, self.sources, self.bank, self.team, self.stand_in = config, sources, bank, team, stand_in
        check_sizes(config, len(sources), team.count)
        torch.manual_seed(config.seed)
        self.grounder = initialize(Grounder(config.model), config, sources, bank).to(team.accelerator.device)
        self.start = [weight.detach().clone() for weight in self.grounder.parameters()]
        self.average = AveragedModel(self.grounder, multi_avg_fn=get_ema_multi_avg_fn(config.averaging))
        self.grounder.query_tower.requires_grad_(not config.freeze_queries)
        trained = [weight for weight in self.grounder.parameters() if weight.requires_grad]
        optimizer = torch.optim.AdamW(trained, config.learning_rate, weight_decay=config.weight_decay)
        self.scheduler = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, config.learning_rate, total_steps=self._total_steps(), pct_start=0.1
        )
        self.learner = team.prepare(Learner(self.grounder, config.objective, team))
        self.optimizer = team.accelerator.prepare_optimizer(optimizer)
        self.selection = Selection(make_validator(config, text_tower or stand_in) if team.main else None)
        self.selection.consider(self.finish(), 0)  # where training starts may be best, and is all of 0 epochs
        self.reader = (text_tower.name if text_tower else "the stand-in") if stand_in else ""  # of the queries
        self.log: list[dict[str, float]] = []
        self.pairs, self.seconds = 0.0, 0.0  # trained on since this process began

    @property
    def epoch(self) -> int:
        """How many epochs are done."""
        return len(self.log)

    @property
    def pace(self) -> str:
        """Pairs of a part and its sentence that all processes together train on in a second."""
        return f"{self.pairs / max(self.seconds, 1e-9):,.0f} pairs/s"

    @torch.no_grad()
    def finish(self) -> Grounder:
        """A copy of the averaged weights, drawn back towards the start, and its query center towards all texts, as far
        as the config says: what is kept."""
        grounder, config = copy.deepcopy(self.average.module), self.config
        if config.interpolation < 1:
            for weight, start in zip(grounder.parameters(), self.start, strict=True):
                weight.copy_(start + config.interpolation * (weight - start))
        if self.stand_in:
            center = grounder.query_tower.center  # (D,)
            center.lerp_(self.stand_in.text_mean.to(center), config.general_center)
        return grounder

    def _total_steps(self) -> int:
        """At least as many steps as the run takes: groups are of random size, so epochs differ by a step."""
        config = self.config
        seeds = [random.Random(f"{config.seed}/{epoch}") for epoch in range(config.epochs)]
        counts = [len(draw_groups(len(self.sources), config.composition, seed)) for seed in seeds]
        return max(11, sum(-(-count // config.videos) for count in counts) + 1)  # OneCycleLR divides by total / 10 - 1

    def run_epoch(self) -> None:
        """One pass over the sources; the mean losses by name go to the log. Raises DataError if they are not finite."""
        config, team = self.config, self.team
        self.learner.train()
        self.grounder.query_tower.train(not config.freeze_queries)  # a frozen tower drops nothing out
        torch.manual_seed(config.seed * 100_003 + self.epoch + 1_000_000_007 * team.rank)  # for dropout, resumed or not
        began, rows, pairs = time.perf_counter(), [], 0
        order = config.composition, config.videos, config.seed, self.epoch, team.rank, team.count
        for batch in draw_batches(self.sources, self.bank, *order):
            losses = self.learner(batch.to(team.accelerator.device))
            self._step(losses["total"])
            rows.append(torch.stack([value.detach().float() for value in losses.values()]))
            pairs += len(batch.owner)
        *means, pairs = team.mean(torch.cat([torch.stack(rows).mean(dim=0), rows[0].new_tensor([pairs])])).tolist()
        self.pairs, self.seconds = self.pairs + pairs * team.count, self.seconds + time.perf_counter() - began
        self._note({name: round(value, 4) for name, value in zip(losses, means, strict=True)})

    def _step(self, loss: Tensor) -> None:
        accelerator = self.team.accelerator
        self.optimizer.zero_grad()
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(self.grounder.parameters(), 1.0)
        self.optimizer.step()
        if not self.optimizer.step_was_skipped:  # as fp16 does where a gradient overflows
            self.scheduler.step()
            self.average.update_parameters(self.grounder)

    def _note(self, losses: dict[str, float]) -> None:
        epoch = self.epoch + 1
        if not all(abs(value) < float("inf") for value in losses.values()):
            raise DataError(f"The losses of epoch {epoch} are not finite ({losses}): set learning_rate lower.")
        value = self.selection.consider(self.finish(), epoch)
        self.log.append({"epoch": epoch, **losses} | ({"validation": round(value, 2)} if self.selection.score else {}))

    def _parts(self) -> dict:
        parts = {name: getattr(self, name) for name in ("grounder", "average", "optimizer", "scheduler", "selection")}
        return parts | ({"scaler": scaler} if (scaler := self.team.accelerator.scaler) else {})  # of fp16 gradients

    def save(self, path: Path) -> None:
        """Writes the whole state, so that a kill leaves the old one or the new. Raises DataError if it cannot."""
        state = {name: part.state_dict() for name, part in self._parts().items()}
        with write_whole(path) as part:
            torch.save(state | {"log": self.log, "config": repr(self.config), **self._read_by()}, part)

    def _read_by(self) -> dict:
        return {"reader": self.reader, "stand_in": self.stand_in.weight} if self.stand_in else {"reader": ""}

    def load(self, path: Path) -> None:
        """Goes on from a saved state. Raises DataError if it is damaged, of another config, or of queries that were
        read otherwise."""
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            if state["config"] != repr(self.config):
                raise ValueError("the config has changed since")
            if (reader := state.get("reader", "")) != self.reader:
                raise ValueError(f"its queries were read by {reader or 'nobody known'}, and now by {self.reader}")
            if self.stand_in and not torch.allclose(state["stand_in"], self.stand_in.weight, rtol=1e-3, atol=1e-4):
                raise ValueError("the stand-in has changed since")
            for name, part in self._parts().items():
                part.load_state_dict(state[name])
            self.log = state["log"]
        except Exception as error:  # torch raises many types here
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise DataError(
                f"{path} cannot be resumed ({reason}): delete it to start anew, or give another --out."
            ) from error


def train(config: TrainConfig, out: Path, team: Team | None = None, text_tower: QueryEncoder | None = None) -> Run:
    """Trains to the end, saving after every epoch, and exports the checkpoint to `out`. By default alone on the CPU.

    In CLIP's joint space `text_tower` reads the queries, and without one the stand-in.
    """
    check_folder(out)
    team = team or start_alone()
    config = drop_adapter(config) if text_tower else config
    sources, bank = load_sources(config, team)
    stand_in = fit_stand_in(config, sources, text_tower, bank) if config.model.joint else None
    run = Run(config, sources, read_by(text_tower or stand_in, bank), team, stand_in, text_tower)
    if (out / STATE).is_file():
        run.load(out / STATE)
    team.accelerator.init_trackers("tensorboard")
    with tqdm(total=config.epochs, initial=run.epoch, unit="epoch", desc=config.name, disable=not team.main) as bar:
        while run.epoch < config.epochs:
            run.run_epoch()
            if team.main:
                run.save(out / STATE)
                write_log(run.log, out / "log.jsonl")
            team.accelerator.log(run.log[-1], step=run.epoch)
            bar.set_postfix_str(f"loss {run.log[-1]['total']:.3f}, {run.pace}", refresh=False)
            bar.update()
    if team.main:
        write_log(run.log, out / "log.jsonl")
        export(run.selection.weights, describe_checkpoint(config, run.reader), out, stand_in)
    return run


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="a TOML file, such as training/configs/embedded.toml")
    parser.add_argument("--out", type=Path, required=True, help="folder for the state, the log and the checkpoint")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--mixed-precision", choices=PRECISIONS, help="of the forward pass; 'no' by default")
    parser.add_argument("--weights", type=Path, help="local file with an open_clip model's weights, to read queries by")
    args = parser.parse_args()
    try:
        config = read_train_config(args.config)
        team = start_together(args.device, args.mixed_precision, args.out)
        run = train(config, args.out, team, find_text_tower(config, args.weights, team))
    except GroundingError as error:
        print(error, file=sys.stderr)
        return 2
    except torch.OutOfMemoryError:  # a smaller batch would train another model, so that is not done in silence
        print(FULL.format(args.config), file=sys.stderr)
        return 2
    if team.main and run.pairs:
        print(f"{run.pace} in {team.count} process{'es' * (team.count > 1)} on {team.accelerator.device.type}")
    team.accelerator.end_training()
    return 0


if __name__ == "__main__":
    sys.exit(stop_quietly(main))
