"""That the comparison of runtimes runs; nothing here is timed."""

from pathlib import Path

from tests.benchmarks import runtimes


def test_a_row_is_measured(monkeypatch):
    monkeypatch.setattr(runtimes, "SECONDS", 0.01)
    row = runtimes.measure("minilm", "torch", Path("not read"))
    assert row.keys() == {"ms", "load", "memory"} and min(row.values()) > 0


def test_what_is_missing_makes_no_row(capfd):
    assert runtimes.run("--measure", "lite0", "openvino", "--work", "/nonexistent/folder") is None
    assert "nonexistent" in capfd.readouterr().err
