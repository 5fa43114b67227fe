"""A run that was stopped goes on where it was."""

# ruff: noqa: F811
import dataclasses

import pytest

from grounding.errors import GroundingError
from tests.training.test_train import Killed, assert_same_run, config  # noqa: F401, a fixture
from training.train import STATE, Run, train


class TestResume:
    @pytest.fixture
    def whole(self, config, tmp_path):
        train(config, tmp_path / "whole")
        return tmp_path / "whole"

    @pytest.mark.parametrize("at", [1, 2, 4, 5])
    def test_a_run_killed_within_an_epoch_ends_the_same(self, config, tmp_path, whole, monkeypatch, at):
        step, count = Run._step, []

        def dies(run, loss):
            count.append(loss)
            if len(count) == at:
                raise Killed
            step(run, loss)

        with monkeypatch.context() as patch:
            patch.setattr(Run, "_step", dies)
            with pytest.raises(Killed):
                train(config, tmp_path / "killed")
        train(config, tmp_path / "killed")
        assert_same_run(whole, tmp_path / "killed")

    def test_a_run_killed_while_saving_ends_the_same(self, config, tmp_path, whole, monkeypatch):
        def dies(state, path):
            path.write_bytes(b"half")
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr("training.train.torch.save", dies)
            with pytest.raises(Killed):
                train(config, tmp_path / "killed")
        train(config, tmp_path / "killed")
        assert_same_run(whole, tmp_path / "killed")

    def test_a_run_killed_between_state_and_log_ends_the_same(self, config, tmp_path, whole, monkeypatch):
        save = Run.save

        def dies(run, path):
            save(run, path)
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(Run, "save", dies)
            with pytest.raises(Killed):
                train(config, tmp_path / "killed")
        train(config, tmp_path / "killed")
        assert_same_run(whole, tmp_path / "killed")

    def test_a_run_killed_while_exporting_ends_the_same(self, config, tmp_path, whole, monkeypatch):
        with monkeypatch.context() as patch:
            patch.setattr("training.train.export", lambda *args: (_ for _ in ()).throw(Killed))
            with pytest.raises(Killed):
                train(config, tmp_path / "killed")
        train(config, tmp_path / "killed")
        assert_same_run(whole, tmp_path / "killed")

    def test_a_finished_run_is_left_as_it_is(self, config, tmp_path, whole):
        train(config, tmp_path / "again")
        train(config, tmp_path / "again")
        assert_same_run(whole, tmp_path / "again")

    def test_a_state_of_another_config_is_one_clear_error(self, config, whole):
        other = dataclasses.replace(config, model=dataclasses.replace(config.model, width=16))
        with pytest.raises(GroundingError, match=STATE):
            train(other, whole)

    def test_a_damaged_state_is_one_clear_error(self, config, whole):
        (whole / STATE).write_bytes(b"half")
        with pytest.raises(GroundingError, match=STATE):
            train(config, whole)


def test_more_epochs_do_not_go_on_from_a_shorter_run(config, tmp_path):
    train(config, tmp_path / "out")
    with pytest.raises(GroundingError, match="config has changed"):
        train(dataclasses.replace(config, epochs=config.epochs + 2), tmp_path / "out")
