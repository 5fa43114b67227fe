"""Image towers of open_clip: which there are, and how they are built from a file of the hub or a local one."""

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import nn

from grounding.encoders.hub import cached, fetch, first_line, published, unreachable
from grounding.errors import EncoderError


def load_open_clip(name: str, weights: str | Path | None = None) -> tuple[nn.Module, Callable, int]:
    """Image tower of an open_clip model in evaluation mode, its evaluation transform, and its width.

    Args:
        name: "open_clip:<model>:<pretrained>".
        weights: a local file; without it the hub's.

    Raises:
        EncoderError: no such model, tag or file, the file does not fit the model, or the hub is out of reach.
    """
    import open_clip

    model_name, pretrained = _resolve(name, may_be_own=weights is not None)
    if weights is None:
        file = fetch(name, pretrained)
    elif Path(weights).is_file():
        file = str(weights)
    else:
        raise EncoderError(f"There is no weights file {str(weights)!r}. Check the path given as weights.")
    model, transform = _build(model_name, file, pretrained)
    return _image_tower_only(model).eval(), transform, open_clip.get_model_config(model_name)["embed_dim"]


def _resolve(name: str, may_be_own: bool) -> tuple[str, dict[str, Any]]:
    """Model name, and what open_clip knows of the tag: pixel statistics, activation, repository on the hub."""
    import open_clip

    _, model, tag = _parse(name)
    if model not in open_clip.list_models():
        near = ", ".join(difflib.get_close_matches(model, open_clip.list_models())) or "none"
        raise EncoderError(f"open_clip has no model {model!r}. Similar names: {near}; all: open_clip.list_models().")
    published = open_clip.list_pretrained_tags_by_model(model)
    pretrained = open_clip.get_pretrained_cfg(model, tag)
    # A model of one's own has no published weights, and then its tag is only a name.
    if not pretrained and (published or not may_be_own):
        raise EncoderError(f"{model} has no weights called {tag!r}. There are: {', '.join(published) or 'none'}.")
    return model, pretrained


def _parse(name: str) -> list[str]:
    parts = name.split(":")
    if len(parts) != 3 or not all(parts):
        raise EncoderError(
            f"{name!r} is not 'open_clip:<model>:<pretrained>', such as 'open_clip:ViT-B-32-quickgelu:openai'."
        )
    return parts


def _build(model_name: str, file: str, pretrained: Mapping[str, Any]) -> tuple[nn.Module, Callable]:
    """Model and evaluation transform. What a tag says about activation and pixels holds for a local file too."""
    import open_clip

    pixels = {f"image_{key}": pretrained.get(key) for key in ("mean", "std", "interpolation", "resize_mode")}
    try:
        model, _, transform = open_clip.create_model_and_transforms(
            model_name, pretrained=file, force_quick_gelu=pretrained.get("quick_gelu", False), **pixels
        )
    except Exception as error:  # a file that is no weights file fails in as many ways as there are formats
        raise EncoderError(
            f"{file} does not hold weights of the open_clip model {model_name} ({first_line(error)}). Give a "
            ".safetensors file or a PyTorch state dict of the whole model, such as "
            f"{pretrained.get('hf_hub', '')}open_clip_model.safetensors on the hub."
        ) from error
    return model, transform


def _image_tower_only(model: nn.Module) -> nn.Module:
    """Drops the text tower, which is up to a half of the memory: queries are MiniLM tokens here."""
    for part, _ in list(model.named_children()):
        if part != "visual":
            delattr(model, part)
    return model


def find_open_clip(name: str) -> str | None:
    """How the weights of "open_clip:<model>:<pretrained>" can be had without downloading them now.

    Returns:
        "in the cache", "on the hub", or None where the hub is out of reach or does not have them.

    Raises:
        EncoderError: no such model or tag.
    """
    repository, files = published(_resolve(name, may_be_own=False)[1])
    if cached(repository, files):
        return "in the cache"
    return None if unreachable(repository) else "on the hub"


def cached_open_clip(name: str) -> str | None:
    """Path of the weights of "open_clip:<model>:<pretrained>" in the hub's cache, None where they are not there yet.

    Raises:
        EncoderError: no such model or tag.
    """
    return cached(*published(_resolve(name, may_be_own=False)[1]))
