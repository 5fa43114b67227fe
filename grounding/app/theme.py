"""How the page looks: theme, style sheet and script. Everything is local, fonts included."""

from pathlib import Path

import gradio as gr

ASSETS = Path(__file__).resolve().parent / "assets"


def read_style() -> str:
    """The style sheet."""
    return (ASSETS / "page.css").read_text(encoding="utf-8")


def read_head() -> str:
    """The page's scripts, as elements of its head."""
    return "".join(f"<script>{path.read_text(encoding='utf-8')}</script>" for path in sorted(ASSETS.glob("*.js")))


def make_theme() -> gr.Theme:
    """System fonts, so that the page asks nobody else for anything, and a button that is easy to read."""
    return gr.themes.Default(
        primary_hue="blue",
        neutral_hue="slate",
        radius_size="lg",
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    ).set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        body_text_color_subdued="*neutral_600",  # hints at 12 px; the theme's own are 2.6 to 1 on white
        body_text_color_subdued_dark="*neutral_300",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="*neutral_400",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_hover_dark="*primary_600",
    )
