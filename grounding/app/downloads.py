"""The files that the page hands to a visitor, each in a new folder of that visitor's own."""

from collections.abc import Sequence
from pathlib import Path

import plotly.graph_objects as go

from grounding.answer import Answer
from grounding.app.exports import write_results
from grounding.app.models import check_limits
from grounding.features.streaming import Progress
from grounding.isolation.client import cut_clip, make_preview
from grounding.segments.find import Segment
from grounding.video.clips import name_cut


def segment_file(clip: str, segment: Segment, folder: Path, progress: Progress | None = None) -> str:
    """Path of a new mp4 with a segment of a clip. Raises VideoError, see `cut`."""
    report = progress or (lambda fraction, message: None)
    out = folder / name_cut(clip, segment.start, segment.end)
    return str(
        cut_clip(clip, segment.start, segment.end, out, lambda fraction: report(fraction, "Cutting the segment"))
    )


def result_files(clip: str, answers: Sequence[Answer], figure: go.Figure, folder: Path) -> list[str]:
    """Paths of new files with all that is known of a clip: JSON, a table of segments, one of scores, and the plot."""
    return [str(path) for path in write_results(folder, answers, Path(clip).name, figure)]


def playable_file(clip: str, folder: Path, progress: Progress | None = None) -> str:
    """A clip that any browser plays on the answers' clock: itself, or a new copy.

    Raises VideoError for a file that is too large, too long or no video; see `check_limits` and `preview`.
    """
    check_limits(clip)
    return str(make_preview(clip, folder, progress))
