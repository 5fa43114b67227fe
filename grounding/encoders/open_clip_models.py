"""The models of open_clip: which there are, and both towers of one, built from a file of the hub or a local one."""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock, RLock
from typing import Any
from weakref import WeakValueDictionary

import torch
from torch import nn

from grounding.encoders.hub import fetch_weights, resolve_name, shorten_error
from grounding.encoders.torchscript import is_torchscript, read_torchscript
from grounding.errors import EncoderError


class OpenClipModel:
    """A model in evaluation mode, on a device, in half precision on a GPU. It loads at its first use.

    Whoever has frames will ask about them: then both towers are loaded, once. Where queries alone are read, the image
    tower is not kept.

    Args:
        name: "open_clip:<model>:<pretrained>".
        device: where it computes.
        weights: a local file; without it the hub's.

    Attributes:
        width: of the joint space.
        lock: held while towers are loaded or dropped, and by whoever needs both to stay meanwhile.

    Raises:
        EncoderError: no such model, tag or file.
    """

    def __init__(self, name: str, device: torch.device, weights: str | Path | None = None) -> None:
        import open_clip

        self.name, self.device, self._weights = name, device, weights
        self.model_name, self._pretrained = resolve_name(name, may_be_own=weights is not None)
        if weights is not None and not Path(weights).is_file():
            raise EncoderError(f"There is no weights file {str(weights)!r}. Check the path given as weights.")
        self.width: int = open_clip.get_model_config(self.model_name)["embed_dim"]
        self.lock = RLock()
        self._model: nn.Module | None = None
        self._transform: Callable | None = None

    def load_both_towers(self) -> tuple[nn.Module, Callable]:
        """The model, and the evaluation transform of its images. Raises EncoderError: the file does not fit the model,
        or the hub is out of reach."""
        with self.lock:
            if self._model is None or not hasattr(self._model, "visual"):
                self._model, self._transform = self._build()
                self._move(self._model)
            return self._model, self._transform

    def load_text_tower(self) -> nn.Module:
        """The model, with or without its image tower. Raises EncoderError as `load_both_towers` does."""
        with self.lock:
            if self._model is None:
                self._model, _ = self._build()
                del self._model.visual
                self._move(self._model)
            return self._model

    def drop_image_tower(self) -> None:
        """Frees its memory, where frames go through a compiled copy."""
        with self.lock:
            if hasattr(self._model, "visual"):
                del self._model.visual

    def _move(self, model: nn.Module) -> None:
        model.to(self.device, torch.float16 if self.device.type == "cuda" else torch.float32).eval()

    def _build(self) -> tuple[nn.Module, Callable]:
        if self._weights is None:
            return _build_model(self.model_name, fetch_weights(self.name, self._pretrained), self._pretrained)
        return _build_model(self.model_name, str(self._weights), self._pretrained)


def share_open_clip_model(name: str, device: torch.device, weights: str | Path | None = None) -> OpenClipModel:
    """The model of these weights on this device: the same one for all encoders, as long as one of them has it.

    Raises EncoderError, see OpenClipModel.
    """
    lock, models = _shared_models()
    file = Path(weights).resolve() if weights is not None else None
    key = (name, str(device), file, file.stat().st_mtime_ns if file and file.is_file() else 0)
    with lock:
        model = models.get(key)
        if model is None:
            model = models[key] = OpenClipModel(name, device, weights)
        return model


@cache
def _shared_models() -> tuple[Lock, WeakValueDictionary]:
    return Lock(), WeakValueDictionary()


def _build_model(model_name: str, file: str, pretrained: Mapping[str, Any]) -> tuple[nn.Module, Callable]:
    """Model and evaluation transform. Raises EncoderError for a file that does not fit."""
    try:
        if not is_torchscript(file):
            return _load_file(model_name, file, pretrained)
        with TemporaryDirectory() as folder:  # open_clip reads files alone
            plain = Path(folder) / "weights.pt"
            # Beside the weights, OpenAI's archives hold sizes and masks that open_clip makes itself.
            own = _name_tensors(model_name)
            torch.save({key: value for key, value in read_torchscript(file).items() if key in own}, plain)
            return _load_file(model_name, str(plain), pretrained)
    except Exception as error:  # a file that is no weights file fails in as many ways as there are formats
        raise EncoderError(
            f"{file} does not hold weights of the open_clip model {model_name} ({shorten_error(error)}). Give a "
            ".safetensors file, a PyTorch state dict of the whole model, or OpenAI's own .pt file, such as "
            f"{pretrained.get('hf_hub', '')}open_clip_model.safetensors on the hub."
        ) from error


def _load_file(model_name: str, file: str, pretrained: Mapping[str, Any]) -> tuple[nn.Module, Callable]:
    """What a tag says about activation and pixels holds for a local file too."""
    import open_clip

    pixels = {f"image_{key}": pretrained.get(key) for key in ("mean", "std", "interpolation", "resize_mode")}
    model, _, transform = open_clip.create_model_and_transforms(
        model_name, pretrained=file, force_quick_gelu=pretrained.get("quick_gelu", False), **pixels
    )
    return model, transform


def _name_tensors(model_name: str) -> set[str]:
    """Names of the tensors of a model, made without their memory."""
    import open_clip

    with torch.device("meta"):
        return set(open_clip.CLIP(**open_clip.get_model_config(model_name)).state_dict())
