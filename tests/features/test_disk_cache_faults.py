"""A cache whose folder or disk does not do what it should."""

# ruff: noqa: F811
import errno
import logging
import os
from pathlib import Path

import pytest

from grounding.features import disk_cache as cache
from grounding.features.disk_cache import FeatureCache
from tests.features.test_disk_cache import KEY, entry, flip, kept, other, video  # noqa: F401, fixtures


def test_a_place_that_is_no_folder_is_told_once(tmp_path, caplog):
    (tmp_path / "encoded").write_text("a file")
    kept = FeatureCache(tmp_path)
    for _ in range(2):
        kept.put(KEY, video())
        assert kept.get(KEY) is None
    assert caplog.text.count("does not work") == 1
    assert str(kept.folder) in caplog.text


@pytest.mark.parametrize("step", ["mkdir", "chmod", "replace", "iterdir"])
@pytest.mark.parametrize("reason", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_a_folder_that_refuses_is_told_once_and_leaves_no_parts(kept, monkeypatch, caplog, step, reason):
    kept.put(other(1), video())

    def refuse(*arguments, **options):
        raise OSError(reason, os.strerror(reason))

    with monkeypatch.context() as patch:
        patch.setattr(Path, step, refuse)
        for _ in range(2):
            kept.put(KEY, video())
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert os.strerror(reason) in caplog.text
    assert [path.suffix for path in kept.folder.iterdir()] == [".safetensors"]
    assert kept.get(KEY) is None
    kept.put(KEY, video())
    assert kept.get(KEY)  # it works again


def test_a_full_disk_while_writing(kept, monkeypatch, caplog):
    def full(tensors, path, head):
        Path(path).write_bytes(b"half")
        raise cache.SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(cache, "save_file", full)
    kept.put(KEY, video())
    assert "No space left" in caplog.text
    assert not list(kept.folder.iterdir())


def test_an_entry_that_cannot_be_removed_is_told_and_not_used(kept, entry, monkeypatch, caplog):
    flip(entry)

    def refuse(*arguments, **options):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    assert kept.get(KEY) is None
    assert "does not work" in caplog.text
