"""Plotly figures of answers."""

from collections.abc import Sequence

import plotly.graph_objects as go

from grounding.app.state import QueryResult
from grounding.features.encoded_video import EncodedVideo
from grounding.segments.hard_negatives import SCALES, HardNegative
from grounding.text import UNCERTAIN, escape_markup, escape_unprintable, format_clock, shorten

# The first four are from Okabe and Ito's palette, which people with any colour vision can tell apart; each has a
# marker, none of which looks like a button that closes or plays something
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#808080", "#8C564B", "#2FA4C7", "#7A4FB5")
SYMBOLS = ("circle", "triangle-up", "square", "star-diamond", "triangle-down", "star", "circle-open", "square-open")
# Nearer is darker, and has its letter, as the frame below has: so that scales differ for anyone, and from segments
SCALE_COLOURS = {1: "#F0B400", 2: "#F7D774", 3: "#FFF3CC"}
SCALE_MARKS = {1: "a", 2: "b", 3: "c"}
INK = "#222222"
GREY = "#9A9A9A"  # of what is no query's own


def draw_results(
    results: Sequence[QueryResult],
    active: int = 0,
    chosen: int = 0,
    compare: bool = False,
    show_clip: bool = False,
    legend: bool = False,
) -> go.Figure:
    """Matching scores over time, a curve for each query.

    Of the active query, the chosen segment is shaded, and its hard negatives are marked; the page's script outlines
    another one that is pointed at in the list. What was not looked at is grey.

    Args:
        results: what to draw.
        active: index of the query whose segments are shown.
        chosen: index of the segment to shade.
        compare: whether the active query's baseline is drawn, dashed, where one could tell it apart.
        show_clip: whether CLIP's own similarity is drawn beneath the active query's curve, grey.
        legend: whether the queries are named in the figure; beside the page's list of them they need not be.
    """
    active_result = results[active]
    figure = _make_axes(active_result.answer.duration)
    hard = [frame for frame in active_result.answer.hard_negatives if frame.segment == chosen]
    if show_clip and active_result.clip_similarity is not None:
        _add_clip_similarity(figure, active_result)
    for one in sorted(results, key=lambda one: one is active_result):  # the active one on top
        _add_curve(figure, one, one is active_result, hard, legend)
    if compare and active_result.baseline_differs:
        _add_baseline(figure, active_result)
    _shade_missing(figure, active_result.missing)
    _add_segment(figure, active_result, chosen)
    _add_hard_negatives(figure, hard)
    best = active_result.answer.segments[chosen]
    figure.update_layout(meta={"segment": [best.start, best.end]})
    return figure


def draw_growing(
    video: EncodedVideo, scores: Sequence[float], expected: float, missing: Sequence[tuple[float, float]]
) -> go.Figure:
    """The curve of a video that is still being encoded: `scores` (T,) so far, on an axis of `expected` seconds. The
    `missing` spans of seconds are shaded: not there, or rough."""
    figure = _make_axes(expected)
    figure.add_scatter(
        x=video.timestamps,
        y=scores,
        mode="lines",
        line={"color": COLOURS[0], "width": 2.5},
        name="so far",
        customdata=[format_clock(time) for time in video.timestamps],
        hoverinfo="none",
        showlegend=False,
    )
    _shade_missing(figure, missing)
    return figure


def _shade_missing(figure: go.Figure, spans: Sequence[tuple[float, float]]) -> None:
    for start, end in spans:
        figure.add_vrect(start, end, fillcolor="rgba(128,128,128,0.15)", line_width=0, layer="below")


def draw_empty() -> go.Figure:
    """What stands in the curve's place before there is one."""
    figure = _make_axes(30.0)
    hint = "Give a clip and describe<br>what happens in it: the matching<br>score of every frame appears here."
    figure.add_annotation(text=hint, x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False, font={"size": 14})
    return figure


def _make_axes(duration: float) -> go.Figure:
    figure = go.Figure()
    figure.update_layout(
        height=360,
        margin={"l": 48, "r": 12, "t": 50, "b": 30},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": "#808080", "family": "system-ui, sans-serif"},
        hovermode="x",
        hoverdistance=-1,  # a click anywhere on the plot finds the nearest frame
        dragmode=False,  # a finger scrolls the page, a click moves the video; the buttons zoom
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0, "font": {"size": 11}},
        modebar={
            "remove": ["lasso2d", "select2d", "autoScale2d", "zoom2d"],
            "orientation": "h",
            "bgcolor": "rgba(0,0,0,0)",
            "color": "#808080",
        },
    )
    grid = {"gridcolor": "rgba(128,128,128,0.25)", "zeroline": False}
    figure.update_xaxes(range=[0, duration], ticklabelstandoff=6, **_place_ticks(duration), **grid)
    figure.update_yaxes(title_text="matching score", range=[0, 1.04], fixedrange=True, **grid)
    return figure


