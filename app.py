"""Serves the demo: python app.py, then open the address it prints."""

import os

import gradio as gr

from grounding.page import build_page
from grounding.serving import LIMITS
from grounding.style import css, head, theme


def serve(**options: object) -> gr.Blocks:
    """Launches the app; `options` go to Gradio's launch. Returns the page, which knows its address."""
    page = build_page(limits=str(LIMITS))
    page.queue(default_concurrency_limit=4, max_size=64)
    looks = {"theme": theme(), "css": css(), "head": head(), "footer_links": ["api"]}
    # ssr_mode: a Space would put a Node server before the page, which is tested without one.
    page.launch(max_file_size=f"{LIMITS.megabytes}mb", ssr_mode=False, **looks, **options)
    return page


def main() -> None:
    """On this machine alone, unless GRADIO_SERVER_NAME says otherwise or this is a Space."""
    host = "0.0.0.0" if os.environ.get("SPACE_ID") else "127.0.0.1"
    serve(server_name=os.environ.get("GRADIO_SERVER_NAME", host))


if __name__ == "__main__":
    main()
