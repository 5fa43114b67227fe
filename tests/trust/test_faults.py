import subprocess
import sys

from tests.trust.faults import FAULTS, REPOSITORY, outcomes, row
from tests.trust.report import Row

MADE = """
import pytest
class TestA:
    @pytest.mark.parametrize("x", [1, 2])
    def test_b(self, x): assert x == 1
def test_c(): pass
@pytest.mark.skip
def test_d(): pass
"""


def test_outcomes_are_counted_by_the_tests_asked_for(tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_made.py").write_text(MADE)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml=x.xml", "tests/test_made.py"]
    subprocess.run(command, cwd=tmp_path, capture_output=True)
    results = outcomes(tmp_path / "x.xml")
    name = "tests/test_made.py::TestA::test_b"
    assert results == {f"{name}[1]": True, f"{name}[2]": False, "tests/test_made.py::test_c": True}
    assert row("a", ["tests/test_made.py::TestA"], "well", results) == Row("a", 2, 1, f"{name}[2]")
    assert row("c", ["tests/test_made.py::test_c"], "well", results) == Row("c", 1, 1, "well")


def test_every_fault_has_a_test_that_is_there():
    for _, names, _ in FAULTS:
        for name in names:
            file, *inside = name.split("::")
            assert (REPOSITORY / file).is_file()
            assert all(part in (REPOSITORY / file).read_text() for part in inside)
