"""Moments as pictures, with what is said under each."""

import html
from collections.abc import Mapping, Sequence
from pathlib import Path

import gradio as gr
import numpy as np

from grounding.app.thumbnails import BOX, shrink_into
from grounding.errors import VideoError
from grounding.exports.cut_list import Moment
from grounding.isolation.client import read_frame_at
from grounding.library.ranking import describe_doubt
from grounding.text import UNCERTAIN, escape_unprintable, format_clock

LEFT_OUT = 20  # files that are named
SCORES = "A score here is of the video's best window, so that videos compare; an opened clip has means of its segments."


def show_gallery(moments: list[Moment], pictures: list[np.ndarray] | None = None) -> gr.Gallery:
    """Moments with what is said under each; grey where there is no picture yet."""
    pictures = pictures or [blank()] * len(moments)
    return gr.Gallery([(picture, caption(moment)) for picture, moment in zip(pictures, moments, strict=True)])


def caption(moment: Moment) -> str:
    """One line under a picture, which says of a moment that does not stand out that it is uncertain."""
    span = f"{format_clock(moment.start)} to {format_clock(moment.end)}"
    mark = f", {UNCERTAIN}" if moment.stands_out is False else ""
    return f"{moment.score:.2f}{mark} · {span} · {escape_unprintable(Path(moment.video).name)}"


def render_found(moments: Sequence[Moment], count: int, left_out: Mapping[str, str], partly: Mapping[str, str]) -> str:
    """What is said above the moments: how many, in how many videos, whether any stands out, which files cannot be read
    and why, and of which not all could be, by their names alone: their folders are the operator's."""
    doubt = describe_doubt(moments)
    notes = f"<small class='doubt'>{doubt}</small>" if doubt else ""
    notes += f"<small>{SCORES}</small>" if moments else ""
    said = f'<p class="done" role="status">{len(moments)} moments in {count} videos{notes}</p>'
    unread = _list_files("left out, which cannot be read", left_out)
    return said + unread + _list_files("found, of which not all can be read", partly)


def _list_files(head: str, notes: Mapping[str, str]) -> str:
    """What is said of each file, under how many there are; "" without any."""
    if not notes:
        return ""
    lines = [f"<li>{html.escape(describe_file(video, note))}</li>" for video, note in sorted(notes.items())]
    more = [f"<li>and {len(lines) - LEFT_OUT} more</li>"] if len(lines) > LEFT_OUT else []
    return f"<details><summary>{len(lines)} {head}</summary><ul>{''.join(lines[:LEFT_OUT] + more)}</ul></details>"


def describe_file(video: str, note: str) -> str:
    """A line on a file, without the operator's folders."""
    name = Path(video).name
    return escape_unprintable(f"{name}: {note.replace(video, name)}")


def read_picture(moment: Moment) -> np.ndarray:
    """The frame in the middle of a moment, small; grey where it cannot be read."""
    try:
        return shrink_into(read_frame_at(moment.video, (moment.start + moment.end) / 2).image, BOX)
    except VideoError:
        return blank()


def blank() -> np.ndarray:
    """A grey picture."""
    return np.full((BOX[1], BOX[0], 3), 127, np.uint8)
