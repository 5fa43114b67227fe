import open_clip
import pytest
import torch
import torch.nn.functional as F
from huggingface_hub import constants
from safetensors.torch import save_file

from grounding.encoders.registry import load_query_encoder
from grounding.encoders.stand_in import (
    KNOWN_QUERIES,
    STAND_IN_FILE,
    StandIn,
    StandInQueryEncoder,
    check_agreement,
    load_stand_in,
    measure_agreement,
    save_stand_in,
)
from grounding.errors import CheckpointError, EncoderError

OWN = "open_clip:tiny-clip:own"
QUERIES = ["a dog catches a frisbee", "snow"]


@pytest.fixture
def stand_in():
    torch.manual_seed(0)
    return StandIn(torch.randn(16, 384), torch.randn(384) / 20, torch.randn(16))


def test_a_query_is_one_token_of_unit_length_from_its_sentence_embedding(stand_in, query_encoder):
    encoder = StandInQueryEncoder(stand_in, torch.device("cpu"))
    encoded = encoder.encode(QUERIES)
    assert (encoder.name, encoder.width) == ("stand-in", 16)
    assert encoded.tokens.shape == (2, 1, 16) and encoded.mask.tolist() == [[True], [True]]
    sentences = query_encoder.encode(QUERIES).pool_sentences()
    expected = F.normalize((sentences - stand_in.query_mean) @ stand_in.weight.T + stand_in.text_mean, dim=1)
    torch.testing.assert_close(encoded.tokens[:, 0], expected, atol=1e-5, rtol=0)


def test_no_queries_give_no_rows(stand_in):
    encoded = StandInQueryEncoder(stand_in, torch.device("cpu")).encode([])
    assert encoded.tokens.shape == (0, 1, 16) and encoded.mask.shape == (0, 1)


def test_what_is_saved_is_loaded(stand_in, tmp_path):
    loaded = load_stand_in(tmp_path, 16, save_stand_in(stand_in, tmp_path))
    assert all(torch.equal(getattr(loaded, name), getattr(stand_in, name)) for name in vars(stand_in))


@pytest.mark.parametrize("damage", ["missing", "cut", "other", "width"])
def test_a_file_that_does_not_fit_is_named(stand_in, tmp_path, damage):
    sha256, path, width = save_stand_in(stand_in, tmp_path), tmp_path / STAND_IN_FILE, 16
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    elif damage == "other":
        save_stand_in(StandIn(stand_in.weight + 1, stand_in.query_mean, stand_in.text_mean), tmp_path)
    else:
        width = 8
    with pytest.raises(CheckpointError, match="fetch the checkpoint again") as caught:
        load_stand_in(tmp_path, width, sha256)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("wrong", [torch.zeros(16, 383), torch.zeros(384), torch.full((16, 384), float("nan"))])
def test_shapes_and_values_are_checked(stand_in, wrong):
    with pytest.raises(ValueError, match="weight|NaN"):
        StandIn(wrong, stand_in.query_mean, stand_in.text_mean)


def test_a_query_that_minilm_cuts_is_cut(stand_in):
    encoder = StandInQueryEncoder(stand_in, torch.device("cpu"))
    assert encoder.encode(["a dog", "dog " * 300]).cut == {1}


def test_agreement_counts_what_tells_queries_apart_and_not_what_they_share():
    rows = torch.randn(12, 16, generator=torch.Generator().manual_seed(0))
    assert measure_agreement(rows, 3 * rows + 100) == pytest.approx(1.0)
    assert measure_agreement(rows, -rows) == pytest.approx(-1.0)
    assert abs(measure_agreement(rows + 100, rows.roll(1, 0) + 100)) < 0.2


@pytest.fixture
def other_weights(tiny_model, tmp_path):
    """The tiny model as another training run would leave it."""
    torch.manual_seed(1)
    save_file(open_clip.create_model("tiny-clip").state_dict(), tmp_path / "other.safetensors")
    return tmp_path / "other.safetensors"


def test_the_text_tower_it_was_fitted_to_agrees(tiny_stand_in, tiny_weights):
    text_tower = load_query_encoder(OWN, "cpu", tiny_weights, tiny_stand_in)
    assert text_tower.name == OWN
    stand_in = StandInQueryEncoder(tiny_stand_in, torch.device("cpu"))
    one, other = (each.encode(KNOWN_QUERIES).tokens[:, 0] for each in (text_tower, stand_in))
    assert measure_agreement(one, other) > 0.9


def test_another_text_tower_is_refused(tiny_stand_in, other_weights):
    with pytest.raises(EncoderError, match=f"The weights given for {OWN} are not those.*0.15 is the least") as caught:
        load_query_encoder(OWN, "cpu", other_weights, tiny_stand_in)
    assert "\n" not in str(caught.value)


def test_another_tokenizer_is_refused(tiny_stand_in, tiny_weights, monkeypatch):
    text_tower = load_query_encoder(OWN, "cpu", tiny_weights)
    tokenize = text_tower._tokenize
    monkeypatch.setattr(text_tower, "_tokenize", lambda *given, **options: (tokenize(*given, **options) * 7) % 49407)
    with pytest.raises(EncoderError, match="tokenizer"):
        check_agreement(text_tower, StandInQueryEncoder(tiny_stand_in, torch.device("cpu")))


class TestWhoReads:
    """The text tower where its weights are at hand, else the stand-in."""

    def test_a_file_that_was_given(self, tiny_stand_in, tiny_weights):
        assert load_query_encoder(OWN, "cpu", tiny_weights, tiny_stand_in).name == OWN

    def test_a_model_of_one_s_own_without_its_file(self, tiny_stand_in):
        assert load_query_encoder(OWN, "cpu", stand_in=tiny_stand_in).name == "stand-in"

    @pytest.mark.parametrize(("cached", "on_hub", "download", "name"), [
        (True, False, False, "open_clip:tiny-clip:first"),
        (False, True, False, "stand-in"),
        (False, True, True, "open_clip:tiny-clip:first"),
        (False, False, True, "stand-in"),
    ])  # fmt: skip
    def test_published_weights(
        self, tiny_stand_in, published, tiny_weights, monkeypatch, cached, on_hub, download, name
    ):
        monkeypatch.setattr("grounding.encoders.registry.is_cache_empty", lambda: not cached)
        monkeypatch.setattr("grounding.encoders.hub.find_in_cache", lambda *_: "it" if cached else None)
        monkeypatch.setattr("grounding.encoders.hub.ask_hub", lambda _: None if on_hub else OSError())
        monkeypatch.setattr("grounding.encoders.open_clip_models.fetch_weights", lambda *_: str(tiny_weights))
        assert load_query_encoder(published, "cpu", stand_in=tiny_stand_in, download=download).name == name

    def test_with_an_empty_cache_nothing_of_open_clip_is_imported(self, stand_in, monkeypatch, tmp_path):
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr("grounding.encoders.registry.find_cached_open_clip", None)
        name = "open_clip:ViT-B-32-quickgelu:openai"
        assert load_query_encoder(name, "cpu", stand_in=stand_in).name == "stand-in"