def _place_ticks(duration: float) -> dict[str, list]:
    """Clock times at round steps, as many as have room side by side on a phone."""
    most = 5 if duration >= 3600 else 7
    step = next((step for step in (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 1200) if duration / step <= most), 1800)
    values = list(range(0, int(duration) + 1, step))
    return {"tickangle": 0, "tickvals": values, "ticktext": [format_clock(value)[:-2] for value in values]}


def _add_curve(
    figure: go.Figure, result: QueryResult, active: bool, hard: Sequence[HardNegative], legend: bool
) -> None:
    """A curve; at each frame it carries the words that the page shows at the pointer."""
    answer = result.answer
    notes = {frame.timestamp: f" · {describe_mark(frame)}" for frame in hard if active}
    few = len(answer.timestamps) < 3
    figure.add_scatter(
        x=answer.timestamps,
        y=answer.scores,
        mode="lines+markers" if few or result.slot else "lines",
        name=escape_markup(shorten(escape_unprintable(answer.query), 32)),
        line={"color": COLOURS[result.slot], "width": 3 if active else 1.75},
        marker={"symbol": SYMBOLS[result.slot], "size": 8, "maxdisplayed": 12},
        opacity=1 if active else 0.8,
        customdata=[format_clock(time) + notes.get(time, "") for time in answer.timestamps],
        hoverinfo="none",
        showlegend=legend,
    )


def describe_distance(scale: int) -> str:
    """How far from a segment's end a frame of that scale lies."""
    nearer, radius = [0.0, *(one.radius for one in SCALES)][scale - 1 : scale + 1]
    return f"{nearer:g} to {radius:g} s away" if nearer else f"within {radius:g} s"


def describe_mark(frame: HardNegative) -> str:
    """The words at the pointer for a frame that is marked."""
    return f"{SCALE_MARKS[frame.scale]}: {describe_distance(frame.scale)}, similarity {frame.similarity:.2f}"


def _add_baseline(figure: go.Figure, result: QueryResult) -> None:
    figure.add_scatter(
        x=result.baseline.timestamps,
        y=result.baseline.scores,
        mode="lines",
        name="without hard-negative mining",
        line={"color": COLOURS[result.slot], "width": 2, "dash": "6px,4px"},
        customdata=[format_clock(time) for time in result.baseline.timestamps],
        hoverinfo="none",
    )


def _add_clip_similarity(figure: go.Figure, result: QueryResult) -> None:
    figure.add_scatter(
        x=result.answer.timestamps,
        y=result.clip_similarity,
        mode="lines",
        name="CLIP itself, untrained (stretched)",
        line={"color": GREY, "width": 2},
        customdata=[format_clock(time) for time in result.answer.timestamps],
        hoverinfo="none",
    )


def _add_segment(figure: go.Figure, result: QueryResult, chosen: int) -> None:
    segment, colour = result.answer.segments[chosen], COLOURS[result.slot]
    doubtful = segment.stands_out is False
    figure.add_vrect(
        segment.start,
        segment.end,
        fillcolor=colour,
        opacity=0.07 if doubtful else 0.18,
        layer="below",
        line={"color": colour, "width": 1, "dash": "dot"} if doubtful else {"color": colour, "width": 2},
    )
    mark = f" · {UNCERTAIN}" if doubtful else ""
    late = segment.start > 0.6 * result.answer.duration  # a label from the start on would run out of the plot
    figure.add_annotation(
        text=f"{chosen + 1}: {format_clock(segment.start)} to {format_clock(segment.end)}{mark}",
        x=segment.end if late else segment.start,
        xanchor="right" if late else "left",
        y=1,
        yref="paper",
        yanchor="bottom",
        yshift=8,  # above the playhead's marker
        showarrow=False,
        font={"size": 13},
    )


def _add_hard_negatives(figure: go.Figure, hard: Sequence[HardNegative]) -> None:
    for scale, colour in SCALE_COLOURS.items():
        frames = [frame for frame in hard if frame.scale == scale]
        if frames:
            figure.add_scatter(
                x=[frame.timestamp for frame in frames],
                y=[frame.score for frame in frames],
                mode="markers+text",
                text=SCALE_MARKS[scale],
                textfont={"size": 10, "color": INK},
                cliponaxis=False,  # the first frame stands on the axis
                name=f"just outside: {describe_distance(scale)}",
                marker={
                    "color": colour,
                    "symbol": "circle",
                    "size": 17,
                    "line": {"width": 1.5, "color": INK},
                },
                hoverinfo="skip",  # the curve below says it
            )
