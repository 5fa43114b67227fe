"""Times and texts as the page shows them."""

import html


def clock(seconds: float) -> str:
    """Seconds as m:ss.s, such as 1:05.5."""
    tenths = round(seconds * 10)
    return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"


def about(seconds: float) -> str:
    """A rough length of time, such as "about 20 s" or "about 3 min"."""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s" if seconds < 20 else f"about {round(seconds / 10) * 10} s"
    return f"about {round(seconds / 60)} min"


def shortened(text: str, most: int) -> str:
    """A text of at most `most` characters, cut at the end."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def plain(text: str) -> str:
    """A visitor's text for plotly, which reads some markup: shown as it was typed."""
    return html.escape(text, quote=False)
