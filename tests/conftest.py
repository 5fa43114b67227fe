"""What several tests share. Nothing here reaches a network."""

import json
import os
import socket

import numpy as np
import pytest

from tests.towers import HALF, TINY, TINY_GROUNDER

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_OFFLINE"] = "1"
if os.environ.get("PYTEST_XDIST_WORKER"):  # processes beside each other have a core each
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """With -n, a process takes whole files, whose tests share what is made once; the long ones lie at the beginning."""
    from xdist.scheduler import LoadFileScheduling

    config.option.loadscopereorder = False
    return LoadFileScheduling(config, log)


@pytest.fixture(scope="session")
def predictor():
    """The shipped checkpoint, with its encoders."""
    from grounding import Predictor

    return Predictor.from_checkpoint("embedded", device="cpu")


@pytest.fixture(scope="session")
def long_scenes(tmp_path_factory):
    """24 seconds each of a cat, a rocket and a cup of coffee: long enough for a rough answer."""
    from tests.clips import write_scenes

    return write_scenes(tmp_path_factory.mktemp("long") / "long.mp4", ("chelsea", "rocket", "coffee"), seconds=24.0)


@pytest.fixture(scope="session")
def scenes(tmp_path_factory):
    """Four seconds each of a cat, a rocket and a cup of coffee, from photographs, and their names in order."""
    from tests.clips import write_scenes

    return write_scenes(tmp_path_factory.mktemp("scenes") / "scenes.mp4", ("chelsea", "rocket", "coffee"))


@pytest.fixture(scope="session")
def address(tmp_path_factory):
    """Where the app is served for the tests. Its visitors' files are not those of another worker's app."""
    import app

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("gradio")))
        page = app.serve(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
        yield page.local_url
        page.close()


@pytest.fixture
def offline(monkeypatch):
    """Every look-up of a host fails as it does on a machine without a network, with the real exceptions on top."""

    def fail(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)


@pytest.fixture(scope="session")
def query_encoder(predictor):
    """That of the shipped checkpoints."""
    return predictor.query_encoder


@pytest.fixture(scope="session")
def embedded(predictor):
    """The embedded frame encoder."""
    return predictor.frame_encoder


@pytest.fixture(scope="session")
def tower():
    """The embedded tower as timm has it, in float32 and with its batch norms."""
    import timm
    import torch

    from grounding.encoders import packaged_weights as weights

    packaged = torch.load(weights._locate(weights.EFFICIENTNET_LITE0), weights_only=True)
    tower = timm.create_model("tf_efficientnet_lite0")
    tower.load_state_dict(dict(zip(tower.state_dict(), packaged.values(), strict=True)))
    return tower.eval()


@pytest.fixture(scope="session")
def frames():
    """Noise of three sizes."""
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (height, width, 3), np.uint8) for height, width in ((224, 224), (90, 161), (301, 33))]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    """A registered random open_clip model; what the loader gives is compared with it."""
    import open_clip
    import torch

    config = tmp_path_factory.mktemp("config") / "tiny-clip.json"
    config.write_text(json.dumps(TINY))
    open_clip.add_model_config(config)
    torch.manual_seed(0)
    return open_clip.create_model("tiny-clip").eval()


@pytest.fixture
def tiny_weights(tiny_model, tmp_path):
    """Its file."""
    from safetensors.torch import save_file

    save_file(tiny_model.state_dict(), tmp_path / "tiny.safetensors")
    return tmp_path / "tiny.safetensors"


@pytest.fixture
def tiny(tiny_weights):
    """Its frame encoder."""
    from grounding.encoders.registry import load_frame_encoder

    return load_frame_encoder("open_clip:tiny-clip:own", device="cpu", weights=tiny_weights)


@pytest.fixture
def in_torch(monkeypatch):
    """As where OpenVINO is missing."""
    monkeypatch.setattr("grounding.encoders.openvino_runtime.load_openvino", lambda: None)


@pytest.fixture
def in_float32(monkeypatch):
    """As on a CPU that does not compute in bfloat16."""
    import torch

    monkeypatch.setattr("grounding.encoders.frames.tower_dtype", lambda device: torch.float32)


@pytest.fixture
def published(tiny_model, monkeypatch, tmp_path):
    """The tiny model as if open_clip published weights for it, and an empty hub cache."""
    import open_clip.pretrained
    from huggingface_hub import constants

    entry = open_clip.pretrained._pcfg(hf_hub="someone/tiny/", **HALF)
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "tiny-clip", {"first": entry})
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return "open_clip:tiny-clip:first"


@pytest.fixture
def tiny_stand_in(tiny_weights, query_encoder):
    """A stand-in that was fitted to the tiny model's text tower."""
    from grounding.encoders.registry import load_query_encoder
    from tests.towers import fit_stand_in

    return fit_stand_in(load_query_encoder("open_clip:tiny-clip:own", "cpu", tiny_weights), query_encoder)


@pytest.fixture
def tiny_checkpoint(tmp_path, tiny_stand_in):
    """A checkpoint in the tiny model's joint space, as training writes it: its folder."""
    import torch
    from safetensors.torch import save_file

    from grounding.checkpoint import GrounderConfig
    from grounding.encoders.stand_in import save_stand_in
    from grounding.model import Grounder

    torch.manual_seed(0)
    folder = tmp_path / "clip-tiny"
    folder.mkdir()
    save_file(Grounder(GrounderConfig(**TINY_GROUNDER)).state_dict(), folder / "model.safetensors")
    encoder = "open_clip:tiny-clip:own"
    values = {"name": "clip-tiny", "frame_encoder": encoder, "query_encoder": encoder, "model": TINY_GROUNDER}
    values["stand_in"] = save_stand_in(tiny_stand_in, folder)
    (folder / "config.json").write_text(json.dumps(values))
    return folder
