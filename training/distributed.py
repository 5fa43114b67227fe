"""The processes that train one model together, through Hugging Face Accelerate."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from training.files import DataError

if TYPE_CHECKING:
    from accelerate import Accelerator

PRECISIONS = ("no", "fp16", "bf16")


class GatheredRows(torch.autograd.Function):
    """`Accelerator.gather`, which stops gradients, with its gradient: what all processes send back for our rows."""

    @staticmethod
    def forward(ctx, rows: Tensor, team: "Team", sizes: list[int]) -> Tensor:
        """Our rows (n, ...) to those of all processes (N, ...), process after process."""
        ctx.team, ctx.sizes = team, sizes
        padded = rows.new_zeros(max(sizes), *rows.shape[1:])  # (max n, ...)
        padded[: len(rows)] = rows
        blocks = team.accelerator.gather(padded).split(max(sizes))  # of (max n, ...)
        return torch.cat([block[:size] for block, size in zip(blocks, sizes, strict=True)])

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None]:
        """(N, ...) on every process to (n, ...): the sum over processes, of which our rows are taken."""
        summed = ctx.team.accelerator.reduce(gradient.contiguous(), "sum")
        return summed[ctx.team.own(ctx.sizes)], None, None


@dataclass(frozen=True)
class Team:
    """One process among those that train together; by default it is alone.

    Attributes:
        accelerator: places, wraps and steps the model.
        rank: of this process, from 0; the process of rank 0 writes.
        count: of the processes.
    """

    accelerator: "Accelerator | None" = None
    rank: int = 0
    count: int = 1

    @property
    def main(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def main_first(self) -> AbstractContextManager:
        """A block that the others enter when the process of rank 0 has left it."""
        return nullcontext() if self.count == 1 else self.accelerator.main_process_first()

    def broadcast(self, value: bool | None) -> bool | None:
        """What the process of rank 0 gives, on every process."""
        from accelerate.utils import broadcast_object_list

        return value if self.count == 1 else broadcast_object_list([value])[0]

    def sizes(self, rows: Tensor) -> list[int]:
        """How many rows each process has."""
        count = torch.tensor([len(rows)], device=rows.device)
        return [len(rows)] if self.count == 1 else self.accelerator.gather(count).tolist()

    def own(self, sizes: list[int]) -> slice:
        """Where this process's rows stand among all."""
        first = sum(sizes[: self.rank])
        return slice(first, first + sizes[self.rank])

    def gather(self, rows: Tensor, sizes: list[int]) -> Tensor:
        """Our rows (n, ...) and those of the other processes, (N, ...); gradients flow back to all of them."""
        return rows if self.count == 1 else GatheredRows.apply(rows, self, sizes)

    def mean(self, values: Tensor) -> Tensor:
        """The mean over processes, without gradients."""
        return values if self.count == 1 else self.accelerator.reduce(values, "mean")

    def prepare(self, model: torch.nn.Module) -> torch.nn.Module:
        """The model on its device, under mixed precision and, in company, DistributedDataParallel."""
        return self.accelerator.prepare_model(model, evaluation_mode=self.count == 1)


ALONE = Team()


def start_alone(device: str = "cpu") -> Team:
    """A team of one, whatever other processes there are: they may train something else."""
    from accelerate import Accelerator

    return Team(Accelerator(cpu=device == "cpu"))


def start_together(device: str, precision: str | None, out: Path) -> Team:
    """All processes that `accelerate launch` started; without it a team of one. Logs to `out` for TensorBoard.

    Raises:
        DataError: this machine lacks the device, or the device the precision.
    """
    from accelerate import Accelerator

    if device != "cpu" and not torch.cuda.is_available():
        raise DataError(f"There is no device {device!r} here: give --device cpu.")
    try:
        accelerator = Accelerator(
            cpu=device == "cpu", mixed_precision=precision, log_with="tensorboard", project_dir=out
        )
    except ValueError as error:
        raise DataError(f"--mixed-precision {precision} does not work here ({error}): choose another.") from error
    if accelerator.mixed_precision == "fp16" and accelerator.device.type == "cpu":
        raise DataError("--mixed-precision fp16 needs a GPU: choose bf16 or no.")
    return Team(accelerator, accelerator.process_index, accelerator.num_processes)
