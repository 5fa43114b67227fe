"""Moments out to the editor: as EDL, FCPXML, OTIO, subtitles or a table."""

from collections.abc import Callable, Sequence
from pathlib import Path

from grounding.errors import GroundingError, WriteError
from grounding.exports.cut_list import CutList, Moment, build_cut_list
from grounding.exports.edl import edl_from_cuts
from grounding.exports.fcpxml import fcpxml_from_cuts
from grounding.exports.otio import otio_from_cuts
from grounding.exports.subtitles import Cue, srt_from_cues, webvtt_from_cues
from grounding.exports.table import csv_from_cuts
from grounding.files import write_whole
from grounding.isolation.client import read_media_info
from grounding.video.media_info import MediaInfo

KINDS: dict[str, Callable[[CutList, str], str]] = {
    ".edl": edl_from_cuts,
    ".fcpxml": fcpxml_from_cuts,
    ".otio": otio_from_cuts,
    ".srt": lambda cuts, title: srt_from_cues(cues_of(cuts)),
    ".vtt": lambda cuts, title: webvtt_from_cues(cues_of(cuts)),
    ".csv": lambda cuts, title: csv_from_cuts(cuts),
}


def write_moments(
    path: str | Path,
    moments: Sequence[Moment],
    read_info: Callable[[str], MediaInfo] = read_media_info,
    overwrite: bool = False,
    bare: bool = False,
) -> Path:
    """Writes moments in the kind that the suffix of `path` names, and returns it.

    Editing programs get the moments one after another on a timeline, in their order. Subtitles of one video are on
    its own clock; those of several are on the clock of that timeline.

    Args:
        path: the file, .edl, .fcpxml, .otio, .srt, .vtt or .csv; it appears only when it is whole.
        moments: at least one.
        read_info: reads frame rate, size and timecode of a file.
        overwrite: whether a file that is there already may be replaced.
        bare: whether videos are told by their file names alone, for those whom their folders do not concern.

    Raises:
        GroundingError: no such kind, no moments, or more than the kind holds.
        VideoError: a video cannot be read.
        WriteError: `path` is there already, or cannot be written.
    """
    path = check_export(path, overwrite)
    text = KINDS[path.suffix.lower()](build_cut_list(moments, read_info, bare), path.stem)
    try:
        with write_whole(path) as part:
            part.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")
    except OSError as error:
        raise WriteError(f"{path.name!r} cannot be written ({error.strerror}): choose another place.") from error
    return path


def check_export(path: str | Path, overwrite: bool = False) -> Path:
    """`path`, if it can be written as it names itself; to be asked before the work. Raises as `write_moments` does."""
    path = Path(path)
    if path.suffix.lower() not in KINDS:
        raise GroundingError(f"{path.name!r} names no kind of export: end it in {', '.join(KINDS)}.")
    if not path.absolute().parent.is_dir():
        raise WriteError(
            f"There is no folder {str(path.parent)!r}: make it, or choose another place for {path.name!r}."
        )
    if path.exists() and not (overwrite and path.is_file()):
        raise WriteError(f"{path.name!r} is there already: choose another name, or say --overwrite.")
    return path


def cues_of(cuts: CutList) -> list[Cue]:
    """A cue for each moment: on its video's clock where there is one video, on the timeline's where there are more."""
    if len({cut.moment.video for cut in cuts.cuts}) == 1:
        return [(cut.moment.start, cut.moment.end, cut.caption) for cut in cuts.cuts]
    rate = float(cuts.rate)
    return [(cut.placed / rate, (cut.placed + cut.length) / rate, f"{cut.caption} ({cut.name})") for cut in cuts.cuts]
