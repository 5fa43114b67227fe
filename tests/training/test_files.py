import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from training.files import DataError, FormatError, check_folder, read_arrays, write_whole


def test_a_file_is_there_when_it_is_whole(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with write_whole(path) as part:
        part.write_text("all of it")
        assert not path.exists()
    assert path.read_text() == "all of it"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [KeyboardInterrupt, KeyError("x")])
def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(type(error) if isinstance(error, Exception) else error), write_whole(path) as part:
        part.write_text("ne")
        raise error
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    path = tmp_path / "a.txt"
    with write_whole(path) as one:
        with write_whole(path) as two:
            two.write_text("two")
        one.write_text("one")
    assert path.read_text() == "one"


def test_whoever_reads_other_files_reads_this_one(tmp_path):
    (tmp_path / "plain").touch()
    with write_whole(tmp_path / "a") as part:
        save_file({"a": torch.zeros(1)}, part)
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"file.a cannot be written"), write_whole(tmp_path / "file" / "a") as part:
        part.write_text("x")
    with pytest.raises(DataError, match="file cannot be written"):
        check_folder(tmp_path / "file")


def test_a_folder_is_made_and_left_empty(tmp_path):
    check_folder(tmp_path / "new" / "folder")
    assert list((tmp_path / "new" / "folder").iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"no npz", "array", "objects", "truncated"])
def test_what_is_no_npz_file_is_said_in_plain_words(tmp_path, content):
    path = tmp_path / "a.npz"
    np.savez(path, a=np.array([{}] if content == "objects" else np.zeros(1000)))
    if content == "array":
        np.save(path.open("wb"), np.zeros(3))
    elif content != "objects":
        path.write_bytes(path.read_bytes()[:2000] if content == "truncated" else content)
    with pytest.raises(FormatError, match="a.npz is no npz file of numbers and texts, or a damaged one"):
        read_arrays(path, "a", "b")


def test_the_arrays_that_an_npz_file_has_are_read(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.arange(3), c=np.arange(4))
    read = read_arrays(tmp_path / "a.npz", "a", "b")
    assert list(read) == ["a"] and read["a"].tolist() == [0, 1, 2]
