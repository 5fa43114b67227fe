from dataclasses import replace
from threading import Event

import pytest

from grounding.app import choosing
from grounding.app.choosing import choose, offered, weights_at_hand
from grounding.checkpoint import CheckpointConfig
from grounding.errors import EncoderError
from grounding.model import GrounderConfig

SMALL, LARGE = "open_clip:ViT-B-32-quickgelu:openai", "open_clip:ViT-L-14-quickgelu:openai"
ENCODERS = {"clip-vit-b-32": SMALL, "clip-vit-l-14": LARGE}


def configs(*names):
    sizes = GrounderConfig(frame_width=8, query_width=8)
    return {name: CheckpointConfig(name, ENCODERS.get(name, "embedded"), sizes) for name in names}


def cached(*encoders):
    return lambda encoder: "in the cache" if encoder in encoders else None


@pytest.mark.parametrize(
    ("on_gpu", "cached_encoders", "name"),
    [
        (True, (SMALL, LARGE), "clip-vit-l-14"),
        (True, (SMALL,), "clip-vit-b-32"),
        (False, (SMALL, LARGE), "clip-vit-b-32"),
        (False, (LARGE,), "embedded"),
        (True, (), "embedded"),
    ],
)
def test_the_default_is_the_best_whose_weights_are_there(on_gpu, cached_encoders, name):
    everything = configs("clip-vit-b-32", "clip-vit-l-14", "embedded")
    assert choose(everything, on_gpu, cached(*cached_encoders)).name == name


def test_the_reason_says_whether_the_weights_or_the_checkpoint_are_missing():
    with_clip, without = configs("clip-vit-b-32", "embedded"), configs("embedded", "other")
    assert "in the cache" in choose(with_clip, False, cached(SMALL)).reason
    assert "out of reach" in choose(with_clip, False, cached()).reason
    assert "needs no download" in choose(without, False, cached()).reason
    assert "only checkpoint" in choose(configs("embedded"), False, cached()).reason


def test_the_hub_is_not_asked_for_weights_that_no_checkpoint_needs():
    choose(configs("embedded"), True, lambda encoder: pytest.fail("asked"))


def test_without_embedded_or_any_checkpoint():
    assert choose(configs("mine"), False, cached()).name == "mine"
    assert choose({}, False, cached()) is None


def test_a_baseline_is_neither_offered_nor_the_default():
    both = configs("a-without", "b")
    both["b"] = replace(both["b"], baseline="a-without")
    assert offered(both) == ["b"]
    assert choose(both, False, cached()).name == "b"


def test_weights_in_packages_are_there():
    assert weights_at_hand("embedded")


def test_a_hub_that_hangs_is_not_waited_for(monkeypatch):
    silence = Event()
    monkeypatch.setattr(choosing, "find_open_clip", lambda name: silence.wait())
    assert weights_at_hand(SMALL, patience=0.05) is None
    silence.set()


def test_an_encoder_that_open_clip_does_not_know_is_not_there(monkeypatch):
    def unknown(name):
        raise EncoderError("unknown")

    monkeypatch.setattr(choosing, "find_open_clip", unknown)
    assert weights_at_hand(SMALL) is None


def test_a_broken_checkpoint_does_not_keep_the_others_away(monkeypatch, tmp_path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text("{")
    folders = {"broken": tmp_path / "broken", "embedded": choosing.find_checkpoint("embedded")}
    monkeypatch.setattr(choosing, "list_checkpoints", lambda: list(folders))
    monkeypatch.setattr(choosing, "find_checkpoint", folders.get)
    assert list(choosing.installed()) == ["embedded"]
