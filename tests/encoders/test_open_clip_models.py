"""Where CLIP's weights are, asked of a hub that is played, and how files of weights are read."""

import gc
import os
import warnings
import weakref
import zipfile

import huggingface_hub
import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from grounding.encoders.hub import HUB_FILES, find_open_clip
from grounding.encoders.registry import load_frame_encoder, load_query_encoder
from grounding.errors import EncoderError

NAME = "open_clip:ViT-B-32-quickgelu:openai"
OWN = "open_clip:tiny-clip:own"


@pytest.fixture
def hub(monkeypatch):
    """A hub of which the test says what it has: files in the cache, and whether it answers."""
    state = {"cached": (), "answers": True, "asked": []}

    def answer(repository, timeout):
        state["asked"].append(repository)
        assert timeout <= 5
        if not state["answers"]:
            raise ConnectionError("no route")

    def from_cache(repository, file):
        return "/cache/file" if (repository, file) in state["cached"] else None

    monkeypatch.setattr(huggingface_hub, "model_info", answer)
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", from_cache)
    return state


@pytest.mark.parametrize("file", HUB_FILES)
def test_weights_in_the_cache_are_found_without_asking(hub, file):
    hub["cached"] = (("timm/vit_base_patch32_clip_224.openai", file),)
    assert find_open_clip(NAME) == "in the cache"
    assert not hub["asked"]


def test_weights_on_a_hub_that_answers_can_be_had(hub):
    assert find_open_clip(NAME) == "on the hub"
    assert hub["asked"] == ["timm/vit_base_patch32_clip_224.openai"]


def test_a_hub_out_of_reach_has_none(hub):
    hub["answers"] = False
    assert find_open_clip(NAME) is None


def test_the_large_model_lies_elsewhere(hub):
    find_open_clip("open_clip:ViT-L-14-quickgelu:openai")
    assert hub["asked"] == ["timm/vit_large_patch14_clip_224.openai"]


def test_an_unknown_model_is_an_error(hub):
    with pytest.raises(EncoderError, match="no model"):
        find_open_clip("open_clip:ViT-nonsense:openai")


def test_frames_and_queries_share_one_model_of_both_towers(in_torch, tiny_weights):
    frames = load_frame_encoder(OWN, "cpu", tiny_weights)
    queries = load_query_encoder(OWN, "cpu", tiny_weights)
    assert frames._shared is queries._shared
    assert frames.model is queries._shared.load_text_tower()


def test_an_image_tower_that_was_compiled_is_not_kept_twice(tiny):
    pytest.importorskip("openvino")
    assert tiny.compiled and not hasattr(tiny._shared.load_text_tower(), "visual")


def test_queries_alone_keep_no_image_tower_and_frames_bring_it_along(in_torch, tiny_weights, tiny, frames):
    queries = load_query_encoder(OWN, "cpu", tiny_weights.rename(tiny_weights.with_stem("moved")))
    assert not hasattr(queries._shared.load_text_tower(), "visual")
    before = queries.encode(["a dog"]).tokens
    encoder = load_frame_encoder(OWN, "cpu", tiny_weights.with_stem("moved"))
    torch.testing.assert_close(encoder.encode(frames), tiny.encode(frames))
    assert encoder.model is queries._shared.load_text_tower()
    assert torch.equal(queries.encode(["a dog"]).tokens, before)


def test_a_model_goes_with_the_last_encoder_that_has_it(tiny_weights):
    encoder = load_query_encoder(OWN, "cpu", tiny_weights)
    model = weakref.ref(encoder._shared)
    del encoder
    gc.collect()
    assert model() is None


def test_weights_that_were_replaced_are_read_anew(tiny, tiny_model, tiny_weights, frames):
    save_file({name: value + 0.1 for name, value in tiny_model.state_dict().items()}, tiny_weights)
    os.utime(tiny_weights, (1, 1))
    other = load_frame_encoder(OWN, "cpu", tiny_weights)
    assert (other.encode(frames) - tiny.encode(frames)).abs().max() > 1e-3


def save_torchscript(model, path, extra=()):
    """As OpenAI's file: the state dict in half precision in a scripted module, with what open_clip does not have."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        root = torch.nn.Module()
        for name, value in [*model.state_dict().items(), ("visual.attn_mask", torch.ones(2)), *extra]:
            *parts, last = name.split(".")
            inner = root
            for part in parts:
                if not hasattr(inner, part):
                    inner.add_module(part, torch.nn.Module())
                inner = getattr(inner, part)
            inner.register_buffer(last, value.half())
        root.input_resolution = 32
        torch.jit.save(torch.jit.script(root), path)
    return path


def test_openai_s_torchscript_file_is_read_without_its_code(tiny, tiny_model, frames, tmp_path, monkeypatch):
    path = save_torchscript(tiny_model, tmp_path / "tiny.pt")
    monkeypatch.setattr(torch.jit, "load", None)
    read = load_frame_encoder(OWN, "cpu", path)
    torch.testing.assert_close(read.encode(frames), tiny.encode(frames), atol=1e-2, rtol=0)
    text = load_query_encoder(OWN, "cpu", path).encode(["a dog"]).tokens[0, 0]
    with torch.no_grad():
        expected = tiny_model.encode_text(open_clip.get_tokenizer("tiny-clip")(["a dog"]), normalize=True)[0]
    torch.testing.assert_close(text, expected, atol=1e-2, rtol=0)


def test_a_torchscript_file_of_another_model_is_refused(tiny_model, tmp_path):
    other = torch.nn.Linear(3, 3)
    with pytest.raises(EncoderError, match="does not hold weights of the open_clip model tiny-clip") as error:
        load_frame_encoder(OWN, "cpu", save_torchscript(other, tmp_path / "other.pt"))
    assert "\n" not in str(error.value) and str(tmp_path / "other.pt") in str(error.value)


def test_a_torchscript_file_with_more_than_tensors_is_refused(tiny_model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"visual": Boom()}, tmp_path / "saved.pt")
    with zipfile.ZipFile(tmp_path / "saved.pt") as saved, zipfile.ZipFile(tmp_path / "code.pt", "w") as archive:
        archive.writestr("code/constants.pkl", b"\x80\x02).")  # an empty tuple
        archive.writestr("code/version", "3")
        archive.writestr("code/data.pkl", saved.read("saved/data.pkl"))
    with pytest.raises(EncoderError, match="mkdir, which is neither a module nor a tensor"):
        load_frame_encoder(OWN, "cpu", tmp_path / "code.pt")
    assert not (tmp_path / "boom").exists()


def test_a_pytorch_state_dict_is_read_too(tiny, tiny_model, frames, tmp_path):
    torch.save(tiny_model.state_dict(), tmp_path / "tiny.pt")
    from_pt = load_frame_encoder("open_clip:tiny-clip:own", device="cpu", weights=str(tmp_path / "tiny.pt"))
    torch.testing.assert_close(from_pt.encode(frames), tiny.encode(frames))


def test_a_local_file_gets_the_pixel_statistics_of_its_tag(in_float32, published, tiny_model, tiny_weights, frames):
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
