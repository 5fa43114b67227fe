"""Moments as pictures, with what is said under each."""

from pathlib import Path

import gradio as gr
import numpy as np

from grounding.app.thumbnails import BOX, shrink_into
from grounding.errors import VideoError
from grounding.exports.cut_list import Moment
from grounding.isolation.client import read_frame_at
from grounding.text import escape_unprintable, format_clock


def show_gallery(moments: list[Moment], pictures: list[np.ndarray] | None = None) -> gr.Gallery:
    """Moments with what is said under each; grey where there is no picture yet."""
    pictures = pictures or [blank()] * len(moments)
    return gr.Gallery([(picture, caption(moment)) for picture, moment in zip(pictures, moments, strict=True)])


def caption(moment: Moment) -> str:
    """One line under a picture."""
    span = f"{format_clock(moment.start)} to {format_clock(moment.end)}"
    return f"{moment.score:.2f} · {span} · {escape_unprintable(Path(moment.video).name)}"


def read_picture(moment: Moment) -> np.ndarray:
    """The frame in the middle of a moment, small; grey where it cannot be read."""
    try:
        return shrink_into(read_frame_at(moment.video, (moment.start + moment.end) / 2).image, BOX)
    except VideoError:
        return blank()


def blank() -> np.ndarray:
    """A grey picture."""
    return np.full((BOX[1], BOX[0], 3), 127, np.uint8)
