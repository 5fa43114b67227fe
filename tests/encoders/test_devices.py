import pytest
import torch

from grounding.encoders.devices import resolve_device, tower_dtype
from grounding.errors import EncoderError


def test_auto_is_the_gpu_where_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto").type == "cuda"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto").type == "cpu"
    assert resolve_device("cpu").type == "cpu"


@pytest.mark.parametrize("device", ["cuda:99", "toaster", None])
def test_a_device_that_is_not_there_is_named(device):
    with pytest.raises(EncoderError, match=f"{device}.*'auto' or 'cpu'"):
        resolve_device(device)


@pytest.mark.parametrize(("native", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_a_cpu_uses_bfloat16_only_where_it_computes_in_it(monkeypatch, native, expected):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: native, raising=False)
    assert tower_dtype(torch.device("cpu")) == expected


def test_a_torch_that_cannot_tell_uses_float32(monkeypatch):
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported", raising=False)
    assert tower_dtype(torch.device("cpu")) == torch.float32
