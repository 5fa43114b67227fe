"""The embedded encoder with its real weights, a tiny random model for open_clip."""

import numpy as np
import open_clip
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from skimage import data

from grounding.encoders import devices, openvino_runtime
from grounding.encoders import frames as frame_encoders
from grounding.encoders.registry import load_frame_encoder


@pytest.mark.parametrize("name", ["embedded", "tiny"])
class TestEveryFrameEncoder:
    @pytest.fixture
    def encoder(self, name, request):
        return request.getfixturevalue(name)

    def test_features_are_float32_rows_of_the_stated_width(self, encoder, frames):
        features = encoder.encode(frames)
        assert features.shape == (3, encoder.width)
        assert features.dtype == torch.float32
        assert features.device.type == "cpu"

    def test_no_frames_give_no_rows(self, encoder):
        assert encoder.encode([]).shape == (0, encoder.width)

    def test_a_frame_does_not_depend_on_its_batch(self, encoder, frames, monkeypatch):
        alone = torch.cat([encoder.encode([frame]) for frame in frames])
        torch.testing.assert_close(encoder.encode(frames), alone, atol=1e-5, rtol=0)
        monkeypatch.setattr(devices, "CPU_CHUNK", 2)
        torch.testing.assert_close(encoder.encode(frames[::-1]), alone.flip(0), atol=1e-5, rtol=0)

    def test_different_frames_have_different_features(self, encoder, frames):
        first, second, _ = encoder.encode(frames)
        assert (first - second).abs().max() > 1e-3

    def test_features_can_be_trained_on(self, encoder, frames):
        projection = torch.nn.Linear(encoder.width, 2)
        projection(encoder.encode(frames[:1])).sum().backward()
        assert projection.weight.grad.abs().sum() > 0

    @pytest.mark.parametrize(
        "bad",
        [
            np.zeros((8, 8), np.uint8),
            np.zeros((8, 8, 4), np.uint8),
            np.zeros((3, 8, 8), np.uint8),
            np.zeros((8, 8, 3), np.float32),
            np.zeros((0, 8, 3), np.uint8),
        ],
    )
    def test_a_frame_that_is_not_rgb_bytes_is_named(self, encoder, frames, bad):
        with pytest.raises(ValueError, match=r"Frame 1 .*\(H, W, 3\)"):
            encoder.encode([frames[0], bad])


def test_frames_pass_through_the_tower_in_bounded_chunks(in_torch, tiny, frames):
    sizes = []
    tiny.model.visual.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    assert tiny.encode(frames[:1] * 20).shape == (20, 16)
    assert sizes == [8, 8, 4]
    assert devices.chunk_size(torch.device("cuda")) == 32


def test_both_halves_of_an_embedded_feature_have_unit_length(embedded, frames):
    features = embedded.encode(frames)
    assert embedded.width == 1664
    torch.testing.assert_close(features[:, :1280].norm(dim=1), torch.ones(3))
    torch.testing.assert_close(features[:, 1280:].norm(dim=1), torch.ones(3))


@pytest.fixture(params=[torch.float32, torch.bfloat16], ids=str)
def far(request, monkeypatch):
    """As on a machine whose CPU computes in a type: how far from float32 it may be."""
    monkeypatch.setattr(frame_encoders, "tower_dtype", lambda device: request.param)
    return {torch.float32: 1e-5, torch.bfloat16: 1e-2}[request.param]


@pytest.fixture(params=["openvino", "torch"])
def runtime(request, monkeypatch):
    """What computes."""
    if request.param == "torch":
        monkeypatch.setattr(openvino_runtime, "load_openvino", lambda: None)
    return request.param


def test_pooled_features_are_those_of_the_tower_with_mean_and_std_a_half(runtime, far, tower, frames):
    encoder = load_frame_encoder("embedded", "cpu")
    assert bool(encoder.compiled) == (runtime == "openvino") == (not encoder.note)
    image = (torch.from_numpy(frames[0]).permute(2, 0, 1).float() / 255 - 0.5) / 0.5
    with torch.no_grad():
        pooled = tower.forward_head(tower.forward_features(image[None]), pre_logits=True)
    assert F.cosine_similarity(encoder.encode(frames[:1])[:, :1280], pooled) > 1 - far


def test_conse_weights_classes_by_a_softmax_at_temperature_two(runtime, far, tower, monkeypatch):
    monkeypatch.setattr(frame_encoders, "load_class_embeddings", lambda device: torch.eye(1000))
    monkeypatch.setattr(frame_encoders.EmbeddedFrameEncoder, "width", 1280 + 1000)
    encoder = load_frame_encoder("embedded", "cpu")
    cat = encoder.encode([data.chelsea()])[0]
    with torch.no_grad():
        image = torch.from_numpy(frame_encoders.prepare(data.chelsea())).permute(2, 0, 1)[None] / 127.5 - 1
        expected = (tower(image) / 2).softmax(dim=1)[0]
    assert F.cosine_similarity(cat[1280:], expected, dim=0) > 1 - far
    assert open_clip.IMAGENET_CLASSNAMES[int(cat[1280:].argmax())] == "Egyptian Mau"


@pytest.mark.parametrize(
    "picture, right, wrong",
    [("chelsea", "a cat", "a car"), ("coffee", "a cup of coffee", "a cat"), ("rocket", "a rocket", "a cup of coffee")],
)
def test_conse_puts_a_picture_near_what_it_shows(embedded, query_encoder, picture, right, wrong):
    conse = embedded.encode([getattr(data, picture)()])[0, 1280:]
    near, far = query_encoder.encode([right, wrong]).pool_sentences() @ conse
    assert near > far + 0.05


def test_the_whole_frame_is_seen_up_to_its_edges():
    frame = np.zeros((300, 900, 3), np.uint8)
    frame[:, :100], frame[:, -100:] = 255, 255
    prepared = frame_encoders.prepare(frame)
    assert prepared.shape == (224, 224, 3)
    assert prepared[:, :20].min() == 255 and prepared[:, -20:].min() == 255 and prepared[:, 100:120].max() == 0


def test_shrinking_averages_instead_of_skipping_pixels():
    stripes = np.zeros((1120, 1120, 3), np.uint8)
    stripes[:, ::5] = 255
    assert abs(float(frame_encoders.prepare(stripes).mean()) - 51) < 2


def test_open_clip_features_are_encode_image_of_its_own_transform(runtime, in_float32, tiny, tiny_model, frames):
    assert bool(tiny.compiled) == (runtime == "openvino") == (not tiny.note)
    transform = open_clip.image_transform(32, is_train=False)
    with torch.no_grad():
        images = torch.stack([transform(Image.fromarray(frame)) for frame in frames])
        expected = tiny_model.encode_image(images, normalize=True)
    torch.testing.assert_close(tiny.encode(frames), expected, atol=1e-5, rtol=0)
    assert tiny.name == "open_clip:tiny-clip:own" and tiny.width == 16


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", ["embedded", "open_clip:tiny-clip:own"])
def test_the_gpu_gives_the_features_of_the_cpu(name, frames, tiny_weights):
    file = None if name == "embedded" else tiny_weights
    on_cpu, on_gpu = (load_frame_encoder(name, device, file).encode(frames) for device in ("cpu", "cuda"))
    assert on_gpu.dtype == torch.float32 and on_gpu.device.type == "cpu"
    assert F.cosine_similarity(on_cpu, on_gpu).min() > 0.999
