import json
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from accelerate.state import AcceleratorState

from grounding.checkpoint import load_grounder, read_config
from tests.clips import colours
from tests.training.test_train import Killed, config  # noqa: F401, a fixture
from training.batches import CompositionConfig, QueryBank, Source, draw_batches
from training.config import check_sizes, read_train_config
from training.distributed import Team
from training.files import DataError
from training.train import Run, main, train

save = Run.save
ROOT = Path(__file__).resolve().parents[2]
TOML = """name = "small"
frame_encoder = "toy"
rate = 1.0
epochs = 3
videos = 12
learning_rate = 0.01
averaging = 0.5
[data]
moments = "{folder}/train.jsonl"
features = "{folder}/features"
[model]
frame_width = 6
query_width = 4
width = 8
context = 3
dropout = 0.0
[composition]
fewest = 2
most = 3
[objective]
composition = 1.0
coarse = 0.2
"""


@pytest.fixture
def toml(config, tmp_path):  # noqa: F811
    """The small run of the training tests as a file; an epoch is one batch of five composed videos or so."""
    path = tmp_path / "run.toml"
    path.write_text(TOML.format(folder=tmp_path))
    return path


@pytest.fixture
def fresh_accelerate():
    """Accelerate takes a precision once per process; tests before and after have another."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


def run(monkeypatch, *arguments) -> int:
    monkeypatch.setattr(sys, "argv", ["train", *map(str, arguments), "--device", "cpu"])
    return main()


def launch(module: str, *arguments) -> subprocess.CompletedProcess:
    """Runs a module in two processes."""
    with socket.create_server(("127.0.0.1", 0)) as free:  # that it may choose one itself is news to accelerate 1.2
        port = str(free.getsockname()[1])
    launcher = "-m accelerate.commands.launch --multi_gpu --num_processes 2 --num_machines 1 --main_process_port"
    command = [
        sys.executable,
        *launcher.split(),
        port,
        "--mixed_precision",
        "no",
        "--dynamo_backend",
        "no",
        "-m",
        module,
    ]
    return subprocess.run(
        [*command, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )


def losses(folder) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def dies_after_saving(run, path):
    """In the place of Run.save."""
    save(run, path)
    raise Killed


class TestTwoProcesses:
    def test_go_on_with_what_one_began_and_end_as_one_does(self, toml, tmp_path, monkeypatch):
        """Uneven shares of the same batches, negatives from both: the same losses and weights but for rounding."""
        train(read_train_config(toml), tmp_path / "one")  # which keeps its queries for the two
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(Run, "save", dies_after_saving)
            train(read_train_config(toml), tmp_path / "two")
        done = launch("training.train", toml, "--out", tmp_path / "two", "--device", "cpu")
        assert done.returncode == 0, done.stderr
        assert "in 2 processes on cpu" in done.stdout
        for one, two in zip(losses(tmp_path / "one"), losses(tmp_path / "two"), strict=True):
            assert two == pytest.approx(one, abs=0.002)
        one, two = (load_grounder(tmp_path / name, read_config(tmp_path / name)) for name in ("one", "two"))
        for name, weight in two.state_dict().items():
            torch.testing.assert_close(weight, one.state_dict()[name], atol=1e-3, rtol=0)

    def test_share_every_batch(self):
        sources = [Source(torch.full((2, 3), float(n)), torch.arange(2.0), (n,)) for n in range(10)]
        bank = QueryBank([torch.full((1, 3), float(n)) for n in range(10)], torch.eye(10))
        setting = (sources, bank, CompositionConfig(2, 2), 3, 0, 0)
        whole, *shares = (list(draw_batches(*setting, *place)) for place in ((0, 1), (0, 2), (1, 2)))
        for batch, first, second in zip(whole, *shares, strict=True):
            parts = torch.cat([first.tokens, second.tokens]).flatten().tolist()
            assert sorted(parts) == sorted(batch.tokens.flatten().tolist())
            assert len(first.features) - len(second.features) in (0, 1)

    def test_leave_out_a_batch_that_is_not_enough_for_all(self):
        sources = [Source(torch.ones(2, 3), torch.arange(2.0), (0,))] * 8
        bank = QueryBank([torch.ones(1, 3)], torch.ones(1, 1))
        setting = (sources, bank, CompositionConfig(2, 2), 3, 0, 0)
        assert [len(list(draw_batches(*setting, rank, 2))) for rank in (0, 1)] == [1, 1]
        assert len(list(draw_batches(*setting))) == 2


def test_two_processes_share_out_a_folder_and_report_its_bad_file_once(tmp_path):
    (tmp_path / "videos").mkdir()
    for name in "abc":
        colours(tmp_path / "videos" / f"{name}.mp4", seconds=0.5)
    (tmp_path / "videos" / "aa.mp4").write_text("no video")
    done = launch("training.extract", "--videos", tmp_path / "videos", "--out", tmp_path / "out")
    assert done.returncode == 1
    assert done.stderr.count("skipped aa.mp4") == 1
    assert sorted(path.name[0] for path in (tmp_path / "out").iterdir()) == ["a", "b", "c"]


class TestTeam:
    def test_alone_everything_stays_as_it_is(self):
        team, rows = Team(), torch.rand(3, 2)
        sizes = team.sizes(rows)
        assert (sizes, team.own(sizes), team.main) == ([3], slice(0, 3), True)
        assert team.gather(rows, sizes) is rows
        assert team.mean(rows) is rows

    def test_rows_of_others_are_told_from_ours(self):
        """Process 1 of 2: the other one sends back as much gradient as we do."""
        fake = SimpleNamespace(
            gather=lambda rows: torch.cat([torch.full_like(rows, 7.0), rows]),
            reduce=lambda values, how: 2 * values if how == "sum" else values,
        )
        team, rows = Team(fake, rank=1, count=2), torch.ones(2, 3, requires_grad=True)
        gathered = team.gather(rows, [4, 2])
        assert gathered[:, 0].tolist() == [7, 7, 7, 7, 1, 1]
        (gathered * torch.arange(6.0).unsqueeze(1)).sum().backward()
        assert rows.grad[:, 0].tolist() == [8, 10]

    @pytest.mark.parametrize(
        ("videos", "processes", "named"), [(12, 7, "train.jsonl"), (100, 16, "videos = 12"), (3, 2, "too few")]
    )
    def test_more_processes_than_work_is_one_clear_error(self, toml, videos, processes, named):
        with pytest.raises(DataError, match=named):
            check_sizes(read_train_config(toml), videos, processes)


class TestFlags:
    def test_bfloat16_trains_nearly_the_same(self, toml, tmp_path, monkeypatch, fresh_accelerate):
        train(read_train_config(toml), tmp_path / "full")
        AcceleratorState._reset_state(reset_partial_state=True)
        assert run(monkeypatch, toml, "--out", tmp_path / "half", "--mixed-precision", "bf16") == 0
        full, half = losses(tmp_path / "full"), losses(tmp_path / "half")
        assert full != half
        assert half[0] == pytest.approx(full[0], rel=0.05, abs=0.05)

    def test_a_precision_that_the_device_lacks_is_one_line(self, toml, tmp_path, monkeypatch, capsys, fresh_accelerate):
        assert run(monkeypatch, toml, "--out", tmp_path / "out", "--mixed-precision", "fp16") == 2
        error = capsys.readouterr().err.strip()
        assert "fp16" in error
        assert len(error.splitlines()) == 1

    def test_losses_are_there_for_tensorboard(self, toml, tmp_path, monkeypatch, capsys):
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        assert run(monkeypatch, toml, "--out", tmp_path / "out") == 0
        events = EventAccumulator(str(tmp_path / "out" / "tensorboard")).Reload()
        shown = [(event.step, round(event.value, 3)) for event in events.Scalars("total")]
        assert shown == [(row["epoch"], pytest.approx(row["total"], abs=0.001)) for row in losses(tmp_path / "out")]
        assert "pairs/s in 1 process on cpu" in capsys.readouterr().out
