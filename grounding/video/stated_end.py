"""Whether a file ends before its container says that the picture does, as half a download does.

What a container states is often wrong, so it counts only where bytes are missing that the container names.
"""

import struct
from pathlib import Path
from typing import TYPE_CHECKING

from grounding.video.matroska import is_whole_matroska
from grounding.video.packets import PictureTrack

if TYPE_CHECKING:
    import av

MIN_MISSING = 1.0  # seconds; less is no news


def find_stated_end(
    path: Path, container: "av.container.InputContainer", film: PictureTrack, sound_end: float, is_broken: bool
) -> float | None:
    """Raw seconds at which the picture ends as stated, where the file ends earlier; None where it does not.

    Transport and program streams state nothing, and of a cut ASF file nothing is left of what it stated.

    Args:
        path, container: the file.
        film: its picture track, all packets read.
        sound_end: seconds on the container's clock.
        is_broken: whether bytes of the last packet are missing.
    """
    stream, kind = film.stream, container.format.name
    origin, read = float((stream.start_time or 0) * stream.time_base), sum(film.last)
    total = (container.duration or 0) / 1e6 - origin  # of all tracks; a longer sound is no longer picture
    stated = None
    if "mp4" in kind and stream.duration and (is_broken or stream.frames > film.count):  # by the table of samples
        stated = float(stream.duration * stream.time_base)
    elif "matroska" in kind and not is_whole_matroska(path):
        stated, read = total, max(read, sound_end - origin)
    elif kind == "avi" and stream.average_rate and not _is_whole_riff(path):
        stated = float(stream.frames / stream.average_rate)
    elif kind == "flv" and is_broken:
        stated, read = total, max(read, sound_end - origin)
    return stated if stated is not None and stated - read > MIN_MISSING else None


def _is_whole_riff(path: Path) -> bool:
    """Whether the file is as long as its first chunk says; a recording that was broken off states no length."""
    with path.open("rb") as file:
        head = file.read(8)
    return 8 + struct.unpack("<I", head[4:8])[0] <= path.stat().st_size
