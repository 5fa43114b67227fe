from dataclasses import replace
from threading import Event
from types import SimpleNamespace

import pytest

from grounding.app import models
from grounding.app.models import Choice
from grounding.checkpoint import CheckpointConfig, GrounderConfig
from grounding.errors import CheckpointError, EncoderError, GroundingError

SMALL, LARGE = "open_clip:ViT-B-32-quickgelu:openai", "open_clip:ViT-L-14-quickgelu:openai"
ENCODERS = {"clip-vit-b-32": SMALL, "clip-vit-l-14": LARGE}


def test_an_unknown_checkpoint_is_told_the_known_ones():
    with pytest.raises(GroundingError, match="choose one of .*embedded"):
        models.check_checkpoint("nonsense")


def test_the_default_comes_first_among_the_choices():
    assert models.list_choices()[0][1] == models.default_checkpoint()


def test_the_choices_say_what_each_checkpoint_is_good_at():
    labels = {name: label for label, name in models.list_choices()}
    assert labels["embedded"].startswith("embedded: ")
    assert len(labels["embedded"]) > len("embedded: ")


@pytest.fixture
def pair(monkeypatch):
    """Two checkpoints of one size, one of them the other's baseline."""
    size = GrounderConfig(8)
    configs = {
        "plain": CheckpointConfig("plain", "embedded", size),
        "trained": CheckpointConfig("trained", "embedded", size, baseline="plain"),
    }
    monkeypatch.setattr(models, "read_installed", lambda: configs)
    monkeypatch.setattr(models, "list_checkpoints", lambda: sorted(configs))
    monkeypatch.setattr(models, "load_predictor", lambda name: SimpleNamespace(config=configs[name]))
    return configs


def test_checkpoints_whose_weights_are_out_of_reach_are_not_offered_and_told_in_a_sentence(pair, monkeypatch):
    pair["far"] = CheckpointConfig("far", LARGE, GrounderConfig(8))
    monkeypatch.setattr(models, "locate_weights", lambda encoder: None if encoder == LARGE else "installed")
    monkeypatch.setattr(models, "locate_installed", models.locate_installed.__wrapped__)
    monkeypatch.setattr(models, "find_missing", models.find_missing.__wrapped__)
    assert [name for _, name in models.list_choices()] == ["trained"]
    assert models.describe_missing() == (
        "Not available here: far, since its weights are neither on this machine nor within reach."
    )
    del pair["far"]
    assert models.describe_missing() == ""


def test_a_checkpoint_that_only_serves_to_compare_is_not_offered_but_answers_to_its_name(pair):
    assert [name for _, name in models.list_choices()] == ["trained"]
    assert models.check_checkpoint("plain") == "plain"


def test_a_baseline_is_loaded_where_it_is_there_and_reads_the_same_features(pair):
    assert models.load_baseline(pair["trained"]).config is pair["plain"]
    assert models.load_baseline(pair["plain"]) is None
    pair["plain"] = replace(pair["plain"], rate=5.0)
    assert models.load_baseline(pair["trained"]) is None
    del pair["plain"]
    assert models.load_baseline(pair["trained"]) is None


@pytest.mark.parametrize(
    ("choice", "why"),
    [
        (Choice("embedded", "the only one"), "the only one"),
        (Choice("other", "the only one"), "as chosen"),
        (None, "as"),
    ],
)
def test_the_page_says_who_answers_and_why(monkeypatch, predictor, choice, why):
    monkeypatch.setattr(models, "default_choice", lambda: choice)
    described = models.describe_model(predictor)
    assert described.startswith(f"Answered by embedded on the CPU, {why}")


def test_on_zero_gpu_predictors_answer_on_the_cpu_and_encoders_are_lent_before_the_launch(monkeypatch):
    lent = []
    monkeypatch.setattr(models, "import_spaces", lambda: "the package")
    monkeypatch.setattr(models, "load_predictor", models.load_predictor.__wrapped__)
    monkeypatch.setattr(models, "lend_encoders", lambda predictors, package: lent.append((predictors, package)))
    models.prepare_zero_gpu()
    (predictors, package) = lent[0]
    assert package == "the package"
    assert [predictor.config.name for predictor in predictors] == list(models.read_installed())
    assert all(predictor.device.type == "cpu" for predictor in predictors)


