import sys
from types import SimpleNamespace

import pytest

from tests.trust import __main__ as command
from tests.trust.report import Row, all_survived, table


def test_the_table_has_a_line_for_each_row():
    text = table([Row("a|b", 2, 2, "two\nlines"), Row("c", 1, 0)])
    assert text.splitlines()[2:] == ["| a\\|b | 2 | 2 | two lines |", "| c | 1 | 0 |  |"]


@pytest.mark.parametrize(
    ("rows", "well"), [([Row("a", 2, 2)], True), ([Row("a", 2, 2), Row("b", 2, 1)], False), ([Row("a", 0, 0)], False)]
)
def test_all_have_to_survive(rows, well):
    assert all_survived(rows) is well


@pytest.fixture
def two_parts(monkeypatch):
    def broken(work):
        raise OSError("no room")

    monkeypatch.setattr(command, "parts", lambda: ["good", "bad"])
    monkeypatch.setitem(sys.modules, "tests.trust.good", SimpleNamespace(run=lambda work: [Row(work.name, 3, 3)]))
    monkeypatch.setitem(sys.modules, "tests.trust.bad", SimpleNamespace(run=broken))


def test_the_command_writes_the_table_of_the_parts_asked_for(two_parts, tmp_path, capsys):
    assert command.main(["--out", str(tmp_path), "--part", "good"]) == 0
    assert capsys.readouterr().out == "| good | 3 | 3 |  |\n"
    assert (tmp_path / "table.md").read_text().endswith("| good | 3 | 3 |  |\n")


def test_a_part_that_breaks_off_is_a_failure_and_the_others_still_count(two_parts, tmp_path):
    assert command.main(["--out", str(tmp_path)]) == 1
    assert (tmp_path / "table.md").read_text().splitlines()[2:] == [
        "| good | 3 | 3 |  |",
        "| bad | 1 | 0 | broke off: OSError: no room |",
    ]
