"""What towers compute on: the device, the arithmetic, and how much goes through at once."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from grounding.errors import EncoderError

CHUNK = 32  # frames or queries that go through a tower at once, which bounds memory
CPU_CHUNK = 8  # frames on a CPU, which more at once do not make faster


def resolve_device(device: str = "auto") -> torch.device:
    """The GPU for "auto", where there is one. Raises EncoderError for a device that is not there."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError, TypeError) as error:  # a torch without CUDA answers with an AssertionError
        raise EncoderError(f"The device {device!r} is not available here. Use 'auto' or 'cpu'.") from error
    return found


def tower_dtype(device: torch.device) -> torch.dtype:
    """Half precision on a GPU, bfloat16 on a CPU that computes in it (a third of the time), else float32."""
    if device.type == "cuda":
        return torch.float16
    native = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)()
    return torch.bfloat16 if device.type == "cpu" and native else torch.float32


def chunk_size(device: torch.device) -> int:
    """Frames that go through a tower at once."""
    return CPU_CHUNK if device.type == "cpu" else CHUNK


@contextmanager
def inference(device: torch.device) -> Iterator[None]:
    """Half precision on the GPU only: on a CPU it is slower."""
    with torch.inference_mode(), torch.autocast(device.type, torch.float16, enabled=device.type == "cuda"):
        yield
