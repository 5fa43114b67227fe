"""Serves the demo: python app.py, then open the address it prints."""

import argparse
import math
import os

import gradio as gr

from grounding import cache, memory
from grounding.page import build_page
from grounding.serving import storage, told
from grounding.style import css, head, theme


def serve(**options: object) -> gr.Blocks:
    """Launches the app; `options` go to Gradio's launch. Returns the page, which knows its address."""
    page = build_page(limits=str(told()))
    page.queue(default_concurrency_limit=4, max_size=64)
    looks = {"theme": theme(), "css": css(), "head": head(), "footer_links": ["api"]}
    # ssr_mode: a Space would put a Node server before the page, which is tested without one.
    page.launch(max_file_size=f"{math.ceil(told().megabytes)}mb", ssr_mode=False, **looks, **options)
    return page


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Serves the demo.")
    room = {"type": cache.megabytes, "default": memory.MEGABYTES, "metavar": "N"}
    parser.add_argument("--memory-mb", **room, help="memory for the clips of all visitors together")
    cache.add_options(parser)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """On this machine alone, unless GRADIO_SERVER_NAME says otherwise or this is a Space."""
    args = parse(arguments)
    memory.shared_room().bytes, storage().cache = args.memory_mb * 1e6, cache.from_options(args)
    host = "0.0.0.0" if os.environ.get("SPACE_ID") else "127.0.0.1"
    serve(server_name=os.environ.get("GRADIO_SERVER_NAME", host))


if __name__ == "__main__":
    main()
