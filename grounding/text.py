"""Texts for people: times and names as the page shows them, and printing on a console as it may be: of an old code
page, closed, full, or left with Ctrl-C."""

import html
import math
import os
import signal
import sys
import unicodedata
from collections.abc import Callable, Sequence
from contextlib import suppress
from string import ascii_letters

from grounding.errors import WriteError

SAME = 0.1  # seconds that the end of a video and of what could be read of it may differ
SPANS = 3  # that are named; of the others only how many there are
OBEYED = ("Cc", "Cs")  # Unicode's categories of control characters and of half characters
TURNS = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")  # its classes of what turns writing around
UNCERTAIN = "uncertain"  # what stands beside a moment that does not stand out
STDOUT, STDERR = 1, 2  # as the system numbers them
READER_LEFT = 141  # as a shell says of a program that SIGPIPE ended
INTERRUPTED = 130  # what a shell reports of a program that Ctrl-C ended


def format_clock(seconds: float) -> str:
    """Seconds as m:ss.s, such as 1:05.5, and from an hour on as h:mm:ss.s, such as 1:02:05.5."""
    tenths = round(seconds * 10)
    hours, minutes, rest = tenths // 36_000, tenths // 600 % 60, f"{tenths // 10 % 60:02d}.{tenths % 10}"
    return f"{hours}:{minutes:02d}:{rest}" if hours else f"{minutes}:{rest}"


def round_seconds(seconds: float) -> float:
    """To the microsecond, as JSON says it: finer than any clock of a video, and without the noise of arithmetic."""
    return round(seconds, 6)


def format_rough_duration(seconds: float) -> str:
    """A rough length of time, such as "about 20 s" or "about 3 min"."""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s" if seconds < 20 else f"about {round(seconds / 10) * 10} s"
    return f"about {round(seconds / 60)} min"


def shorten(text: str, most: int) -> str:
    """A text of at most `most` characters, cut at the end."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def list_first(names: Sequence[str], most: int = 10) -> str:
    """The first of many names, and how many more there are, such as "a.txt, b.txt and 2 more"."""
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")


def escape_unprintable(text: str) -> str:
    """A text on one line in which nothing is left that a terminal or a page would obey instead of show.

    Control characters, those that turn the direction of writing around, and half characters become their escapes,
    such as \\x1b; whatever is blank becomes a space.
    """
    return "".join(_escape_one(one) for one in text)


def _escape_one(one: str) -> str:
    if one.isspace():
        return " "
    obeyed = unicodedata.category(one) in OBEYED or unicodedata.bidirectional(one) in TURNS
    return repr(one)[1:-1] if obeyed else one


def escape_markup(text: str) -> str:
    """A visitor's text for plotly, which reads some markup: shown as it was typed."""
    return html.escape(text, quote=False)


def describe_skipped(
    spans: Sequence[tuple[float, float]], duration: float = math.inf, written: Callable[[float], str] = format_clock
) -> str:
    """Says which spans (start, end) of a video could not be decoded in full, and where it ends before it should;
    nothing where there are none. `duration`: seconds of the video that could be read."""
    within = [span for span in spans if span[0] < duration - SAME]
    missing = spans[len(within) :]
    said = _describe_within(within, written)
    if not missing:
        return said
    read, stated = written(missing[0][0]), written(missing[-1][1])
    end = f"Only the first {read} of {stated} could be read: the file ends early or is damaged there."
    return f"{said} {end}".strip()


def _describe_within(spans: Sequence[tuple[float, float]], written: Callable[[float], str]) -> str:
    if not spans:
        return ""
    named = [f"{written(start)} to {written(end)}" for start, end in spans[:SPANS]]
    named += [f"{len(spans) - SPANS} more spans"] if len(spans) > SPANS else []
    listed = f"{', '.join(named[:-1])} and {named[-1]}" if len(named) > 1 else named[0]
    return f"{listed} could not be decoded in full: what happens there may not be found."


def describe_type(value: object) -> str:
    """The type of a value in a sentence about it, such as "a list" or "an int"."""
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


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


def describe_language(query: str) -> str:
    """What to say after a doubt where no letter of a query is of English, "" for any other."""
    letters = [letter for letter in query if letter.isalpha()]
    return " Only English is read." if letters and not any(letter in ascii_letters for letter in letters) else ""


def print_answer(text: str) -> None:
    """Prints an answer. Raises WriteError for a full disk, and ends the program in silence where a reader such as
    `head` has left.
    """
    try:
        print(text, flush=True)
    except BrokenPipeError:
        _silence(STDOUT)
        sys.exit(READER_LEFT)
    except (OSError, ValueError) as error:  # ValueError: it was closed meanwhile
        _silence(STDOUT)  # else Python tries once more at its end
        reason = getattr(error, "strerror", None) or "it is closed"
        raise WriteError(f"The answers cannot be written ({reason}): give another place for them.") from error


def stop_quietly(main: Callable[[], int], text: str = "Stopped: the same command goes on from what is written.") -> int:
    """What a program's `main` returns; INTERRUPTED after Ctrl-C, and the `text` that says so."""
    try:
        return main()
    except KeyboardInterrupt:
        return report_interrupt(text)


def report_interrupt(text: str) -> int:
    """Says that Ctrl-C ended the program, and returns INTERRUPTED. What a thread computes is waited for when Python
    ends; another Ctrl-C ends that, too, and at once."""
    with suppress(ValueError):  # another thread than the main one
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    print_notice(f"\n{text}")
    return INTERRUPTED


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
