"""Which files of a folder are videos: by their suffix, or by how their content begins."""

import mimetypes
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from grounding.errors import VideoError
from grounding.video.container import HEAD_BYTES, is_video_head
from training.features import SUFFIXES

PICTURES = (".jpg", ".jpeg", ".png")
STILL_OR_SOUND = (b"heic", b"heix", b"mif1", b"avif", b"M4A ", b"M4B ")  # brands of MP4 that are no film


@dataclass(frozen=True)
class FoundFiles:
    """What a folder holds, as names relative to it, sorted: videos, folders of pictures among them, and the rest."""

    videos: list[str]
    left_out: list[str]


def find_videos(folder: Path) -> FoundFiles:
    """The videos and folders of pictures below `folder`, those in linked folders too.

    Raises VideoError if there is none.
    """
    videos, left_out = set(), set()
    for path in walk_files(folder):
        suffix = path.suffix.lower()
        if suffix in PICTURES and path.parent != folder:
            videos.add(path.parent)
        elif suffix in SUFFIXES and path.is_file() or begins_like_video(path):
            videos.add(path)
        else:
            left_out.add(path)
    if not videos:
        raise VideoError(
            f"There is no video in {folder}: give a folder with {', '.join(SUFFIXES)} files, or folders of pictures."
        )
    return FoundFiles(*(sorted(str(path.relative_to(folder)) for path in paths) for paths in (videos, left_out)))


def walk_files(folder: Path) -> Iterator[Path]:
    """All files below `folder` that are not hidden; links are followed, unless they lead back to where they lie."""
    for parent, folders, names in os.walk(folder, followlinks=True):
        here = os.path.realpath(parent) + os.sep
        real = {name: os.path.realpath(os.path.join(parent, name)) + os.sep for name in folders}
        folders[:] = sorted(name for name in folders if not here.startswith(real[name]))
        yield from (Path(parent, name) for name in sorted(names) if not name.startswith("."))


def begins_like_video(path: Path) -> bool:
    """Whether a file begins as a container of films does, whatever its name; sound and stills by name are none."""
    if (mimetypes.guess_type(path.name)[0] or "").startswith(("audio/", "image/", "text/")):
        return False
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError:
        return False
    return is_video_head(head) and head[8:12] not in STILL_OR_SOUND
