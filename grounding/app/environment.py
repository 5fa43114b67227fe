"""What the environment says of where the app is served, and what is said where that cannot be."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from grounding.errors import GroundingError

LOCAL = ("localhost", "127.0.0.1", "0.0.0.0", "::1")  # Gradio asks the app once whether it is up
READ = re.compile("GRADIO_(SERVER_PORT|NUM_PORTS|SERVER_NAME|DEBUG)|(HTTP|HTTPS|ALL)_PROXY", re.I)  # with what can fail


@contextmanager
def explain_start() -> Iterator[None]:
    """Raises GroundingError where Gradio cannot be imported, or cannot start, with what the environment says."""
    try:
        yield
    except (ValueError, httpx.InvalidURL) as error:  # of a proxy, a name or a number
        names = ", ".join(filter(READ.fullmatch, os.environ)) or "the GRADIO_ variables"
        raise GroundingError(
            f"The app cannot start with what the environment says: check {names}. A number is whole, such as 7860, "
            "GRADIO_SERVER_NAME an IPv4 address or a name, and a proxy an address, such as http://127.0.0.1:8080."
        ) from error
    except (OSError, OverflowError) as error:
        if getattr(error, "errno", None):  # another trouble; Gradio's own error has no number
            raise
        port = os.environ.get("GRADIO_SERVER_PORT", "7860 or one of the next hundred")
        raise GroundingError(
            f"The app cannot listen on port {port}: it is taken, or is none, or GRADIO_SERVER_NAME is no address of "
            "this machine. Choose another port with GRADIO_SERVER_PORT."
        ) from error


def port_from_env() -> int | None:
    """GRADIO_SERVER_PORT, None where it is not set. Raises GroundingError where it is no number."""
    port = os.environ.get("GRADIO_SERVER_PORT")
    if port and not (port.isascii() and port.isdigit()):
        raise GroundingError(f"GRADIO_SERVER_PORT is {port!r}: give a number from 1 to 65535, such as 7860.")
    return int(port) if port else None


def bypass_proxy() -> None:
    """A proxy that the environment names is not asked for this machine itself, where it would fail."""
    hosts = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join([*filter(None, [hosts]), *LOCAL])
