"""Serves the demo: python app.py, then open the address it prints."""

import argparse
import ctypes
import math
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import gradio as gr

from grounding.app import memory_cache as memory
from grounding.app.models import LIMITS, storage, told
from grounding.app.page import VISITORS, build_page
from grounding.app.temp_folder import own_home
from grounding.app.theme import css, head, theme
from grounding.errors import GroundingError
from grounding.features import disk_cache as cache

ARENAS = -8, 2  # glibc's M_ARENA_MAX, and its value
THREADS = 40 + VISITORS  # Gradio's own number, and those of visitors who wait for the model
SESSIONS = 1000  # visitors whose state is kept, the last ones; Gradio itself holds 0.1 MB for each


def serve(kept: float = LIMITS.kept, **options: object) -> gr.Blocks:
    """Launches the app; `options` go to Gradio's launch. Returns the page, which knows its address."""
    page = build_page(limits=str(told()), kept=kept)
    page.queue(default_concurrency_limit=4, max_size=64)
    looks = {"theme": theme(), "css": css(), "head": head(), "footer_links": ["api"]}
    # ssr_mode: a Space would put a Node server before the page, which is tested without one. _frontend: Gradio would
    # give up where a busy machine takes more than 3 s for the first page.
    with listening():
        page.launch(
            max_file_size=f"{math.ceil(told().megabytes)}mb",
            ssr_mode=False,
            _frontend=False,
            state_session_capacity=SESSIONS,
            max_threads=THREADS,
            **looks,
            **options,
        )
    return page


@contextmanager
def listening() -> Iterator[None]:
    """Raises GroundingError where Gradio finds no port that it can listen on."""
    try:
        yield
    except (OSError, OverflowError) as error:
        if getattr(error, "errno", None):  # another trouble; Gradio's own error has no number
            raise
        port = os.environ.get("GRADIO_SERVER_PORT", "7860 or one of the next hundred")
        raise GroundingError(
            f"The app cannot listen on port {port}: it is taken, or is none, or GRADIO_SERVER_NAME is no address of "
            "this machine. Choose another port with GRADIO_SERVER_PORT."
        ) from error


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Serves the demo.")
    room = {"type": cache.parse_megabytes, "default": memory.MEGABYTES, "metavar": "N"}
    parser.add_argument("--memory-mb", **room, help="memory for the clips of all visitors together")
    kept = {"type": minutes, "default": LIMITS.kept, "metavar": "N"}
    parser.add_argument("--keep-minutes", **kept, dest="kept", help="visitors' files go so long after their last use")
    cache.add_options(parser)
    return parser.parse_args(arguments)


def minutes(text: str) -> float:
    """Seconds. Raises ValueError for a time that is none."""
    seconds = 60 * float(text)
    if not 0 < seconds < math.inf:
        raise ValueError(text)
    return seconds


def hold_little_memory() -> None:
    """glibc gives threads pools of memory and keeps what is freed there, which adds up where many ask at once."""
    with suppress(OSError, AttributeError, TypeError):  # another C library
        ctypes.CDLL(None).mallopt(*ARENAS)


def main(arguments: list[str] | None = None) -> None:
    """On this machine alone, unless GRADIO_SERVER_NAME says otherwise or this is a Space."""
    args = parse(arguments)
    hold_little_memory()
    memory.shared_room().bytes, storage().cache = args.memory_mb * 1e6, cache.cache_from_options(args)
    host = "0.0.0.0" if os.environ.get("SPACE_ID") else "127.0.0.1"
    name, port = os.environ.get("GRADIO_SERVER_NAME", host), os.environ.get("GRADIO_SERVER_PORT")
    os.environ.setdefault("GRADIO_RUN_HISTORY", "False")  # else Gradio keeps what was asked in the visitor's browser
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that temporary files are deleted then, too
    try:
        with own_home(args.kept):
            # server_port: left to itself, Gradio takes the next free one for one that is taken.
            serve(args.kept, server_name=name, server_port=int(port) if port else None, enable_monitoring=False)
    except GroundingError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
