import hashlib

import pytest

from grounding.files import hash_file, make_safe_name, write_whole


def test_a_hash_counts_content_and_not_the_name(tmp_path):
    (tmp_path / "a").write_bytes(b"same")
    (tmp_path / "b").write_bytes(b"same")
    assert hash_file(tmp_path / "a") == hash_file(tmp_path / "b") == hashlib.sha256(b"same").hexdigest()


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("clip.mp4", "clip"),
        ("../../etc/passwd", "passwd"),
        ("a b;c$(d)`e`.mkv", "a_b_c_d_e"),
        ("Café déjà.mov", "Cafe_deja"),
        ("映画.mp4", "clip"),
        ("..", "clip"),
        ('x"\r\nSet-Cookie: y.mp4', "x_Set-Cookie_y"),
        ("x" * 300 + ".mp4", "x" * 40),
    ],
)
def test_a_name_is_safe_on_every_file_system_and_in_every_header(name, safe):
    assert make_safe_name(name) == safe


def test_a_file_appears_when_it_is_whole(tmp_path):
    out = tmp_path / "out.txt"
    with write_whole(out) as part:
        part.write_text("new")
        assert not out.exists()
    assert out.read_text() == "new"
    assert list(tmp_path.iterdir()) == [out]


def test_a_file_that_failed_leaves_the_old_one(tmp_path):
    out = tmp_path / "out.txt"
    out.write_text("old")
    with pytest.raises(RuntimeError), write_whole(out) as part:
        part.write_text("half")
        raise RuntimeError
    assert out.read_text() == "old"
    assert list(tmp_path.iterdir()) == [out]
