"""Times and texts as the page shows them."""

import html
import unicodedata
from collections.abc import Callable, Sequence

SPANS = 3  # that are named; of the others only how many there are
OBEYED = ("Cc", "Cs")  # Unicode's categories of control characters and of half characters
TURNS = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")  # its classes of what turns writing around


def format_clock(seconds: float) -> str:
    """Seconds as m:ss.s, such as 1:05.5, and from an hour on as h:mm:ss.s, such as 1:02:05.5."""
    tenths = round(seconds * 10)
    hours, minutes, rest = tenths // 36_000, tenths // 600 % 60, f"{tenths // 10 % 60:02d}.{tenths % 10}"
    return f"{hours}:{minutes:02d}:{rest}" if hours else f"{minutes}:{rest}"


def format_rough_duration(seconds: float) -> str:
    """A rough length of time, such as "about 20 s" or "about 3 min"."""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s" if seconds < 20 else f"about {round(seconds / 10) * 10} s"
    return f"about {round(seconds / 60)} min"


def shorten(text: str, most: int) -> str:
    """A text of at most `most` characters, cut at the end."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


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


def describe_skipped(spans: Sequence[tuple[float, float]], written: Callable[[float], str] = format_clock) -> str:
    """Says which spans (start, end) of a video could not be decoded in full; nothing where there are none."""
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
