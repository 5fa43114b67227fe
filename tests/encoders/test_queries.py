import open_clip
import pytest
import torch
from safetensors.torch import load_file

from grounding.encoders import openvino_runtime
from grounding.encoders import packaged_weights as weights
from grounding.encoders import queries as module
from grounding.encoders.queries import QueryTokens
from grounding.encoders.registry import load_query_encoder
from grounding.errors import EncoderError, QueryError
from grounding.validation import check_query


def test_tokens_hold_every_word_piece_and_the_mask_tells_which(query_encoder):
    encoded = query_encoder.encode(["a dog", "a dog catches a frisbee"])
    assert encoded.tokens.shape == (2, 9, 384) and encoded.tokens.dtype == torch.float32
    assert encoded.mask.dtype == torch.bool
    assert encoded.mask.sum(dim=1).tolist() == [4, 9]  # [CLS] a dog [SEP]; frisbee is three pieces
    assert encoded.mask[0].tolist() == [True] * 4 + [False] * 5
    assert encoded.tokens[0, 4:].abs().max() == 0


@pytest.mark.parametrize("runtime", ["openvino", "torch"])
def test_tokens_are_those_of_the_published_model(runtime, monkeypatch):
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    folder = weights._locate(weights.MINILM).parent
    tower = AutoModel.from_config(AutoConfig.from_pretrained(folder, local_files_only=True)).eval()
    tower.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
    queries = ["A dog, running!", "naïve café 東京", "x" * 900, "word " * 300, "don't  [SEP] stop\tnow"]
    tokenize = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    batch = tokenize(queries, padding=True, truncation=True, max_length=256, return_tensors="pt")
    with torch.no_grad():
        states = tower(**batch).last_hidden_state
    if runtime == "torch":
        monkeypatch.setattr(openvino_runtime, "load_openvino", lambda: None)
    encoder = load_query_encoder("minilm", "cpu")
    assert bool(encoder.compiled) == (runtime == "openvino")
    own, mask = encoder.encode(queries), batch["attention_mask"].bool()
    assert torch.equal(own.mask, mask)
    torch.testing.assert_close(own.tokens[mask], states[mask], atol=1e-4, rtol=0)


def test_a_query_does_not_depend_on_its_batch(query_encoder, monkeypatch):
    queries = ["a man opens the door and walks out", "a dog", "snow", "two children play chess in the garden"]
    together = query_encoder.encode(queries)
    monkeypatch.setattr(module, "CHUNK", 3)
    chunked = query_encoder.encode(queries)
    for row, query in enumerate(queries):
        alone = query_encoder.encode([query]).tokens[0]
        for batch in (together, chunked):
            torch.testing.assert_close(batch.tokens[row][batch.mask[row]], alone, atol=1e-4, rtol=0)


def test_sentence_embeddings_are_near_for_near_meanings(query_encoder):
    queries = ["a dog catches a frisbee in the park", "a puppy grabs a flying disc", "the stock market fell sharply"]
    sentences = query_encoder.encode(queries).pool_sentences()
    torch.testing.assert_close(sentences.norm(dim=1), torch.ones(3))
    near, far = sentences[0] @ sentences[1:].T
    assert near > far + 0.3


def test_sentence_embeddings_ignore_the_padding():
    tokens = torch.tensor([[[3.0, 4.0], [3.0, 4.0], [100.0, -7.0]]])
    encoded = QueryTokens(tokens, torch.tensor([[True, True, False]]))
    torch.testing.assert_close(encoded.pool_sentences(), torch.tensor([[0.6, 0.8]]))


def test_no_queries_give_no_rows(query_encoder):
    encoded = query_encoder.encode([])
    assert encoded.tokens.shape == (0, 0, 384) and encoded.mask.shape == (0, 0)
    assert encoded.pool_sentences().shape == (0, 384)


def test_a_very_long_query_is_cut_at_256_word_pieces(query_encoder):
    encoded = query_encoder.encode(["dog " * 2000, "a dog"])
    assert encoded.mask.sum(dim=1).tolist() == [256, 4] and encoded.cut == {0}


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


class TestOpenClipTextTower:
    @pytest.fixture
    def text_tower(self, tiny_weights):
        return load_query_encoder("open_clip:tiny-clip:own", "cpu", tiny_weights)

    def test_a_query_is_one_token_clip_s_own_embedding_of_it(self, text_tower, tiny_model):
        queries = ["a dog", "Two children play!", "naïve café"]
        encoded = text_tower.encode(queries)
        with torch.no_grad():
            expected = tiny_model.encode_text(open_clip.get_tokenizer("tiny-clip")(queries), normalize=True)
        assert encoded.tokens.shape == (3, 1, 16) and encoded.mask.tolist() == [[True]] * 3
        assert encoded.tokens.dtype == torch.float32 and encoded.tokens.device.type == "cpu"
        torch.testing.assert_close(encoded.tokens[:, 0], expected, atol=1e-5, rtol=0)
        assert (text_tower.name, text_tower.width) == ("open_clip:tiny-clip:own", 16)

    def test_a_query_longer_than_its_context_is_cut_and_said_so(self, text_tower):
        six, seven = "a a a a a a", "a a a a a a a"  # of the context of 8, two are for the beginning and the end
        encoded = text_tower.encode(["a", six, seven])
        assert encoded.cut == {2}
        assert torch.equal(encoded.tokens[1], encoded.tokens[2])

    def test_a_query_does_not_depend_on_its_batch(self, text_tower, monkeypatch):
        queries = ["a dog", "snow", "two children play chess in the garden"]
        monkeypatch.setattr(module, "CHUNK", 2)
        alone = torch.cat([text_tower.encode([query]).tokens for query in queries])
        torch.testing.assert_close(text_tower.encode(queries).tokens, alone, atol=1e-5, rtol=0)

    def test_no_queries_give_no_rows(self, text_tower):
        encoded = text_tower.encode([])
        assert encoded.tokens.shape == (0, 1, 16) and encoded.mask.shape == (0, 1)

    def test_what_is_no_list_of_texts_is_refused(self, text_tower):
        with pytest.raises(TypeError, match="list"):
            text_tower.encode("a dog")
        with pytest.raises(QueryError, match="not text"):
            text_tower.encode(["a \udcff dog"])

    def test_a_tokenizer_out_of_reach_is_an_encoder_error(self, tiny_weights, monkeypatch):
        monkeypatch.setattr(open_clip, "get_tokenizer", lambda name: (_ for _ in ()).throw(OSError("no route")))
        with pytest.raises(EncoderError, match="tokenizer of the open_clip model tiny-clip.*no route"):
            load_query_encoder("open_clip:tiny-clip:own", "cpu", tiny_weights)

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
    def test_the_gpu_reads_as_the_cpu_in_half_the_memory(self, text_tower, tiny_weights):
        on_gpu = load_query_encoder("open_clip:tiny-clip:own", "cuda", tiny_weights)
        one, other = (each.encode(["a dog", "snow"]).tokens[:, 0] for each in (text_tower, on_gpu))
        assert torch.nn.functional.cosine_similarity(one, other).min() > 0.999
        assert {each.dtype for each in on_gpu._shared.load_text_tower().parameters()} == {torch.float16}


def test_a_query_of_another_type_says_what_to_give():
    with pytest.raises(QueryError, match="^The query is a bytes: give one sentence"):
        check_query(b"a dog")
