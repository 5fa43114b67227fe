import dataclasses
import math
from types import SimpleNamespace

import pytest
import torch

from grounding.app import models as serving
from grounding.app.choosing import Choice
from grounding.app.job_queue import desk
from grounding.app.memory_cache import Memory
from grounding.checkpoint import CheckpointConfig
from grounding.errors import CheckpointError, GroundingError, VideoError
from grounding.model import GrounderConfig
from tests.clips import bad_file, colours


def test_no_clip_and_a_clip_that_is_gone_are_one_clear_sentence(tmp_path):
    with pytest.raises(VideoError, match="upload a video"):
        serving.check_limits(None)
    with pytest.raises(VideoError, match="no file 'missing.mp4'"):
        serving.check_limits(bad_file("missing", tmp_path))


def test_an_unknown_checkpoint_is_told_the_known_ones():
    with pytest.raises(GroundingError, match="choose one of .*embedded"):
        serving.known("nonsense")


def test_the_default_comes_first_among_the_choices():
    assert serving.checkpoint_choices()[0][1] == serving.default_checkpoint()


def test_the_choices_say_what_each_checkpoint_is_good_at():
    labels = {name: label for label, name in serving.checkpoint_choices()}
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
    monkeypatch.setattr(serving, "installed", lambda: configs)
    monkeypatch.setattr(serving, "list_checkpoints", lambda: sorted(configs))
    monkeypatch.setattr(serving, "load_predictor", lambda name: SimpleNamespace(config=configs[name]))
    return configs


def test_a_checkpoint_that_only_serves_to_compare_is_not_offered_but_answers_to_its_name(pair):
    assert [name for _, name in serving.checkpoint_choices()] == ["trained"]
    assert serving.known("plain") == "plain"


def test_a_baseline_is_loaded_where_it_is_there_and_reads_the_same_features(pair):
    assert serving.load_baseline(pair["trained"]).config is pair["plain"]
    assert serving.load_baseline(pair["plain"]) is None
    pair["plain"] = dataclasses.replace(pair["plain"], rate=5.0)
    assert serving.load_baseline(pair["trained"]) is None
    del pair["plain"]
    assert serving.load_baseline(pair["trained"]) is None


@pytest.mark.parametrize(
    ("choice", "why"),
    [
        (Choice("embedded", "the only one"), "the only one"),
        (Choice("other", "the only one"), "as chosen"),
        (None, "as"),
    ],
)
def test_the_page_says_who_answers_and_why(monkeypatch, predictor, choice, why):
    monkeypatch.setattr(serving, "default_choice", lambda: choice)
    described = serving.described(predictor)
    assert described.startswith(f"embedded, {why}")
    assert "frame encoder embedded" in described


def test_a_file_that_is_too_large_is_told_the_limit_and_what_to_do(tmp_path):
    path = colours(tmp_path / "a.mp4")
    with pytest.raises(VideoError, match=r"'a.mp4' has 0 MB and 0 MB is the most: .*cut it shorter"):
        serving.check_limits(path, serving.Limits(megabytes=0))


def test_a_video_that_is_too_long_is_told_the_limit_and_what_to_do(tmp_path):
    path = colours(tmp_path / "a.mp4", seconds=30.0, fps=2)
    with pytest.raises(VideoError, match=r"'a.mp4' lasts 1.5 min and 1 min is the most: cut it"):
        serving.check_limits(path, serving.Limits(seconds=60.0))
    serving.check_limits(path, serving.Limits(seconds=90.0))
    serving.check_limits(path)


def test_the_limits_can_be_read_before_they_are_met():
    assert str(serving.LIMITS) == "up to 500 MB and 2 h"


def test_on_zero_gpu_predictors_answer_on_the_cpu_and_encoders_are_lent_before_the_launch(monkeypatch):
    lent = []
    monkeypatch.setattr(serving, "zero_gpu", lambda: "the package")
    monkeypatch.setattr(serving, "load_predictor", serving.load_predictor.__wrapped__)
    monkeypatch.setattr(serving, "lend", lambda predictors, package: lent.append((predictors, package)))
    serving.prepare()
    (predictors, package) = lent[0]
    assert package == "the package"
    assert [predictor.config.name for predictor in predictors] == list(serving.installed())
    assert all(predictor.device.type == "cpu" for predictor in predictors)


def test_towers_are_lent_before_the_default_is_chosen_since_that_asks_for_cuda(monkeypatch):
    order = []
    monkeypatch.setattr(serving, "prepare", lambda: order.append("lent"))
    monkeypatch.setattr(serving, "resolve_device", lambda name: order.append("asked") or torch.device("cpu"))
    serving.default_choice.__wrapped__()
    assert order == ["lent", "asked"]


def test_elsewhere_nothing_is_prepared(monkeypatch):
    monkeypatch.setattr(serving, "zero_gpu", lambda: None)
    monkeypatch.setattr(serving, "load_predictor", lambda name: pytest.fail("loaded"))
    serving.prepare()


def test_a_broken_baseline_is_none(monkeypatch):
    def broken(name):
        raise CheckpointError("damaged")

    monkeypatch.setattr(serving, "list_checkpoints", lambda: ["other"])
    monkeypatch.setattr(serving, "load_predictor", broken)
    assert serving.load_baseline(SimpleNamespace(baseline="other")) is None


@pytest.mark.parametrize("top_k", [None, 2.5, math.nan, math.inf, "5", [5], "x" * 10_000])
def test_top_k_has_to_be_a_whole_number(top_k):
    with pytest.raises(GroundingError, match="whole number") as caught:
        serving.whole(top_k)
    assert len(str(caught.value)) < 100
    assert serving.whole(3.0) == 3 and serving.whole(10**400) == 10**400


def test_the_environment_changes_the_limits_and_the_message_names_them(tmp_path, monkeypatch):
    path = colours(tmp_path / "a.mp4")
    for variable, limit, words in (("MEGABYTES", "0.0001", "0.0001 MB is"), ("SECONDS", "3", "0.05 min is")):
        monkeypatch.setenv(f"GROUNDING_CLIP_{variable}", limit)
        with pytest.raises(VideoError, match=f"'a.mp4' .*{words} the most: .*GROUNDING_CLIP_{variable}"):
            serving.check_limits(path)
        monkeypatch.delenv(f"GROUNDING_CLIP_{variable}")
    serving.check_limits(path)
    monkeypatch.setenv("GROUNDING_CLIP_SECONDS", "two hours")
    with pytest.raises(GroundingError, match="GROUNDING_CLIP_SECONDS is 'two hours'"):
        serving.check_limits(path)


def test_a_program_s_clip_that_does_not_say_its_length_is_ended_where_it_gets_too_long(
    predictor, tmp_path, monkeypatch
):
    monkeypatch.setenv("GROUNDING_CLIP_SECONDS", "4")
    with pytest.raises(VideoError, match=r"'a.mp4' lasts .* is the most: .*GROUNDING_CLIP_SECONDS"):
        list(serving.remembered(str(colours(tmp_path / "a.mp4")), predictor, Memory()))


def test_a_program_that_leaves_while_it_waits_ends_without_an_error(scenes):
    with desk().work("another", "a.mp4", at_model=True):
        steps = serving.ground_json(str(scenes), "a cat", "embedded", 5)
        next(steps)
        desk().call_off(None, quiet=True)
        assert list(steps) == []
