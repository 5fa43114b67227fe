"""Whose files are whose: what a visitor gave and was given is deleted when the visitor leaves."""

import os
import secrets
import shutil
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Lock

import gradio as gr

from grounding.app.checked_blocks import upload_folder
from grounding.files import explain_write_errors

KEEP_SECONDS = 3600.0  # after their last use; they go at once when the visitor leaves


class VisitorFiles:
    """The files of each visitor, who is known by the session hash that Gradio gives every page and client.

    Gradio keeps two uploads of one content and name as one file, so a clip stays while someone else uses it too. Its
    time of change tells an upload that came since.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._clips: dict[str, set[Path]] = {}
        self._touched: dict[Path, int] = {}  # when any visitor last used a clip, by the file system
        self._folders: dict[str, Path] = {}

    def make_folder(self, session: str | None) -> Path:
        """A new folder in Gradio's cache for files made for a visitor, whose name nobody guesses. Raises WriteError."""
        with self._lock:
            self._forget_gone()
            own = self._folders.setdefault(session or "", upload_folder() / secrets.token_hex(16))
            new = own / secrets.token_hex(4)
            with explain_write_errors(new):
                new.mkdir(mode=0o700, parents=True)
        return new

    def claim(self, session: str | None, clip: str | None) -> None:
        """A visitor uses an uploaded clip: it and the visitor's other files count as touched now."""
        with self._lock:
            self._forget_gone()
            claimed = self._clips.setdefault(session or "", set())
            if clip and upload_folder().resolve() in Path(clip).resolve().parents:
                claimed.add(Path(clip))
            self._touched |= {path: _touch(path) for path in claimed}
            for path in self._folders.get(session or "", Path("-")).rglob("*"):
                _touch(path)

    def delete(self, session: str | None) -> None:
        """The visitor's files are deleted, but for a clip that someone else uploaded or uses as well."""
        with self._lock:
            folder = self._folders.pop(session or "", None)
            clips = self._clips.pop(session or "", set())
            for clip in clips.difference(*self._clips.values()):
                if _changed(clip) == self._touched.pop(clip, 0):
                    clip.unlink(missing_ok=True)
                    with suppress(OSError):  # another name of the same content
                        clip.parent.rmdir()
        if folder:
            shutil.rmtree(folder, ignore_errors=True)

    def _forget_gone(self) -> None:
        """Files that went by age; a program that never says goodbye leaves nothing here either."""
        self._clips = {
            session: kept
            for session, claimed in self._clips.items()
            if (kept := {path for path in claimed if path.exists()})
        }
        self._touched = {path: when for path, when in self._touched.items() if path.exists()}
        self._folders = {session: folder for session, folder in self._folders.items() if folder.exists()}


def _touch(path: Path) -> int:
    with suppress(OSError):
        os.utime(path)
    return _changed(path)


def _changed(path: Path) -> int:
    try:
        return path.stat().st_ctime_ns
    except OSError:
        return 0


@cache
def visitor_files() -> VisitorFiles:
    """Those of this process."""
    return VisitorFiles()


def session_from_request(request: gr.Request | None) -> str | None:
    """Which visitor asks; None where it is no visitor, as in a test."""
    return request.session_hash if request else None
