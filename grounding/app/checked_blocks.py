"""All that is private to Gradio and used here, in one place; tests/app/test_checked_blocks.py notices when it changes.

Calls that do not fit the page or the endpoint are answered in one line, where Gradio alone would print a traceback, and
what Gradio holds of a visitor goes when the visitor leaves.
"""

import logging
import os
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

OF_THE_PAGE = "What was sent does not fit the page: reload it and try again."
MISFITS = (ValueError, TypeError, LookupError, AttributeError)  # what Gradio raises for what it cannot take
LAUNCH = {"_frontend": False}  # Gradio would give up where a busy machine takes more than 3 s for the first page

log = logging.getLogger(__name__)


class CheckedBlocks(gr.Blocks):
    """Blocks that look at what a call brings before Gradio does, and that can forget a visitor."""

    async def preprocess_data(self, block_fn: Any, inputs: list[Any], *more: Any, **options: Any) -> list[Any]:
        """The arguments of an event's function; what a program leaves out at the end has its default.

        Raises gr.Error, of which the server prints nothing; what is no misfit goes to its log.
        """
        try:
            if has_address(inputs):  # Gradio would fetch it, however much it is
                raise ValueError("an address was given")
            inputs = add_defaults(block_fn, inputs)
            if block_fn.api_visibility == "public" and not all(map(is_kind, block_fn.inputs, inputs)):
                raise TypeError("another kind of value was given")  # which Gradio would make a text of, or round
            return await super().preprocess_data(block_fn, inputs, *more, **options)
        except Exception as error:  # Gradio has many kinds, none of which says what to do
            reason = find_cause(error)
            if not isinstance(reason, MISFITS):  # a full disk, a lack of memory
                log.warning("A call could not be read.", exc_info=reason)
            raise gr.Error(describe_misfit(block_fn), print_exception=False) from error

    def forget_session(self, session: str | None) -> None:
        """A visitor's state goes at once; Gradio itself would keep it for an hour, and its copy of the page's settings
        until 10,000 others came."""
        holder = self.state_holder
        holder.delete_state(session)
        with holder.lock:
            holder.session_data.pop(session, None)
            holder.time_last_used.pop(session, None)


def upload_folder() -> Path:
    """Where Gradio puts what visitors upload, and what it hands out."""
    return Path(get_upload_folder())


def keep_no_history() -> None:
    """Else Gradio keeps what was asked in the visitor's browser. To be called before the page is built."""
    os.environ.setdefault("GRADIO_RUN_HISTORY", "False")


def find_cause(error: BaseException) -> BaseException:
    """The error that led to the others."""
    return find_cause(error.__cause__) if error.__cause__ else error


def has_address(value: Any) -> bool:
    """Whether a file is given, at any depth, by where it can be fetched, instead of being uploaded."""
    if isinstance(value, dict):
        path = value.get("path")
        return (isinstance(path, str) and "://" in path) or any(map(has_address, value.values()))
    return isinstance(value, list | tuple) and any(map(has_address, value))


def add_defaults(block_fn: Any, inputs: list[Any]) -> list[Any]:
    """What was given, and the values of the last inputs of an endpoint where it is too short; those that have none must
    be given."""
    left = block_fn.inputs[len(inputs) :] if block_fn.api_visibility == "public" else []
    if any(not block.stateful and block.value is None for block in left):
        return inputs
    return [*inputs, *(None if block.stateful else block.value for block in left)]


def is_kind(block: Any, value: Any) -> bool:
    """Whether a program gave a text for a text, a whole number for one, and true or false for these."""
    if isinstance(block, gr.Textbox):
        return isinstance(value, str)
    if isinstance(block, gr.Number):
        return isinstance(value, int | float) and not isinstance(value, bool) and value % 1 == 0
    return not isinstance(block, gr.Checkbox) or isinstance(value, bool)


def describe_misfit(block_fn: Any) -> str:
    """What is said of a call that does not fit: for an endpoint, what it takes. Nothing of what was sent."""
    if block_fn.api_visibility != "public":
        return OF_THE_PAGE
    kinds = [f"{block.label} ({describe_kind(block)})" for block in block_fn.inputs if not block.stateful]
    return f"The call does not fit /{block_fn.api_name}: give {', '.join(kinds)}."


def describe_kind(block: Any) -> str:
    """What a component takes, in a word or two."""
    return "an uploaded file" if isinstance(block, gr.File) else str(block.api_info().get("type", "any"))
