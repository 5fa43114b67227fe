"""How the page looks: theme and style sheet. Everything is local, fonts included."""

import gradio as gr

CSS = """
.gradio-container, .gradio-container .main {
  max-width: min(1320px, 100vw) !important; min-width: 0 !important; margin: 0 auto !important; box-sizing: border-box
}
#title h1 {margin-bottom: 0} #title p {margin-top: .25rem; opacity: .85}
h2 {font-size: 1.05rem !important; margin: .5rem 0 0 !important}

/* Trimming would fetch ffmpeg from a CDN. */
#clip button[aria-label^="Trim"] {display: none}

/* Beside the button: the progress, then what came of it; nothing before. */
#waiting, #message, #message .html-container {padding: 0 !important}
#waiting:has(> .wrap.hide), #message:not(:has(p)) {display: none}
#waiting {height: 4rem}
#message p {margin: 0; padding: .6rem .8rem; border-radius: 8px}
#message small {display: block; margin-top: .25rem; opacity: .85}
#message .problem {background: #b3261e; color: #fff}
#message .done {border: 1px solid var(--border-color-primary)}

#segments .wrap {flex-direction: column}
#segments label {width: 100%; font-variant-numeric: tabular-nums}

footer .divider:last-of-type {display: none}

/* Captions below the pictures, which they would hide. */
:is(#frames, #hard) .grid-wrap {min-height: 0 !important; max-height: none !important}
:is(#frames, #hard) .gallery-item, :is(#frames, #hard) .thumbnail-item {height: auto; aspect-ratio: auto}
:is(#frames, #hard) .thumbnail-item {display: flex; flex-direction: column}
:is(#frames, #hard) .thumbnail-item img {aspect-ratio: 3 / 2; object-fit: contain; height: auto; background: #000}
:is(#frames, #hard) .thumbnail-item .caption-label {
  position: static; max-width: 100%; width: 100%; border: 0; border-radius: 0; padding: .35rem .5rem;
  white-space: pre-line; text-align: left; font-size: 12px; opacity: 1; font-variant-numeric: tabular-nums
}
@media (max-width: 900px) {
  :is(#frames, #hard) .grid-container {grid-template-columns: repeat(2, minmax(0, 1fr)) !important}
  :is(#frames, #hard) .thumbnail-item .caption-label {font-size: 11px; padding: .25rem}
}

/* Plotly cannot know the theme. */
#plot :is(.xtick, .ytick, .legend, .g-xtitle, .g-ytitle, .annotation) text {fill: var(--body-text-color) !important}
.dark #plot :is(.scatterlayer .js-line, .legendlines .js-line) {stroke: #56B4E9 !important}
"""


def theme() -> gr.Theme:
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
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_hover_dark="*primary_600",
    )
