"""Networks compiled for a CPU, on a graph of one layer."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from grounding.encoders import openvino_runtime as runtime
from grounding.encoders.openvino_runtime import compile_for

CPU = torch.device("cpu")


def double(build):
    """A graph that doubles rows of three."""
    rows = build._ops.parameter([-1, 3], np.float32)
    return build._model([rows * np.array([2.0], np.float32)], [rows], "double")


def encode(network, rows):
    return network.encode(rows, lambda piece: [piece])


@pytest.mark.parametrize("count", [1, 2, 7, 32])
@pytest.mark.parametrize("rows", [None, 1, 4])
def test_rows_come_back_in_order(count, rows):
    given = np.arange(3.0 * count, dtype=np.float32).reshape(count, 3)
    kept = given.copy()
    network = compile_for(CPU, double, torch.float32, rows)
    for _ in range(3):
        assert np.array_equal(encode(network, given), 2 * given)
    assert np.array_equal(given, kept)


def test_threads_share_a_network():
    network = compile_for(CPU, double, torch.float32, rows=2)
    given = [np.full((5, 3), number, np.float32) for number in range(20)]
    with ThreadPoolExecutor(4) as threads:
        doubled = list(threads.map(lambda rows: encode(network, rows), given))
    assert all(np.array_equal(one, 2 * other) for one, other in zip(doubled, given, strict=True))


def test_items_that_cannot_be_prepared_leave_it_as_it_was():
    network, given = compile_for(CPU, double, torch.float32, rows=2), np.ones((9, 3), np.float32)

    def prepare(piece):
        raise ValueError("no frame")

    with pytest.raises(ValueError, match="no frame"):
        network.encode(given, prepare)
    assert np.array_equal(encode(network, given), 2 * given)


def test_without_openvino_there_is_no_network(monkeypatch):
    monkeypatch.setattr(runtime, "load_openvino", lambda: None)
    assert compile_for(CPU, double, torch.float32) is None


def test_another_device_is_left_to_torch():
    assert compile_for(torch.device("meta"), double, torch.float16) is None


def test_a_graph_that_fails_is_told_and_left_to_torch(caplog):
    def fail(build):
        raise RuntimeError("no such layer\nsecond line")

    assert compile_for(CPU, fail, torch.float32) is None
    assert "OpenVINO failed (no such layer): torch computes instead" in caplog.text


def test_nothing_is_reported_to_the_makers_of_openvino():
    assert runtime.load_openvino()
    assert not [name for name, module in sys.modules.items() if module and name.startswith("openvino_telemetry")]


def test_the_runtime_is_named_with_its_version(monkeypatch):
    assert runtime.describe_runtime(CPU).startswith("openvino 20")
    assert runtime.describe_runtime(torch.device("meta")) == "torch"
    monkeypatch.setattr(runtime, "load_openvino", lambda: None)
    assert runtime.describe_runtime(CPU) == "torch"
