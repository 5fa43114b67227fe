"""Plotly figures of an answer."""

import plotly.graph_objects as go

from grounding.predictor import Answer

# Okabe and Ito's palette, which people with any colour vision can tell apart
CURVE, BEST, OTHER = "#0072B2", "#E69F00", "#7F7F7F"
SHADE = "rgba(230,159,0,0.3)"
SCALE_COLOURS = {1: "#D55E00", 2: "#CC79A7", 3: "#009E73"}
SCALE_SYMBOLS = {1: "diamond", 2: "square", 3: "circle"}


def clock(seconds: float) -> str:
    """Seconds as m:ss.s, such as 1:05.5."""
    tenths = round(seconds * 10)
    return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"


def score_figure(answer: Answer, chosen: int = 0) -> go.Figure:
    """Matching scores over time, the chosen segment shaded, the others outlined, its hard negatives marked.

    Args:
        answer: what to draw.
        chosen: index of the segment to shade.
    """
    figure = _frame(answer.duration)
    _add_curve(figure, answer)
    _add_segments(figure, answer, chosen)
    _add_hard_negatives(figure, answer, chosen)
    return figure


def empty_figure() -> go.Figure:
    """What stands in the curve's place before there is one."""
    figure = _frame(30.0)
    hint = "Give a clip and describe<br>what happens in it: the matching<br>score of every frame appears here."
    figure.add_annotation(text=hint, x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False, font={"size": 14})
    return figure


def _frame(duration: float) -> go.Figure:
    figure = go.Figure()
    figure.update_layout(
        height=400,
        margin={"l": 52, "r": 16, "t": 56, "b": 40},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": "#808080", "family": "system-ui, sans-serif"},
        hovermode="x unified",
        hoverlabel={"bgcolor": "#222222", "font": {"color": "#FFFFFF"}},
        legend={"orientation": "h", "y": -0.22, "yanchor": "top", "x": 0, "font": {"size": 11}},
        modebar={"remove": ["lasso2d", "select2d", "autoScale2d"]},
    )
    grid = {"gridcolor": "rgba(128,128,128,0.25)", "zeroline": False}
    figure.update_xaxes(title_text="time", range=[0, duration], **_ticks(duration), **grid)
    figure.update_yaxes(title_text="matching score", range=[0, 1.02], **grid)
    return figure


def _ticks(duration: float) -> dict[str, list]:
    """Clock times at round steps, at most about ten."""
    step = next((step for step in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600) if duration / step <= 10), 1800)
    values = list(range(0, int(duration) + 1, step))
    return {"tickvals": values, "ticktext": [f"{value // 60}:{value % 60:02d}" for value in values]}


def _add_curve(figure: go.Figure, answer: Answer) -> None:
    figure.add_scatter(
        x=answer.timestamps,
        y=answer.scores,
        mode="lines+markers" if len(answer.timestamps) < 3 else "lines",
        name="score",
        line={"color": CURVE, "width": 2.5},
        customdata=[clock(time) for time in answer.timestamps],
        hovertemplate="%{customdata}: %{y:.2f}<extra></extra>",
    )


def _add_segments(figure: go.Figure, answer: Answer, chosen: int) -> None:
    for index, segment in enumerate(answer.segments):
        if index != chosen:
            figure.add_vrect(
                segment.start,
                segment.end,
                line={"color": OTHER, "width": 1, "dash": "dot"},
                annotation={"text": str(index + 1), "font": {"size": 13}},
                annotation_position="bottom left",
            )
    best = answer.segments[chosen]
    figure.add_vrect(best.start, best.end, fillcolor=SHADE, layer="below", line={"color": BEST, "width": 2})
    late = best.start > 0.6 * answer.duration  # a label from the start on would run out of the plot
    figure.add_annotation(
        text=f"{chosen + 1}: {clock(best.start)} to {clock(best.end)}",
        x=best.end if late else best.start,
        xanchor="right" if late else "left",
        y=1,
        yref="paper",
        yanchor="bottom",
        showarrow=False,
        font={"size": 13},
    )


def _add_hard_negatives(figure: go.Figure, answer: Answer, chosen: int) -> None:
    for scale, colour in SCALE_COLOURS.items():
        frames = [frame for frame in answer.hard_negatives if (frame.segment, frame.scale) == (chosen, scale)]
        if frames:
            figure.add_scatter(
                x=[frame.timestamp for frame in frames],
                y=[frame.score for frame in frames],
                mode="markers",
                cliponaxis=False,  # the first frame stands on the axis
                name=f"hard negative, scale {scale}",
                marker={"color": colour, "symbol": SCALE_SYMBOLS[scale], "size": 10, "line": {"width": 1}},
                customdata=[[clock(frame.timestamp), frame.similarity] for frame in frames],
                hovertemplate="%{customdata[0]}: looks %{customdata[1]:.0%} like the moment<extra></extra>",
            )
