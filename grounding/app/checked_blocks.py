"""Calls that do not fit the page or the endpoint are answered in one line; Gradio alone would print a traceback."""

import logging
from typing import Any

import gradio as gr

OF_THE_PAGE = "What was sent does not fit the page: reload it and try again."
MISFITS = (ValueError, TypeError, LookupError, AttributeError)  # what Gradio raises for what it cannot take

log = logging.getLogger(__name__)


class Page(gr.Blocks):
    """Blocks that look at what a call brings before Gradio does."""

    async def preprocess_data(self, block_fn: Any, inputs: list[Any], *more: Any, **options: Any) -> list[Any]:
        """The arguments of an event's function. Raises gr.Error, of which the server prints nothing; what is no misfit
        goes to its log."""
        try:
            if holds_address(inputs):  # Gradio would fetch it, however much it is
                raise ValueError("an address was given")
            return await super().preprocess_data(block_fn, inputs, *more, **options)
        except Exception as error:  # Gradio has many kinds, none of which says what to do
            reason = first(error)
            if not isinstance(reason, MISFITS):  # a full disk, a lack of memory
                log.warning("A call could not be read.", exc_info=reason)
            raise gr.Error(misfit(block_fn), print_exception=False) from error


def first(error: BaseException) -> BaseException:
    """The error that led to the others."""
    return first(error.__cause__) if error.__cause__ else error


def holds_address(value: Any) -> bool:
    """Whether a file is given, at any depth, by where it can be fetched, instead of being uploaded."""
    if isinstance(value, dict):
        path = value.get("path")
        return (isinstance(path, str) and "://" in path) or any(map(holds_address, value.values()))
    return isinstance(value, list | tuple) and any(map(holds_address, value))


def misfit(block_fn: Any) -> str:
    """What is said of a call that does not fit: for an endpoint, what it takes. Nothing of what was sent."""
    if block_fn.api_visibility != "public":
        return OF_THE_PAGE
    kinds = [f"{block.label} ({kind(block)})" for block in block_fn.inputs if not block.stateful]
    return f"The call does not fit /{block_fn.api_name}: give {', '.join(kinds)}."


def kind(block: Any) -> str:
    """What a component takes, in a word or two."""
    return "an uploaded file" if isinstance(block, gr.File) else str(block.api_info().get("type", "any"))
