import hashlib

import pytest

from grounding.features import cache_key as keys
from grounding.features.cache_key import Key, content_hash, weights_hash

KEY = Key("a" * 64, "embedded", "w" * 64, 2.0, 4, "this code")


def test_a_name_is_a_hash_of_all_of_it():
    names = {KEY.name()} | {KEY._replace(**{field: "other"}).name() for field in KEY._fields}
    assert len(names) == 1 + len(KEY._fields)
    assert all(len(name) == 64 and set(name) <= set("0123456789abcdef") for name in names)


def test_content_counts_and_not_the_name(tmp_path):
    (tmp_path / "a").write_bytes(b"same")
    (tmp_path / "b").write_bytes(b"same")
    assert content_hash(tmp_path / "a") == content_hash(tmp_path / "b") == hashlib.sha256(b"same").hexdigest()


def test_weights_in_a_file_count_by_what_is_in_it(tmp_path):
    (tmp_path / "a").write_bytes(b"one")
    (tmp_path / "b").write_bytes(b"two")
    one, two = (weights_hash("open_clip:a:b", tmp_path / name) for name in "ab")
    assert one == content_hash(tmp_path / "a") != two
    assert weights_hash("open_clip:a:b", tmp_path / "missing") is None


def test_weights_of_the_hub_count_by_what_is_in_the_file(monkeypatch, tmp_path):
    (tmp_path / "a").write_bytes(b"one")
    monkeypatch.setattr(keys, "cached_open_clip", lambda name: str(tmp_path / "a"))
    assert weights_hash("open_clip:a:b") == content_hash(tmp_path / "a")
    monkeypatch.setattr(keys, "cached_open_clip", lambda name: None)
    assert weights_hash("open_clip:a:b") is None


def test_packaged_weights_are_known_and_take_no_file(tmp_path):
    assert keys.EFFICIENTNET_LITE0.sha256 in weights_hash("embedded")
    assert weights_hash("embedded", tmp_path / "a") is None


@pytest.fixture
def code(tmp_path, monkeypatch):
    monkeypatch.setattr("grounding.__file__", str(tmp_path / "__init__.py"))
    (tmp_path / "video").mkdir()
    (tmp_path / "a.py").write_text("1")
    (tmp_path / "video" / "a.py").write_text("1")
    return tmp_path


@pytest.mark.parametrize("file", ["a.py", "video/a.py"])
def test_another_code_is_another_hash(code, file):
    before = keys.code_hash.__wrapped__()
    assert keys.code_hash.__wrapped__() == before
    (code / file).write_text("2")
    assert keys.code_hash.__wrapped__() != before


def test_another_decoder_is_another_hash(code, monkeypatch):
    before = keys.code_hash.__wrapped__()
    monkeypatch.setattr(keys, "version", lambda name: "0.1")
    assert keys.code_hash.__wrapped__() != before
