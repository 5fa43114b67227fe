"""The app in a process of its own, on this machine's loopback address, as the trials need it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil

REPOSITORY = Path(__file__).resolve().parents[2]


class App:
    """The app in a process of its own; its temporary files are under `folder`."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self.port = folder, free_port()
        self.address = f"http://127.0.0.1:{self.port}/"
        own = {"GRADIO_SERVER_PORT": str(self.port), "GRADIO_TEMP_DIR": str(folder), "HF_HUB_OFFLINE": "1"}
        environment = {name: value for name, value in os.environ.items() if name != "GRADIO_SERVER_NAME"} | own
        self.log = (folder / "app.log").open("w")
        self.process = subprocess.Popen(
            [sys.executable, "app.py", *options],
            cwd=REPOSITORY,
            env=environment,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )

    def wait(self, patience: float = 300.0) -> None:
        """Until it answers. Raises RuntimeError."""
        end = time.monotonic() + patience
        while time.monotonic() < end and self.process.poll() is None:
            try:
                httpx.get(self.address, timeout=10.0)
            except httpx.HTTPError:
                time.sleep(0.2)
            else:
                return
        raise RuntimeError(f"the app does not answer, see {self.folder / 'app.log'}")

    def memory(self) -> float:
        """Resident megabytes (1e6 bytes) of the app and its children."""
        own = psutil.Process(self.process.pid)
        total = 0
        for process in (own, *own.children(recursive=True)):
            try:
                total += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        return total / 1e6

    def clips(self) -> list[Path]:
        """What is kept of visitors. Gradio leaves an empty file beside each upload, which goes by age."""
        kept = []
        for path in self.folder.glob("grounding-*/*/gradio/**/*"):
            with suppress(FileNotFoundError):  # it goes just now
                kept += [path] if path.is_file() and path.stat().st_size else []
        return kept

    def stop(self, hard: bool = False) -> None:
        """Ends it as a system does, or, `hard`, so that it cannot clean up."""
        self.process.kill() if hard else self.process.terminate()
        self.process.wait(60)
        self.log.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@contextmanager
def served(folder: Path, *options: str) -> Iterator[App]:
    """The app, once it answers; ended afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    app = App(folder, *options)
    try:
        app.wait()
        yield app
    finally:
        if app.process.poll() is None:
            app.stop()


def eventually(true: Callable[[], bool], patience: float) -> bool:
    """Whether something comes true in so many seconds."""
    end = time.monotonic() + patience
    while not true() and time.monotonic() < end:
        time.sleep(0.2)
    return bool(true())


def only_here(app: App) -> bool:
    """Whether the app listens on 127.0.0.1 alone: any other address of the loopback range would do, were it on all."""
    try:
        httpx.get(f"http://127.0.0.2:{app.port}/", timeout=5.0)
    except httpx.HTTPError:
        return True
    return False
