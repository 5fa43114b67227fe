"""Faults: each is injected by tests of its own, which are run here and counted."""

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path

from tests.trust.report import Row
from tests.trust.served import REPOSITORY

# What is injected, the tests that do it, and what comes of it.
FAULTS = (
    (
        "the disk is full",
        ("tests/trust/test_full_disk.py",),
        "results, preview, cut, checkpoint, state, features: one sentence each, and what was there before stays",
    ),
    (
        "the hub is unreachable, silent or breaks off",
        (
            "tests/trust/test_hub.py",
            "tests/encoders/test_hub.py::test_a_hub_out_of_reach_says_so_at_once_and_names_the_ways_out",
        ),
        "given up in time, and the ways out are named",
    ),
    (
        "the GPU has no memory left",
        ("tests/encoders/test_oom_fallback.py",),
        "smaller batches, then the CPU, said on the page and on stderr",
    ),
    (
        "a checkpoint is missing, cut, or has another's config or weights",
        (
            "tests/test_checkpoint.py::test_weights_that_do_not_fit_name_their_file",
            "tests/test_checkpoint.py::test_a_broken_config_names_its_file",
        ),
        "one sentence that names the file",
    ),
    (
        "the decoding process is killed, hangs or takes too much",
        ("tests/isolation/test_worker_pool.py",),
        "one sentence; the app goes on",
    ),
    (
        "a training run is killed, or its state is damaged",
        ("tests/training/test_resume.py::TestResume",),
        "goes on from its last epoch, to the same weights",
    ),
    (
        "the app is killed",
        ("tests/app/test_temp_folder.py",),
        "the next start deletes what it left, and nothing of an app that runs",
    ),
)


def run(work: Path) -> list[Row]:
    """Runs the tests, and makes a row of each fault."""
    report = work / "faults.xml"
    tests = [test for _, names, _ in FAULTS for test in names]
    subprocess.run([sys.executable, "-m", "pytest", "-q", f"--junitxml={report.resolve()}", *tests], cwd=REPOSITORY)
    results = outcomes(report)
    return [row(what, names, note, results) for what, names, note in FAULTS]


def row(what: str, names: Sequence[str], note: str, results: dict[str, bool]) -> Row:
    """How many of the tests that `names` begin were run, and how many passed."""
    own = {name: passed for name, passed in results.items() if any(name.startswith(start) for start in names)}
    failed = [name for name, passed in own.items() if not passed]
    return Row(what, len(own), len(own) - len(failed), ", ".join(failed) or note)


def outcomes(report: Path) -> dict[str, bool]:
    """Whether each test passed, by its name as on the command line; skipped ones are left out."""
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        if case.find("skipped") is None:
            found[full_name(case)] = case.find("failure") is None and case.find("error") is None
    return found


def full_name(case: ElementTree.Element) -> str:
    """pytest writes tests.trust.test_a.TestB and test_c[d]."""
    parts = case.get("classname", "").split(".")
    classes = [part for part in parts if part.startswith("Test")]
    file = "/".join(part for part in parts if not part.startswith("Test")) + ".py"
    return "::".join([file, *classes, case.get("name", "")])
