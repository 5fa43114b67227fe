"""Encoded videos on disk, so that no clip is encoded twice. Safe with several processes; it never costs an answer.

An entry is one safetensors file with the features and their times, and nothing that could be looked at. Its name is a
hash; the folder can be read by its owner alone. Whoever has the same file can tell from the time it takes that it was
encoded before, and nothing else.
"""

import argparse
import hashlib
import json
import logging
import math
import os
import time
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from grounding.errors import GroundingError
from grounding.features.encoded_video import EncodedVideo
from grounding.files import hash_file

if TYPE_CHECKING:
    from grounding.features.cache_key import Key

MEGABYTES = 2000.0  # of 1e6 bytes: 3,000 clips of 90 s, or 40 of two hours
ENDING = ".safetensors"
PART = ".tmp"  # how files that are being written begin, here and in safetensors
STALE = 3600.0  # seconds after which nobody is writing such a file any more

log = logging.getLogger(__name__)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command line's options."""
    parser.add_argument("--cache", metavar="DIR", help="keep encoded videos here, so that none is encoded twice")
    parser.add_argument(
        "--cache-mb", type=parse_megabytes, metavar="N", help=f"how much they may take up, {MEGABYTES:g} by default"
    )


def parse_megabytes(text: str) -> float:
    """A size that was given as text. Raises ArgumentTypeError."""
    try:
        size = float(text)
    except ValueError:
        size = math.nan
    if not size >= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of megabytes: give 0 or more, such as 500")
    return size


def cache_from_options(args: argparse.Namespace) -> "FeatureCache | None":
    """None unless a folder was named. Raises GroundingError for a size of none."""
    if args.cache:
        return FeatureCache(args.cache, MEGABYTES if args.cache_mb is None else args.cache_mb)
    if args.cache_mb is not None:
        raise GroundingError("--cache-mb says how much the folder of --cache may take up: give --cache DIR, too.")
    return None


class Entry(NamedTuple):
    """A file in the folder; sorts by when it was last used."""

    used: float
    size: int
    path: Path


class FeatureCache:
    """Encoded videos in a folder; those that were used longest ago leave first.

    Of two processes that encode the same clip at once, the one that is done last replaces the other's entry, which is
    the same. What goes wrong is said once, in the log.

    Args:
        folder: where the folder of the entries is, or is made.
        megabytes: of 1e6 bytes, how much they may take up together.
    """

    def __init__(self, folder: str | Path, megabytes: float = MEGABYTES) -> None:
        self.folder, self.room = Path(folder).expanduser() / "encoded", megabytes * 1e6
        self._warned = self._is_trimmed = False

    def get(self, key: "Key") -> EncodedVideo | None:
        """The video with this key, None where there is none; an entry that is damaged is removed."""
        path, video = self._path(key), None
        try:
            self._open()
            video = read_entry(path, key)
            os.utime(path)  # the last to leave
        except FileNotFoundError:
            pass
        except OSError as error:
            self._warn(error)
        except Exception as error:  # a file that is no entry fails in as many ways as there are formats
            self._remove(path, error)
        return video

    def put(self, key: "Key", video: EncodedVideo) -> None:
        """Keeps a video, if there is room for it at all."""
        size = video.timestamps.nbytes + video.features.nbytes
        try:
            self._open()
            if size > self.room:
                return
            self._make_room(size)
            write_entry(self._path(key), key, video)
            self._make_room(0)  # others write too
        except (OSError, SafetensorError) as error:
            self._warn(error)

    def put_file(self, key: "Key", path: str | Path, video: EncodedVideo) -> None:
        """Keeps an encoded file, unless it was written to or has left while it was encoded."""
        with suppress(OSError):
            if hash_file(path) == key.content:
                self.put(key, video)

    def _open(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)  # refused where the folder is somebody else's, who could put anything into it
        if not self._is_trimmed:  # they may take up less than before
            self._make_room(0)
            self._is_trimmed = True

    def _path(self, key: "Key") -> Path:
        return self.folder / f"{key.to_file_name()}{ENDING}"

    def _make_room(self, size: int) -> None:
        entries = sorted(self._entries())
        total = size + sum(entry.size for entry in entries)
        for entry in entries:
            if total <= self.room:
                return
            entry.path.unlink(missing_ok=True)
            total -= entry.size

    def _entries(self) -> list[Entry]:
        entries = []
        for path in self.folder.iterdir():
            with suppress(FileNotFoundError):  # another process made room
                state = path.stat()
                if path.name.startswith(PART) and time.time() - state.st_mtime > STALE:  # left by one that was killed
                    path.unlink()
                elif path.suffix == ENDING:
                    entries.append(Entry(state.st_mtime, state.st_size, path))
        return entries

    def _remove(self, path: Path, reason: Exception) -> None:
        log.warning("%s in the cache is damaged: it is removed, and made anew. What is wrong: %s", path.name, reason)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            self._warn(error)

    def _warn(self, error: Exception) -> None:
        if not self._warned:
            reason = str(error).splitlines()[0]
            log.warning("The cache in %s does not work (%s): make room, or choose another folder.", self.folder, reason)
        self._warned = True


def write_entry(path: Path, key: "Key", video: EncodedVideo) -> None:
    """Writes beside `path` and renames, so that whoever reads finds all of it or nothing. Raises OSError."""
    part = path.with_name(f"{PART}{token_hex(8)}")
    tensors = {"timestamps": video.timestamps, "features": np.ascontiguousarray(video.features)}  # (T,), (T, D)
    head = {"key": key.to_text(), "facts": pack_facts(video), "checksum": compute_checksum(key, video)}
    try:
        save_file(tensors, part, head)
        part.chmod(0o600)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_entry(path: Path, key: "Key") -> EncodedVideo:
    """Raises FileNotFoundError, OSError, or whatever shows that the file is not what was written for this key."""
    with safe_open(path, "numpy") as file:
        head = file.metadata()
        timestamps, features = file.get_tensor("timestamps"), file.get_tensor("features")  # (T,), (T, D)
    if head["key"] != key.to_text():
        raise ValueError("it belongs to another clip, encoder or rate")
    duration, skipped = json.loads(head["facts"])
    video = EncodedVideo(timestamps, features, float(duration), key.encoder, tuple(map(tuple, skipped)))
    if features.dtype != np.float16 or features.shape[1] != key.width:
        raise ValueError(f"its features are {features.dtype} and {features.shape[1]} wide")
    if head["checksum"] != compute_checksum(key, video):
        raise ValueError("its checksum is wrong")
    return video


def pack_facts(video: EncodedVideo) -> str:
    """What an entry says of a video besides its frames."""
    return json.dumps([float(video.duration), video.skipped])


def compute_checksum(key: "Key", video: EncodedVideo) -> str:
    """SHA-256 over all that an entry says."""
    digest = hashlib.sha256(f"{key.to_text()} {pack_facts(video)} {video.features.shape}".encode())
    digest.update(np.ascontiguousarray(video.timestamps))
    digest.update(np.ascontiguousarray(video.features))
    return digest.hexdigest()
