import subprocess
import sys

import pytest

from grounding.encoders.registry import load_frame_encoder, load_query_encoder
from grounding.errors import EncoderError


def test_embedded_takes_no_weights_file(tiny_weights):
    with pytest.raises(EncoderError, match="takes no weights file"):
        load_frame_encoder("embedded", weights=tiny_weights)


def test_an_unknown_query_encoder_is_refused():
    with pytest.raises(EncoderError, match="'minilm'"):
        load_query_encoder("bert")


def test_the_embedded_encoders_import_no_large_library():
    code = "import sys, grounding.encoders.registry as e; e.load_frame_encoder('embedded', 'cpu'); "
    code += "e.load_query_encoder(device='cpu').encode(['a dog']); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "grounding.encoders.minilm" in loaded
    assert not {"timm", "open_clip", "transformers", "torchvision", "torch._dynamo"} & set(loaded)


def test_importing_the_package_is_light():
    code = "import sys, grounding; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"timm", "open_clip", "transformers", "huggingface_hub", "torchvision"} & set(loaded)
