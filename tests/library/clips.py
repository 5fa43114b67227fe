"""A folder of short clips, each of one photograph."""

from pathlib import Path

from tests.clips import write_scenes

SCENES = {"cat.mp4": "chelsea", "rocket.mp4": "rocket", "deep/coffee.mp4": "coffee"}


def write_folder(folder: Path, seconds: float = 2.0) -> Path:
    """Writes a cat, a rocket and, in a folder of its own, a cup of coffee."""
    for name, photograph in SCENES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_scenes(folder / name, (photograph,), seconds)
    return folder
