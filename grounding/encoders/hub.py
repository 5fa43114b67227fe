"""Weights that open_clip publishes on the hub: found in its cache, asked for, and fetched."""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grounding.errors import EncoderError

HUB_TIMEOUT = 3.0  # seconds for each address of the hub; a firewall that drops packets makes us wait for all of them
PUBLISHED = {  # those of the checkpoints here, so that whether they are at hand is known without importing open_clip
    "open_clip:ViT-B-32-quickgelu:openai": "timm/vit_base_patch32_clip_224.openai",
    "open_clip:ViT-L-14-quickgelu:openai": "timm/vit_large_patch14_clip_224.openai",
}
HUB_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")  # open_clip's names, in its order


def find_open_clip(name: str) -> str | None:
    """How the weights of "open_clip:<model>:<pretrained>" can be had without downloading them now.

    Returns:
        "in the cache", "on the hub", or None where the hub is out of reach or does not have them.

    Raises:
        EncoderError: no such model or tag.
    """
    repository, files = _name_published(name)
    if find_in_cache(repository, files):
        return "in the cache"
    return None if ask_hub(repository) else "on the hub"


def find_cached_open_clip(name: str) -> str | None:
    """Path of the weights of "open_clip:<model>:<pretrained>" in the hub's cache, None where they are not there yet.

    Raises:
        EncoderError: no such model or tag.
    """
    return find_in_cache(*_name_published(name))


def _name_published(name: str) -> tuple[str, tuple[str, ...]]:
    """Repository and files on the hub; of the checkpoints here without importing open_clip, which takes seconds."""
    if name in PUBLISHED:
        return PUBLISHED[name], HUB_FILES
    return name_hub_files(resolve_name(name, may_be_own=False)[1])


def resolve_name(name: str, may_be_own: bool) -> tuple[str, dict[str, Any]]:
    """Model name, and what open_clip knows of the tag: pixel statistics, activation, repository on the hub."""
    import open_clip

    _, model, tag = _split_name(name)
    if model not in open_clip.list_models():
        near = ", ".join(difflib.get_close_matches(model, open_clip.list_models())) or "none"
        raise EncoderError(f"open_clip has no model {model!r}. Similar names: {near}; all: open_clip.list_models().")
    tags = open_clip.list_pretrained_tags_by_model(model)
    pretrained = open_clip.get_pretrained_cfg(model, tag)
    # A model of one's own has no published weights, and then its tag is only a name.
    if not pretrained and (tags or not may_be_own):
        raise EncoderError(f"{model} has no weights called {tag!r}. There are: {', '.join(tags) or 'none'}.")
    return model, pretrained


def _split_name(name: str) -> list[str]:
    parts = name.split(":")
    if len(parts) != 3 or not all(parts):
        raise EncoderError(
            f"{name!r} is not 'open_clip:<model>:<pretrained>', such as 'open_clip:ViT-B-32-quickgelu:openai'."
        )
    return parts


def name_hub_files(pretrained: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """The repository on the hub, and the names that its file may have, from open_clip's entry for a model and tag."""
    repository, file = os.path.split(pretrained["hf_hub"])
    return repository, (file,) if file else HUB_FILES


def find_in_cache(repository: str, files: tuple[str, ...]) -> str | None:
    """Path of the first of these files that is in the hub's cache, None where none is there yet."""
    import huggingface_hub

    paths = (huggingface_hub.try_to_load_from_cache(repository, file) for file in files)
    return next((path for path in paths if isinstance(path, str)), None)


def is_cache_empty() -> bool:
    """Whether nothing at all is in the hub's cache, which is known without asking open_clip, whose import takes
    seconds."""
    from huggingface_hub import constants

    return not any(Path(constants.HF_HUB_CACHE).glob("models--*"))


def ask_hub(repository: str) -> Exception | None:
    """Why the hub does not answer for a repository, None if it does. HF_HUB_OFFLINE counts as no answer."""
    import huggingface_hub

    try:
        huggingface_hub.model_info(repository, timeout=HUB_TIMEOUT)
    except Exception as error:  # which classes these are depends on the hub client's version and its HTTP library
        return error
    return None


def fetch_weights(name: str, pretrained: Mapping[str, Any]) -> str:
    """Path of the weights that open_clip publishes on the hub: from the local cache, else downloaded.

    One plain request asks first whether there is a way at all: without a network the hub's own client retries for 24 s
    before it gives up. A download that falls silent ends by the client's own time-outs, see HF_HUB_DOWNLOAD_TIMEOUT and
    HF_HUB_ETAG_TIMEOUT in its documentation: within minutes, since it tries again.

    Args:
        name: the encoder's name, for messages.
        pretrained: open_clip's entry for the model and tag.

    Raises:
        EncoderError: the hub is out of reach, or does not give the file.
    """
    from open_clip.pretrained import download_pretrained

    repository, files = name_hub_files(pretrained)
    if path := find_in_cache(repository, files):
        return path
    try:
        if (reason := ask_hub(repository)) is not None:
            raise reason
        return download_pretrained(dict(pretrained))
    except Exception as error:
        raise EncoderError(
            f"The weights of {name} could not be fetched from the hub ({shorten_error(error)}). Use the checkpoint "
            f"'embedded', which needs no download, or give a local file, {files[0]} of {repository}: weights=PATH in "
            "Python, --weights PATH on the command line."
        ) from error


def shorten_error(error: Exception) -> str:
    """What an error says, short enough for a sentence of ours."""
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:100]}"
