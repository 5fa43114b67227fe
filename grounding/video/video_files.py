"""Which files of a folder are videos: by their suffix, or by how their content begins."""

import mimetypes
import os
from collections.abc import Iterator
from pathlib import Path

from grounding.video.container import HEAD_BYTES, is_video_head

SUFFIXES = (  # of files that count as videos, whatever their case
    *(".mp4", ".m4v", ".mov", ".3gp", ".3g2", ".f4v", ".mkv", ".webm", ".avi", ".flv", ".wmv", ".asf", ".ogv", ".mxf"),
    *(".mpg", ".mpeg", ".m2v", ".vob", ".ts", ".mts", ".m2ts", ".dv"),
)
OTHER_SUFFIXES = (  # of moving pictures that are read only where their content is that of a container, too
    *(".gif", ".264", ".h264", ".x264", ".avc", ".265", ".h265", ".x265", ".hevc", ".av1", ".ivf", ".y4m", ".rm"),
    *(".rmvb", ".divx", ".ogm", ".qt", ".m1v", ".mpe", ".m2t", ".mjpg", ".mjpeg", ".wtv", ".swf", ".r3d", ".braw"),
)
STILL_OR_SOUND = (b"heic", b"heix", b"mif1", b"avif", b"M4A ", b"M4B ")  # brands of MP4 that are no film


def is_video(path: Path) -> bool:
    """Whether a file is one by its name or, whatever its name, by its content."""
    return path.suffix.lower() in SUFFIXES and path.is_file() or begins_like_video(path)


def is_named_like_video(path: Path) -> bool:
    """Whether a name is that of a video, of a kind that can be read or of another."""
    return path.suffix.lower() in SUFFIXES + OTHER_SUFFIXES


def walk_files(folder: Path) -> Iterator[Path]:
    """All files below `folder` but hidden ones. Links are followed, but no folder is entered twice."""
    entered = {os.path.realpath(folder)}
    for parent, folders, names in os.walk(folder, followlinks=True):
        whole = {name: os.path.join(parent, name) for name in folders if not name.startswith(".")}
        folders.clear()
        for name in sorted(whole, key=lambda name: (os.path.islink(whole[name]), name)):  # a folder before links to it
            real = os.path.realpath(whole[name])
            if real not in entered:
                entered.add(real)
                folders.append(name)
        yield from (Path(parent, name) for name in sorted(names) if not name.startswith("."))


def begins_like_video(path: Path) -> bool:
    """Whether a file begins as a container of films does, whatever its name; sound and stills by name are none, nor is
    a text that begins with the same letters."""
    if not path.is_file() or (mimetypes.guess_type(path.name)[0] or "").startswith(("audio/", "image/")):
        return False
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError:
        return False
    return is_video_head(head) and min(head) < ord("\t") and head[8:12] not in STILL_OR_SOUND
