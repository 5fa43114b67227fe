"""Serves the demo: python app.py, then open the address it prints."""

import argparse
import math
import os
import signal
import sys

from grounding.app.environment import bypass_proxy, explain_start, port_from_env
from grounding.errors import GroundingError
from grounding.text import print_error

try:
    with explain_start():  # it reads numbers and proxies from the environment while it is imported
        import gradio as gr
except GroundingError as error:
    print_error(error)
    sys.exit(2)

from grounding.app import memory_cache
from grounding.app.checked_blocks import LAUNCH, keep_no_history
from grounding.app.clip_limits import clip_limits
from grounding.app.file_ownership import KEEP_SECONDS
from grounding.app.library_tab import SharedFolder, share_folder
from grounding.app.models import storage
from grounding.app.page import VISITORS, build_page
from grounding.app.temp_folder import temp_folder
from grounding.app.theme import make_theme, read_head, read_style
from grounding.encoders.memory import hold_little_memory
from grounding.features import disk_cache
from grounding.library.command_line import add_store_option

THREADS = 40 + VISITORS  # Gradio's own number, and those of visitors who wait for the model
SESSIONS = 1000  # visitors whose state is kept, the last ones; Gradio itself holds 0.1 MB for each


def serve(kept: float = KEEP_SECONDS, shared: SharedFolder | None = None, **options: object) -> gr.Blocks:
    """Launches the app; `options` go to Gradio's launch. Returns the page, which knows its address."""
    page = build_page(kept, shared)
    page.queue(default_concurrency_limit=4, max_size=256)
    looks = {"theme": make_theme(), "css": read_style(), "head": read_head(), "footer_links": ["api"]}
    with explain_start():
        page.launch(
            max_file_size=f"{math.ceil(clip_limits().megabytes)}mb",
            ssr_mode=False,  # a Space would put a Node server before the page, which is tested without one
            state_session_capacity=SESSIONS,
            max_threads=THREADS,
            allowed_paths=sorted(shared.videos) if shared else None,
            **LAUNCH,
            **looks,
            **options,
        )
    return page


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Serves the demo.")
    budget = {"type": disk_cache.parse_megabytes, "default": memory_cache.MEGABYTES, "metavar": "N"}
    parser.add_argument("--memory-mb", **budget, help="memory for the clips of all visitors together")
    kept = {"type": seconds_from_minutes, "default": KEEP_SECONDS, "metavar": "N"}
    parser.add_argument("--keep-minutes", **kept, dest="kept", help="visitors' files go so long after their last use")
    disk_cache.add_options(parser)
    parser.add_argument("--library", metavar="FOLDER", help="let visitors search this folder, in a second tab")
    add_store_option(parser)
    return parser.parse_args(arguments)


def seconds_from_minutes(text: str) -> float:
    """Raises ArgumentTypeError for a time that is none."""
    try:
        seconds = 60 * float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of minutes: give more than 0, such as 60")
    return seconds


def main(arguments: list[str] | None = None) -> None:
    """On this machine alone, unless GRADIO_SERVER_NAME says otherwise or this is a Space. Raises GroundingError."""
    args = parse(arguments)
    hold_little_memory()
    name = os.environ.get("GRADIO_SERVER_NAME", "0.0.0.0" if os.environ.get("SPACE_ID") else "127.0.0.1")
    keep_no_history()
    bypass_proxy()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that temporary files are deleted then, too
    memory_cache.shared_budget().bytes = args.memory_mb * 1e6
    storage().cache = disk_cache.cache_from_options(args)
    # server_port: left to itself, Gradio takes the next free one for one that is taken.
    with temp_folder(args.kept):
        shared = share_folder(args.library, args.store) if args.library else None
        serve(args.kept, shared=shared, server_name=name, server_port=port_from_env(), enable_monitoring=False)


if __name__ == "__main__":
    try:
        main()
    except GroundingError as wrong:
        print_error(wrong)
        sys.exit(2)
