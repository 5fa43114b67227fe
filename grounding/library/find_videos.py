"""The videos of folders."""

import os
from collections.abc import Iterable
from pathlib import Path

from grounding.errors import VideoError
from grounding.video.video_files import SUFFIXES, is_named_like_video, is_video, walk_files


def absolute_path(path: str | Path) -> Path:
    """A path as the library knows it: without ~ and .., links as they are."""
    return Path(os.path.abspath(Path(path).expanduser()))


def find_videos(paths: Iterable[str | Path]) -> list[Path]:
    """Absolute paths of the files given, and of the videos below the folders given, each once.

    Hidden files are left out, as a Mac writes ._clip.mp4 beside each clip.mp4, and so are sound and stills. A file that
    is named, and a link to a video that is gone, is taken as it is: what is wrong with it shows when it is read.

    Raises VideoError where there is no video at all, and for a path that is not there.
    """
    paths = list(paths)
    if "" in paths:  # it would be the folder that we are in
        raise VideoError("The path of a video or folder is empty: give the path of a file, or of a folder of videos.")
    paths = [absolute_path(path) for path in paths]
    found: dict[Path, None] = {}
    for path in paths:
        if not path.exists():
            raise VideoError(f"There is no file or folder {str(path)!r}: check the path.")
        found |= dict.fromkeys(filter(_is_named, walk_files(path)) if path.is_dir() else [path])
    if not found:
        names = ", ".join(repr(str(path)) for path in paths)
        raise VideoError(f"There is no video in {names}: give a folder with {', '.join(SUFFIXES)} files.")
    return list(found)


def find_unknown_kinds(paths: Iterable[str | Path]) -> list[Path]:
    """Files below the folders given that are named like videos, of kinds that cannot be read."""
    files = (file for path in map(absolute_path, paths) if path.is_dir() for file in walk_files(path))
    return [file for file in files if file.is_file() and is_named_like_video(file) and not is_video(file)]


def _is_named(path: Path) -> bool:
    is_lost_link = path.is_symlink() and not path.exists() and path.suffix.lower() in SUFFIXES
    return is_lost_link or is_video(path)
