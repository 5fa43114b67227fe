"""Where CLIP's weights are, asked of a hub that is played."""

import huggingface_hub
import pytest

from grounding.errors import EncoderError
from grounding.weights import HUB_FILES, find_open_clip

NAME = "open_clip:ViT-B-32-quickgelu:openai"


@pytest.fixture
def hub(monkeypatch):
    """A hub of which the test says what it has: files in the cache, and whether it answers."""
    state = {"cached": (), "answers": True, "asked": []}

    def answer(repository, timeout):
        state["asked"].append(repository)
        assert timeout <= 5
        if not state["answers"]:
            raise ConnectionError("no route")

    def from_cache(repository, file):
        return "/cache/file" if (repository, file) in state["cached"] else None

    monkeypatch.setattr(huggingface_hub, "model_info", answer)
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", from_cache)
    return state


@pytest.mark.parametrize("file", HUB_FILES)
def test_weights_in_the_cache_are_found_without_asking(hub, file):
    hub["cached"] = (("timm/vit_base_patch32_clip_224.openai", file),)
    assert find_open_clip(NAME) == "in the cache"
    assert not hub["asked"]


def test_weights_on_a_hub_that_answers_can_be_had(hub):
    assert find_open_clip(NAME) == "on the hub"
    assert hub["asked"] == ["timm/vit_base_patch32_clip_224.openai"]


def test_a_hub_out_of_reach_has_none(hub):
    hub["answers"] = False
    assert find_open_clip(NAME) is None


def test_the_large_model_lies_elsewhere(hub):
    find_open_clip("open_clip:ViT-L-14-quickgelu:openai")
    assert hub["asked"] == ["timm/vit_large_patch14_clip_224.openai"]


def test_an_unknown_model_is_an_error(hub):
    with pytest.raises(EncoderError, match="no model"):
        find_open_clip("open_clip:ViT-nonsense:openai")
