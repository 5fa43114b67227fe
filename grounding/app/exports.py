"""What a visitor takes away: a segment as a clip, the answers as JSON and CSV, the plot as a page of its own."""

import html
import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import plotly.graph_objects as go

from grounding.answer import Answer
from grounding.exports.cut_list import Moment
from grounding.exports.table import BOM, csv_table, write_truth
from grounding.exports.write import KINDS, write_moments
from grounding.features.streaming import Progress
from grounding.files import make_safe_name, write_whole
from grounding.isolation.client import cut_clip, read_media_info
from grounding.isolation.worker_pool import Check
from grounding.segments.find import Segment
from grounding.text import UNCERTAIN

SEGMENT_COLUMNS = ("video", "checkpoint", "query", "rank", "start", "end", "score", "stands_out")
SCORE_COLUMNS = ("video", "checkpoint", "query", "timestamp", "score")
QUERY_LETTERS = 40  # of a query that the name of a file holds


def cut_segment(
    clip: str,
    query: str,
    segment: Segment,
    folder: Path,
    progress: Progress | None = None,
    check: Check | None = None,
) -> Path:
    """A new mp4 in `folder` with a query's segment of a clip. Raises VideoError, see `cut_clip`, and what `check`
    raises."""
    report = progress or (lambda fraction, message: None)
    doubt = f"_{UNCERTAIN}" if segment.stands_out is False else ""
    out = folder / f"{name_files(clip, query)}_{segment.start:.1f}-{segment.end:.1f}s{doubt}.mp4"
    told = "Cutting the segment"
    return cut_clip(clip, segment.start, segment.end, out, lambda fraction: report(fraction, told), check)


def write_results(folder: Path, answers: Sequence[Answer], video: str, figure: go.Figure) -> list[Path]:
    """Writes everything but the cut into `folder`: JSON, two tables and the plot. Returns the files.

    Args:
        folder: of one visitor alone.
        answers: one for each query.
        video: the name to report, from which the files get theirs.
        figure: the plot.

    Raises:
        WriteError: there is no room for them.
    """
    name = make_safe_name(video)
    texts = {
        f"{name}_results.json": json_from_answers(answers, video),
        f"{name}_segments.csv": BOM + csv_from_segments(answers, video),
        f"{name}_scores.csv": BOM + csv_from_scores(answers, video),
        f"{name}_plot.html": html_from_figure(figure, video),
    }
    for file, text in texts.items():
        with write_whole(folder / file) as part:
            part.write_text(text, encoding="utf-8", newline="")
    return [folder / file for file in texts]


def write_editor_files(folder: Path, answer: Answer, clip: str, check: Check | None = None) -> list[Path]:
    """Writes an answer's segments into `folder` in each kind that an editor or a player reads. Returns the files.

    They name the clip by its file name alone, since a visitor has it elsewhere. The kind that needs a package which is
    not installed here is left out.

    Raises VideoError and WriteError, see `write_moments`, and what `check` raises.
    """
    name = Path(clip).name
    info = read_media_info(clip, check)
    moments = [
        Moment(name, answer.query, each.start, each.end, each.score, each.stands_out) for each in answer.segments
    ]
    kinds = [kind for kind in KINDS if kind != ".otio" or find_spec("opentimelineio")]
    stem = name_files(clip, answer.query)
    out = [folder / f"{stem}_segments{kind}" for kind in kinds if kind != ".csv"]
    out.append(folder / f"{stem}_timecodes.csv")
    return [write_moments(path, moments, lambda video: info) for path in out]


def name_files(clip: str, query: str) -> str:
    """How the names of the files of one query begin: with those of the clip and of the query."""
    return f"{make_safe_name(clip)}_{make_safe_name(query.replace('/', ' ') + '.')[:QUERY_LETTERS].strip('_-')}"


def json_from_answers(answers: Sequence[Answer], video: str = "") -> str:
    """A JSON array of the objects that --json prints, one for each query."""
    return json.dumps([answer.to_dict(video) for answer in answers], ensure_ascii=False, indent=2)


def csv_from_segments(answers: Sequence[Answer], video: str = "") -> str:
    """A row for each segment: video, checkpoint, query, rank (1 is best), start, end (seconds), score, stands_out."""
    rows = [
        (video, answer.checkpoint, answer.query, rank, segment.start, segment.end, segment.score)
        + (write_truth(segment.stands_out),)
        for answer in answers
        for rank, segment in enumerate(answer.segments, start=1)
    ]
    return csv_table(SEGMENT_COLUMNS, rows)


def csv_from_scores(answers: Sequence[Answer], video: str = "") -> str:
    """A row for each sampled frame of each query: video, checkpoint, query, timestamp (seconds), score."""
    rows = [
        (video, answer.checkpoint, answer.query, timestamp, score)
        for answer in answers
        for timestamp, score in zip(answer.timestamps.tolist(), answer.scores.tolist(), strict=True)
    ]
    return csv_table(SCORE_COLUMNS, rows)


def html_from_figure(figure: go.Figure, title: str) -> str:
    """The plot as a page of its own, on white paper, which works offline: plotly's script is in it, 5 MB."""
    alone = go.Figure(figure).update_layout(
        title={"text": html.escape(title)}, paper_bgcolor="white", plot_bgcolor="white", font={"color": "#333333"}
    )
    return alone.to_html(include_plotlyjs=True, full_html=True, config={"displaylogo": False})
