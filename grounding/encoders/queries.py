"""Queries as the grounder reads them: checked, and encoded word piece by word piece, or whole by CLIP's text tower."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from grounding.encoders.devices import CHUNK, inference
from grounding.encoders.hub import shorten_error
from grounding.encoders.open_clip_models import share_open_clip_model
from grounding.encoders.openvino_runtime import compile_for
from grounding.encoders.packaged_weights import load_minilm, load_minilm_words
from grounding.errors import EncoderError
from grounding.validation import check_text

if TYPE_CHECKING:
    from tokenizers import Encoding

MAX_WORD_PIECES = 256  # the length all-MiniLM-L6-v2 was published for


@dataclass(frozen=True)
class QueryTokens:
    """Q queries, padded with zeros to the one of most tokens.

    Attributes:
        tokens: (Q, N, width) float32: of MiniLM the last hidden states of all word pieces, [CLS] and [SEP] included; of
            CLIP a single token, the query's text embedding.
        mask: (Q, N) bool, True where there is a real token.
        cut: which of the queries are longer than the encoder reads: it read their beginnings.
    """

    tokens: Tensor
    mask: Tensor
    cut: frozenset[int] = frozenset()

    def pool_sentences(self) -> Tensor:
        """(Q, width), L2-normalised mean over tokens, as all-MiniLM-L6-v2 defines a sentence's embedding."""
        weights = self.mask.unsqueeze(-1).to(self.tokens.dtype)  # (Q, N, 1)
        return F.normalize((self.tokens * weights).sum(dim=1), dim=-1)  # (Q, width)


class MiniLMQueryEncoder:
    """all-MiniLM-L6-v2 before pooling; runs offline, its weights come from a package.

    Source: Reimers and Gurevych, "Sentence-BERT", EMNLP 2019; Wang et al., "MiniLM", NeurIPS 2020.
    """

    name = "minilm"
    width = 384

    def __init__(self, device: torch.device) -> None:
        self.device = device
        tower, self.tokenizer = load_minilm()
        self.compiled = compile_for(device, lambda build: build.build_minilm(tower), torch.float32)
        if self.compiled:
            self.words = load_minilm_words()  # not the tower's, which keep all of its weights in memory
        else:
            self.tower = tower.to(device)
        self.tokenizer.enable_truncation(MAX_WORD_PIECES)
        self.tokenizer.enable_padding()

    def encode(self, queries: Sequence[str]) -> QueryTokens:
        """See QueryEncoder. Beyond 256 word pieces a query is cut. Raises QueryError for a query that is not text."""
        check_queries(queries)
        if not queries:
            return QueryTokens(torch.zeros(0, 0, self.width), torch.zeros(0, 0, dtype=torch.bool))
        rows: dict[int, Tensor] = {}
        cut: set[int] = set()
        by_length = sorted(range(len(queries)), key=lambda index: len(queries[index]))  # little padding in a chunk
        for start in range(0, len(by_length), CHUNK):
            chunk = by_length[start : start + CHUNK]
            batch = self.tokenizer.encode_batch([queries[index] for index in chunk])
            cut.update(index for index, each in zip(chunk, batch, strict=True) if each.overflowing)
            rows.update(zip(chunk, self._encode_chunk(batch), strict=True))
        tokens = pad_sequence([rows[index] for index in range(len(queries))], batch_first=True)  # (Q, N, 384)
        lengths = torch.tensor([len(rows[index]) for index in range(len(queries))])  # (Q,)
        return QueryTokens(tokens, torch.arange(tokens.shape[1]) < lengths.unsqueeze(1), frozenset(cut))

    def _encode_chunk(self, batch: Sequence["Encoding"]) -> list[Tensor]:
        pieces = np.array([each.ids for each in batch])  # (B, N)
        mask = np.array([each.attention_mask for each in batch])  # (B, N)
        if self.compiled:
            words = self.words[torch.from_numpy(pieces)].numpy()  # (B, N, 384)
            states = torch.from_numpy(self.compiled.encode(batch, lambda _: [words, mask]))  # (B, N, 384)
        else:
            ids, real = (torch.from_numpy(each).to(self.device) for each in (pieces, mask))  # (B, N) each
            with inference(self.device):
                states = self.tower(ids, real.bool()).float().cpu()  # (B, N, 384)
        return [row[:length] for row, length in zip(states, mask.sum(axis=1).tolist(), strict=True)]


class OpenClipQueryEncoder:
    """The text tower of an open_clip model, with the model's own tokenizer; a query is one token of unit length.

    It shares the model with the frame encoder of the same weights. Source: https://github.com/mlfoundations/open_clip;
    Radford et al., ICML 2021, for the `openai` weights.
    """

    def __init__(self, name: str, device: torch.device, weights: str | Path | None = None) -> None:
        self.name, self.device = name, device
        self._shared = share_open_clip_model(name, device, weights)
        self.width = self._shared.width
        self._shared.load_text_tower()
        self._tokenize = _load_tokenizer(self._shared.model_name)

    def encode(self, queries: Sequence[str]) -> QueryTokens:
        """See QueryEncoder. Beyond the model's context length a query is cut. Raises QueryError for a query that is not
        text."""
        check_queries(queries)
        if not queries:
            return QueryTokens(torch.zeros(0, 1, self.width), torch.zeros(0, 1, dtype=torch.bool))
        pieces = self._tokenize(list(queries))  # (Q, N)
        longer = self._tokenize(list(queries), context_length=pieces.shape[1] + 1)  # (Q, N + 1)
        cut = (longer[:, :-1] != pieces).any(dim=1).nonzero().flatten().tolist()  # a cut query ends elsewhere
        embedded = torch.cat([self._encode_chunk(chunk) for chunk in pieces.split(CHUNK)])  # (Q, width)
        return QueryTokens(embedded.unsqueeze(1), torch.ones(len(queries), 1, dtype=torch.bool), frozenset(cut))

    def _encode_chunk(self, pieces: Tensor) -> Tensor:
        with inference(self.device):
            embedded = self._shared.load_text_tower().encode_text(pieces.to(self.device))  # (B, width)
        return F.normalize(embedded.float(), dim=-1).cpu()  # (B, width), normalised in float32 on every device


def _load_tokenizer(model_name: str) -> Callable[..., Tensor]:
    import open_clip

    try:
        return open_clip.get_tokenizer(model_name)
    except Exception as error:  # those of a few models lie on the hub, whose client has many errors
        raise EncoderError(
            f"The tokenizer of the open_clip model {model_name} could not be had ({shorten_error(error)}): choose a "
            "model whose tokenizer comes with open_clip, such as ViT-B-32-quickgelu."
        ) from error


def check_queries(queries: Sequence[str]) -> None:
    """Raises TypeError for a lone string, QueryError for a query that is not text."""
    if isinstance(queries, str):
        raise TypeError(f"encode takes a list of queries. Write encode([{queries[:40]!r}]).")
    for query in queries:
        check_text(query)
