from pathlib import Path

import pytest
import torch

import grounding
from grounding.features import cache_key as keys
from grounding.features.cache_key import Key, KeyMaker, hash_weights
from grounding.files import hash_file

KEY = Key("a" * 64, "embedded", "w" * 64, 2.0, 4, "this code")


def test_a_name_is_a_hash_of_all_of_it():
    names = {KEY.to_file_name()} | {KEY._replace(**{field: "other"}).to_file_name() for field in KEY._fields}
    assert len(names) == 1 + len(KEY._fields)
    assert all(len(name) == 64 and set(name) <= set("0123456789abcdef") for name in names)


def test_weights_in_a_file_count_by_what_is_in_it(tmp_path):
    (tmp_path / "a").write_bytes(b"one")
    (tmp_path / "b").write_bytes(b"two")
    one, two = (hash_weights("open_clip:a:b", tmp_path / name) for name in "ab")
    assert one == hash_file(tmp_path / "a") != two
    assert hash_weights("open_clip:a:b", tmp_path / "missing") is None


def test_weights_of_the_hub_count_by_what_is_in_the_file(monkeypatch, tmp_path):
    (tmp_path / "a").write_bytes(b"one")
    monkeypatch.setattr(keys, "find_cached_open_clip", lambda name: str(tmp_path / "a"))
    assert hash_weights("open_clip:a:b") == hash_file(tmp_path / "a")
    monkeypatch.setattr(keys, "find_cached_open_clip", lambda name: None)
    assert hash_weights("open_clip:a:b") is None


def test_packaged_weights_are_known_and_take_no_file(tmp_path):
    assert keys.EFFICIENTNET_LITE0.sha256 in hash_weights("embedded")
    assert hash_weights("embedded", tmp_path / "a") is None


@pytest.fixture
def code(tmp_path, monkeypatch):
    """A copy of the folders of the package, a file in each."""
    monkeypatch.setattr("grounding.__file__", str(tmp_path / "__init__.py"))
    for folder in ("video", "isolation", "encoders", "features", "app", "segments"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.py").write_text("1")
    (tmp_path / "predictor.py").write_text("1")
    return tmp_path


def is_changed_by(change):
    before = keys.hash_code.__wrapped__()
    assert keys.hash_code.__wrapped__() == before
    change()
    return keys.hash_code.__wrapped__() != before


@pytest.mark.parametrize(
    "file", [f"{folder}/{name}" for folder in keys.FOLDERS for name in ("a.py", "new.py")] + ["encoders/x.safetensors"]
)
def test_another_code_that_makes_features_is_another_hash(code, file):
    assert is_changed_by(lambda: (code / file).write_text("2"))


@pytest.mark.parametrize("file", ["app/a.py", "segments/a.py", "predictor.py", "app/new.py", "video/a.pyc"])
def test_code_that_makes_no_features_leaves_the_hash(code, file):
    assert not is_changed_by(lambda: (code / file).write_text("2"))


def test_the_folders_that_make_features_are_there():
    """A folder that was moved would no longer count, and nothing else would say so."""
    root = Path(grounding.__file__).parent
    assert all(list((root / folder).glob("*.py")) for folder in keys.FOLDERS)


def test_another_decoder_is_another_hash(code, monkeypatch):
    assert is_changed_by(lambda: monkeypatch.setattr(keys, "version", lambda name: "0.1"))


def test_torch_counts_where_openvino_is_there_and_fails(monkeypatch):
    monkeypatch.setattr(keys, "describe_runtime", lambda device: "openvino 1.0")
    maker = KeyMaker("embedded", 2, 4, torch.device("cpu"), None, lambda: None)
    assert maker.make("a").made_by.endswith(" openvino 1.0")
    assert maker.make("a", compiled=False).made_by.endswith(" torch")


def test_weights_that_are_not_known_before_they_are_loaded_are_loaded_once(monkeypatch):
    known = []
    monkeypatch.setattr(keys, "hash_weights", lambda *_: known[-1] if known else None)
    maker = KeyMaker("open_clip:a:b", 2, 4, torch.device("cpu"), None, lambda: known.append("fetched"))
    assert maker.make("a").weights == maker.make("b").weights == "fetched"
    assert known == ["fetched"]
