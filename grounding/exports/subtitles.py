"""Moments as subtitles: the query is shown while it happens."""

import html
from collections.abc import Iterable

from grounding.text import escape_unprintable

Cue = tuple[float, float, str]  # start and end in seconds, and the text


def srt_from_cues(cues: Iterable[Cue]) -> str:
    """SubRip. It has no way to write < and { as they are, which players take for markup: they become ‹ and (."""
    shown = str.maketrans("<>{}", "‹›()")
    parts = [
        f"{number}\n{_clock(start, ',')} --> {_clock(end, ',')}\n{escape_unprintable(text).translate(shown)}\n"
        for number, (start, end, text) in enumerate(sorted(cues), start=1)
    ]
    return "\n".join(parts)


def webvtt_from_cues(cues: Iterable[Cue]) -> str:
    """WebVTT (W3C)."""
    parts = [
        f"{_clock(start, '.')} --> {_clock(end, '.')}\n{html.escape(escape_unprintable(text), quote=False)}\n"
        for start, end, text in sorted(cues)
    ]
    return "\n".join(["WEBVTT\n", *parts])


def _clock(seconds: float, point: str) -> str:
    """Such as 01:02:05,500."""
    thousandths = round(seconds * 1000)
    minutes, rest = divmod(thousandths, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}{point}{rest % 1000:03d}"
