import pytest
import torch
import torch.nn.functional as F

from grounding.encoders.stand_in import STAND_IN_FILE, StandIn, StandInQueryEncoder, load_stand_in, save_stand_in
from grounding.errors import CheckpointError

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
    sentences = query_encoder.encode(QUERIES).sentence_embeddings()
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
