"""A folder for all temporary files of one process: emptied by age, deleted at the end, and swept up after a crash."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

from filelock import FileLock

from grounding.errors import GroundingError

PAUSE = 60.0  # seconds between two looks at the age of files, at most


@contextmanager
def temp_folder(age: float) -> Iterator[Path]:
    """While it lasts, Gradio and `tempfile` put their files into a new folder, and files that nobody touched go.

    What processes that were killed have left behind is deleted first. A lock that ends with its process, whatever ends
    it, tells them from those that still run.

    Args:
        age: seconds after which a file that was not touched is deleted.

    Raises:
        GroundingError: the temporary folder cannot be written, or the place in it belongs to someone else.
    """
    root, lock = _make_folder()
    before = tempfile.tempdir, {name: os.environ.get(name) for name in ("GRADIO_TEMP_DIR", "TMPDIR")}
    stop = Event()
    Thread(target=_delete_by_age, args=(root, age, stop), name="age", daemon=True).start()
    tempfile.tempdir = os.environ["TMPDIR"] = str(root / "tmp")
    os.environ["GRADIO_TEMP_DIR"] = str(root / "gradio")  # all that is in it can be fetched by whoever knows its path
    try:
        yield root
    finally:
        stop.set()
        tempfile.tempdir = before[0]
        for name, value in before[1].items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        lock.release()
        shutil.rmtree(root, ignore_errors=True)


def _make_folder() -> tuple[Path, FileLock]:
    parent = Path(os.environ.get("GRADIO_TEMP_DIR") or tempfile.gettempdir()) / f"grounding-{_user()}"
    try:
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if parent.stat().st_uid != _user() or parent.is_symlink():
            raise PermissionError("it belongs to someone else")
        with FileLock(parent / "lock"):  # who sweeps must not meet a folder whose lock is still to come
            _sweep_dead(parent)
            root = Path(tempfile.mkdtemp(dir=parent))
            lock = FileLock(root / "lock")
            lock.acquire()
        for name in ("gradio", "tmp"):
            (root / name).mkdir()
    except OSError as error:
        raise GroundingError(
            f"No temporary files can be kept in {parent} ({error.strerror or error}): make room there, or name another "
            "folder with the environment variable GRADIO_TEMP_DIR."
        ) from error
    return root, lock


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0


def _sweep_dead(parent: Path) -> None:
    for root in parent.iterdir():
        if root.is_dir():
            with suppress(OSError), FileLock(root / "lock", timeout=0):  # it lives, or goes just now
                shutil.rmtree(root, ignore_errors=True)


def _delete_by_age(root: Path, age: float, stop: Event) -> None:
    while not stop.wait(min(PAUSE, age / 4)):
        for folder in (root / "gradio", root / "tmp"):
            delete_old(folder, age)


def delete_old(folder: Path, age: float) -> None:
    """Deletes files under `folder` that nobody has touched for `age` seconds, and folders as old that are empty."""
    for place, folders, files in os.walk(folder, topdown=False):
        for path in [Path(place, name) for name in (*files, *folders)]:
            with suppress(OSError):  # gone in the meantime, or not empty
                if _idle_seconds(path) > age:
                    path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


def _idle_seconds(path: Path) -> float:
    state = path.lstat()
    return time.time() - max(state.st_mtime, state.st_ctime)
