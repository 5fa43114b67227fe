"""The console as it may be: of an old code page, closed, full, or left with Ctrl-C."""

import os
import sys
from contextlib import suppress

from grounding.errors import WriteError
from grounding.text import escape_unprintable

STDOUT, STDERR = 1, 2  # as the system numbers them
INTERRUPTED = 130  # what a shell reports of a program that Ctrl-C ended


def prepare_console() -> None:
    """Makes output possible on any console: what its code page cannot write is escaped, and what is closed is silent.

    Raises WriteError where answers have no place to go.
    """
    missing = sys.stdout is None
    for number, name in ((STDOUT, "stdout"), (STDERR, "stderr")):
        if getattr(sys, name) is None:
            _open_nowhere(number, name)
        with suppress(AttributeError, ValueError, OSError):  # a stream that was put in its place is none of a console
            getattr(sys, name).reconfigure(errors="backslashreplace")
    if missing:
        raise WriteError("The answers cannot be written (standard output is closed): give a place for them.")


def _open_nowhere(number: int, name: str) -> None:
    """Opens a standard stream that is closed. Else the next file that is opened took its number, and its output."""
    with suppress(OSError):
        os.fstat(number)
        setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, for as long as the program runs
        return
    null = os.open(os.devnull, os.O_WRONLY)
    if null != number:
        os.dup2(null, number)
        os.close(null)
    setattr(sys, name, open(number, "w", encoding="utf-8", closefd=False))  # noqa: SIM115


def print_answer(text: str) -> None:
    """Prints an answer. Raises WriteError for a full disk or a reader that has left."""
    try:
        print(text, flush=True)
    except (OSError, ValueError) as error:  # ValueError: it was closed meanwhile
        _silence(STDOUT)  # else Python tries once more at its end
        reason = getattr(error, "strerror", None) or "it is closed"
        raise WriteError(f"The answers cannot be written ({reason}): give another place for them.") from error


def print_notice(text: str, end: str = "\n") -> None:
    """Prints a line for the person at the console on stderr. One that cannot be written costs no answer."""
    try:
        print(text, end=end, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        _silence(STDERR)


def print_error(error: Exception | str) -> None:
    """Prints an error's message as one line in which nothing is left that a terminal would obey."""
    print_notice(escape_unprintable(str(error)))


def _silence(number: int) -> None:
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), number)
