"""What a folder holds to be encoded: videos, and folders of pictures."""

from dataclasses import dataclass
from pathlib import Path

from grounding.errors import VideoError
from grounding.video.video_files import SUFFIXES, is_video, walk_files

PICTURES = (".jpg", ".jpeg", ".png")


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
        if path.suffix.lower() in PICTURES and path.parent != folder:
            videos.add(path.parent)
        elif is_video(path):
            videos.add(path)
        else:
            left_out.add(path)
    if not videos:
        raise VideoError(
            f"There is no video in {folder}: give a folder with {', '.join(SUFFIXES)} files, or folders of pictures."
        )
    return FoundFiles(*(sorted(str(path.relative_to(folder)) for path in paths) for paths in (videos, left_out)))
