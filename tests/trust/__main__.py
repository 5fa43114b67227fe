"""Runs the long trials and writes the README's table of what was tried and what survived.

python -m tests.trust --out DIR [--part NAME ...]
"""

import argparse
import sys
import traceback
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from tests.trust.report import Row, all_survived, line, table

PARTS = ("files", "fuzz", "inputs", "load", "faults")  # modules beside this one, each with run(work) -> list[Row]


def parts() -> list[str]:
    """Those that are there."""
    return [part for part in PARTS if find_spec(f"tests.trust.{part}")]


def run(part: str, work: Path) -> list[Row]:
    """The rows of a part, which gets a folder of its own; a part that breaks off is a row that did not survive."""
    work.mkdir(parents=True, exist_ok=True)
    try:
        return import_module(f"tests.trust.{part}").run(work)
    except Exception as error:  # the other parts still have something to say
        traceback.print_exc()
        return [Row(part, 1, 0, f"broke off: {type(error).__name__}: {error}")]


def main(arguments: list[str] | None = None) -> int:
    """Returns 0 where all survived, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.trust", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for table.md and the files that are made")
    parser.add_argument("--part", nargs="+", choices=parts(), default=parts(), help="which to run, all by default")
    args = parser.parse_args(arguments)
    rows: list[Row] = []
    for part in args.part:
        for row in run(part, args.out / part):
            rows.append(row)
            print(line(row), end="", flush=True)
    (args.out / "table.md").write_text(table(rows), encoding="utf-8")
    return 0 if all_survived(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