def test_towers_are_lent_before_the_default_is_chosen_since_that_asks_for_cuda(monkeypatch):
    order = []
    monkeypatch.setattr(models, "prepare_zero_gpu", lambda: order.append("lent"))
    monkeypatch.setattr(models, "locate_weights", lambda name: "in the cache")
    monkeypatch.setattr(models, "locate_installed", models.locate_installed.__wrapped__)
    monkeypatch.setattr(models, "has_gpu", lambda: order.append("asked") or False)
    models.default_choice.__wrapped__()
    assert order == ["lent", "asked"]


def test_elsewhere_nothing_is_prepared(monkeypatch):
    monkeypatch.setattr(models, "import_spaces", lambda: None)
    monkeypatch.setattr(models, "load_predictor", lambda name: pytest.fail("loaded"))
    models.prepare_zero_gpu()


def test_a_broken_baseline_is_none(monkeypatch):
    def broken(name):
        raise CheckpointError("damaged")

    monkeypatch.setattr(models, "list_checkpoints", lambda: ["other"])
    monkeypatch.setattr(models, "load_predictor", broken)
    assert models.load_baseline(SimpleNamespace(baseline="other")) is None


def configs(*names):
    sizes = GrounderConfig(frame_width=8, query_width=8)
    return {name: CheckpointConfig(name, ENCODERS.get(name, "embedded"), sizes) for name in names}


def no_gpu():
    return False


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
    assert models.choose_default(everything, lambda: on_gpu, cached(*cached_encoders)).name == name


def test_the_reason_says_whether_the_weights_or_the_checkpoint_are_missing():
    with_clip, without = configs("clip-vit-b-32", "embedded"), configs("embedded", "other")
    assert "in the cache" in models.choose_default(with_clip, no_gpu, cached(SMALL)).reason
    assert "out of reach" in models.choose_default(with_clip, no_gpu, cached()).reason
    assert "needs no download" in models.choose_default(without, no_gpu, cached()).reason
    assert "only checkpoint" in models.choose_default(configs("embedded"), no_gpu, cached()).reason


def test_the_hub_is_not_asked_for_weights_that_no_checkpoint_needs():
    models.choose_default(configs("embedded"), lambda: pytest.fail("asked"), lambda encoder: pytest.fail("asked"))


def test_without_embedded_or_any_checkpoint():
    assert models.choose_default(configs("mine"), no_gpu, cached()).name == "mine"
    assert models.choose_default({}, no_gpu, cached()) is None


def test_a_baseline_is_neither_offered_nor_the_default():
    both = configs("a-without", "b")
    both["b"] = replace(both["b"], baseline="a-without")
    assert models.list_offered(both) == ["b"]
    assert models.choose_default(both, False, cached()).name == "b"


def test_weights_in_packages_are_there():
    assert models.locate_weights("embedded")


def test_a_hub_that_hangs_is_not_waited_for(monkeypatch):
    silence = Event()
    monkeypatch.setattr(models, "find_open_clip", lambda name: silence.wait())
    assert models.locate_weights(SMALL, patience=0.05) is None
    silence.set()


def test_an_encoder_that_open_clip_does_not_know_is_not_there(monkeypatch):
    def unknown(name):
        raise EncoderError("unknown")

    monkeypatch.setattr(models, "find_open_clip", unknown)
    assert models.locate_weights(SMALL) is None


def test_a_broken_checkpoint_does_not_keep_the_others_away(monkeypatch, tmp_path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text("{")
    folders = {"broken": tmp_path / "broken", "embedded": models.find_checkpoint("embedded")}
    monkeypatch.setattr(models, "list_checkpoints", lambda: list(folders))
    monkeypatch.setattr(models, "find_checkpoint", folders.get)
    assert list(models.read_installed()) == ["embedded"]
