"""ZeroGPU, played by a module that records what it is asked."""

import sys
from types import ModuleType

import numpy as np
import pytest
import torch

from grounding.app.zero_gpu import LentEncoder, estimate_seconds, import_spaces, lend_encoders
from grounding.errors import EncoderError
from tests.clips import RED, plain


class Colour:
    """A frame encoder whose feature is the mean colour."""

    name, width, batch = "colour", 3, 8

    def encode(self, frames):
        return torch.tensor(np.array([frame.mean(axis=(0, 1)) for frame in frames]), dtype=torch.float32)


class Lending(ModuleType):
    """Like the package: a decorator that takes a duration, which may depend on the arguments."""

    def __init__(self):
        super().__init__("spaces")
        self.durations, self.crossed = [], []

    def GPU(self, duration):  # noqa: N802
        def decorate(task):
            def lent(*arguments):
                self.durations.append(duration(*arguments))
                result = task(*arguments)
                self.crossed.append(type(result))
                return result

            return lent

        return decorate


class Reading:
    """A predictor of which only the encoder matters."""

    def __init__(self, frame_encoder):
        self.config = type("Config", (), {"frame_encoder": frame_encoder})
        self.frame_encoder = "its own"


@pytest.fixture
def package(monkeypatch):
    module = Lending()
    monkeypatch.setitem(sys.modules, "spaces", module)
    return module


def test_elsewhere_the_package_has_no_effect(package, monkeypatch):
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    assert import_spaces() is None


def test_on_zero_gpu_it_is_used(package, monkeypatch):
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    assert import_spaces() is package


def test_a_lent_encoder_encodes_as_the_encoder_does(package):
    lent = LentEncoder(Colour(), package)
    features = lent.encode([plain(RED)])
    assert (lent.name, lent.width) == ("colour", 3)
    assert torch.equal(features, torch.tensor([RED], dtype=torch.float32))


def test_arrays_cross_between_processes_and_the_time_grows_with_the_frames(package):
    lent = LentEncoder(Colour(), package)
    lent.encode([plain(RED)])
    lent.encode([plain(RED)] * 100)
    assert package.crossed == [np.ndarray] * 2
    assert package.durations == [estimate_seconds([1]), estimate_seconds([1] * 100)]
    assert package.durations[0] < package.durations[1]


def test_predictors_of_the_same_features_share_an_encoder_on_the_gpu(package, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "grounding.encoders.registry.load_frame_encoder", lambda *arguments: asked.append(arguments) or Colour()
    )
    predictors = [Reading("colour"), Reading("colour")]
    lend_encoders(predictors, package)
    assert asked == [("colour", "cuda")]
    assert predictors[0].frame_encoder is predictors[1].frame_encoder
    assert isinstance(predictors[0].frame_encoder, LentEncoder)


def test_weights_that_cannot_be_had_do_not_stop_the_others(package, monkeypatch):
    def load(name, device):
        if name == "far":
            raise EncoderError("out of reach")
        return Colour()

    monkeypatch.setattr("grounding.encoders.registry.load_frame_encoder", load)
    far, near = Reading("far"), Reading("colour")
    lend_encoders([far, near], package)
    assert far.frame_encoder == "its own"
    assert isinstance(near.frame_encoder, LentEncoder)
