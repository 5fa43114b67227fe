"""Sentence embeddings of the ImageNet class names, of which ConSE takes means. To make their file anew:

python -c "from grounding.encoders.classes import write_class_embeddings; write_class_embeddings()"
"""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

FILE = Path(__file__).parent / "class_embeddings.safetensors"
NAME = "embeddings"


def load_class_embeddings(device: torch.device) -> Tensor:
    """(1000, 384) float32, from the file: to compute them takes longer than to load both towers."""
    return load_file(FILE)[NAME].float().to(device)  # (1000, 384)


def compute_class_embeddings() -> Tensor:
    """(1000, 384) float32, L2-normalised, of "a <class name>" by all-MiniLM-L6-v2. Raises EncoderError."""
    from open_clip import IMAGENET_CLASSNAMES

    from grounding.encoders.queries import MiniLMQueryEncoder

    return (
        MiniLMQueryEncoder(torch.device("cpu")).encode([f"a {name}" for name in IMAGENET_CLASSNAMES]).pool_sentences()
    )


def write_class_embeddings() -> None:
    """Makes the file anew. Raises EncoderError."""
    save_file({NAME: compute_class_embeddings().half()}, FILE)
