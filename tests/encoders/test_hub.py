"""A hub that is out of reach, and weights that were fetched from it before."""

import time

import open_clip
import open_clip.pretrained
import pytest
import torch

from grounding.encoders.registry import load_frame_encoder
from grounding.errors import EncoderError

pytestmark = pytest.mark.usefixtures("offline")


def assert_names_ways_out(error):
    for way in ("'embedded'", "weights=PATH", "--weights PATH", "open_clip_model.safetensors of someone/tiny"):
        assert way in str(error.value)
    assert "\n" not in str(error.value)


def test_a_hub_out_of_reach_says_so_at_once_and_names_the_ways_out(published):
    start = time.monotonic()
    with pytest.raises(EncoderError, match="hub") as error:
        load_frame_encoder(published)
    assert time.monotonic() - start < 10
    assert_names_ways_out(error)


def test_a_download_that_breaks_off_names_the_ways_out(published, monkeypatch):
    def break_off(*_, **__):
        raise FileNotFoundError("Failed to download file\nLast error: …")

    monkeypatch.setattr("huggingface_hub.model_info", lambda *_, **__: None)
    monkeypatch.setattr(open_clip.pretrained, "download_pretrained", break_off)
    with pytest.raises(EncoderError, match="hub") as error:
        load_frame_encoder(published)
    assert_names_ways_out(error)


def test_downloaded_weights_are_used(published, tiny_weights, monkeypatch, frames):
    monkeypatch.setattr("huggingface_hub.model_info", lambda *_, **__: None)
    monkeypatch.setattr(open_clip.pretrained, "hf_hub_download", lambda **_: str(tiny_weights))
    downloaded = load_frame_encoder(published, device="cpu").encode(frames)
    local = load_frame_encoder(published, device="cpu", weights=tiny_weights).encode(frames)
    torch.testing.assert_close(downloaded, local)


def test_cached_weights_need_no_hub(published, tiny_weights, tmp_path):
    cache = tmp_path / "hub" / "models--someone--tiny"
    (cache / "refs").mkdir(parents=True)
    (cache / "refs" / "main").write_text("abc")
    (cache / "snapshots" / "abc").mkdir(parents=True)
    tiny_weights.rename(cache / "snapshots" / "abc" / "open_clip_model.safetensors")
    assert load_frame_encoder(published, device="cpu").width == 16
