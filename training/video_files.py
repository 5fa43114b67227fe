"""Which files of a folder are videos: by their suffix, or by how their content begins."""

import mimetypes
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from grounding.errors import VideoError
from training.features import SUFFIXES

PICTURES = (".jpg", ".jpeg", ".png")
SIGNATURES = (  # offset and bytes, of containers that hold films
    (4, b"ftyp"),  # MP4, MOV, 3GP
    (4, b"moov"),
    (4, b"mdat"),
    (4, b"wide"),
    (0, b"\x1aE\xdf\xa3"),  # Matroska, WebM
    (8, b"AVI "),
    (0, b"FLV\x01"),
    (0, b"0&\xb2u\x8ef\xcf\x11"),  # ASF, WMV
    (0, b"\x00\x00\x01\xba"),  # MPEG programme stream, VOB
    (0, b"\x00\x00\x01\xb3"),  # MPEG video
    (0, b"\x06\x0e+4"),  # MXF
)
STILL_OR_SOUND = (b"heic", b"heix", b"mif1", b"avif", b"M4A ", b"M4B ")  # brands of MP4 that are no film
PACKETS = ((0, 188), (4, 192))  # first sync byte and packet length of MPEG transport streams and of AVCHD's


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
            head = file.read(600)
    except OSError:
        return False
    streams = any(
        len(head) > first + 2 * length and all(head[first + n * length] == 0x47 for n in range(3))
        for first, length in PACKETS
    )
    signed = any(head[offset : offset + len(sign)] == sign for offset, sign in SIGNATURES)
    return streams or (signed and head[8:12] not in STILL_OR_SOUND)
