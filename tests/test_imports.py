"""Who may import whom: data flows one way, and the child that opens a stranger's file stays small."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOORS = (  # each imports from its own floor and those before it
    {"__init__", "errors", "text", "validation"},
    {"files"},
    {"video", "encoders", "segments", "model"},
    {"isolation"},
    {"features", "exports"},
    {"checkpoint", "scoring"},
    {"answer"},
    {"predictor"},
    {"library"},
    {"__main__", "app"},
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
NOT_FOR_TRAINING = {"app", "isolation"}


def room_of(module: str) -> str:
    """grounding.video.reader to video, grounding to __init__."""
    return (module.split(".") + ["__init__"])[1]


def imports_of(path: Path) -> Iterator[str]:
    """Modules of the package that a file imports, wherever in it, but not those for type hints alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    hints = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in hints:
            continue
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.split(".")[0] == "grounding")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "grounding":
            names = [f"{node.module}.{name.name}" for name in node.names]
            yield from (name if node.module == "grounding" else node.module for name in names)


def files_of(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def package_imports() -> list[tuple[Path, str, str]]:
    """File, its module, and each module of the package that it imports."""
    found = []
    for path in files_of("grounding"):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        found += [(path, module, other) for other in imports_of(path)]
    return found


def test_every_room_has_a_floor():
    rooms = {path.stem for path in (ROOT / "grounding").iterdir() if path.suffix == ".py" or path.is_dir()}
    assert rooms - {"__pycache__"} == set(FLOOR)


def test_imports_go_down():
    up = [
        f"{path.relative_to(ROOT)} imports {other}"
        for path, module, other in package_imports()
        if FLOOR[room_of(other)] > FLOOR[room_of(module)]
    ]
    assert not up


def test_rooms_on_one_floor_do_not_import_in_circles():
    arrows = {(room_of(module), room_of(other)) for _, module, other in package_imports()}
    assert not [(one, other) for one, other in arrows if one < other and (other, one) in arrows]


def test_no_circle_of_files():
    arrows: dict[str, set[str]] = {}
    for _, module, other in package_imports():
        arrows.setdefault(module, set()).add(other)
    gone = set()

    def walk(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " -> ".join((*way, module))
        if module not in gone:
            for other in arrows.get(module, ()):
                walk(other, (*way, module))
            gone.add(module)

    for module in list(arrows):
        walk(module, ())


@pytest.mark.parametrize("folder", ["training"])
def test_training_knows_nothing_of_the_page(folder):
    found = {(path.name, other) for path in files_of(folder) for other in imports_of(path)}
    assert not [pair for pair in found if room_of(pair[1]) in NOT_FOR_TRAINING]


def test_floors_name_each_room_once():
    assert not any(one & other for one, other in pairwise(FLOORS)) and len(FLOOR) == sum(map(len, FLOORS))


def test_the_child_that_opens_files_loads_no_torch():
    code = (
        "import sys, pkgutil, importlib, grounding.isolation.worker, grounding.video as video;"
        "names = [module.name for module in pkgutil.iter_modules(video.__path__)];"
        "[importlib.import_module(f'grounding.video.{name}') for name in names];"
        "print('torch' in sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert loaded.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("work", "unwanted"),
    [
        ("import grounding, grounding.__main__", ("numpy", "torch", "gradio", "av")),
        ("import app; from grounding.app.page import build_page; build_page()", ("torch", "open_clip", "openvino")),
    ],
)
def test_what_takes_long_is_loaded_when_it_is_needed(work, unwanted):
    code = f"import sys; {work}; print([name for name in {unwanted} if name in sys.modules])"
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": "/nonexistent"}
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, env=env)
    assert loaded.stdout.strip() == "[]"
