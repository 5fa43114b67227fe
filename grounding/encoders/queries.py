"""Queries as the grounder reads them: checked, and encoded word piece by word piece."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from grounding.encoders.devices import CHUNK, inference
from grounding.encoders.openvino_runtime import compile_for
from grounding.encoders.packaged_weights import load_minilm
from grounding.errors import QueryError

MAX_QUERY = 1000  # characters; the query encoder reads the first 256 word pieces
MAX_WORD_PIECES = 256  # the length all-MiniLM-L6-v2 was published for


@dataclass(frozen=True)
class QueryTokens:
    """Word pieces of Q queries, [CLS] and [SEP] included, padded with zeros to the longest.

    Attributes:
        tokens: (Q, N, width) float32, the last hidden states.
        mask: (Q, N) bool, True where there is a real word piece.
    """

    tokens: Tensor
    mask: Tensor

    def sentence_embeddings(self) -> Tensor:
        """(Q, width), L2-normalised mean over word pieces, as all-MiniLM-L6-v2 defines a sentence's embedding."""
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
        if not self.compiled:
            self.tower = tower.to(device)
        self.tokenizer.enable_truncation(MAX_WORD_PIECES)
        self.tokenizer.enable_padding()

    def encode(self, queries: Sequence[str]) -> QueryTokens:
        """See QueryEncoder. Beyond 256 word pieces a query is cut. Raises QueryError for a query that is not text."""
        _check_queries(queries)
        if not queries:
            return QueryTokens(torch.zeros(0, 0, self.width), torch.zeros(0, 0, dtype=torch.bool))
        rows: dict[int, Tensor] = {}
        by_length = sorted(range(len(queries)), key=lambda index: len(queries[index]))  # little padding in a chunk
        for start in range(0, len(by_length), CHUNK):
            chunk = by_length[start : start + CHUNK]
            rows.update(zip(chunk, self._encode_chunk([queries[index] for index in chunk]), strict=True))
        tokens = pad_sequence([rows[index] for index in range(len(queries))], batch_first=True)  # (Q, N, 384)
        lengths = torch.tensor([len(rows[index]) for index in range(len(queries))])  # (Q,)
        return QueryTokens(tokens, torch.arange(tokens.shape[1]) < lengths.unsqueeze(1))

    def _encode_chunk(self, queries: list[str]) -> list[Tensor]:
        batch = self.tokenizer.encode_batch(queries)
        pieces = np.array([each.ids for each in batch])  # (B, N)
        mask = np.array([each.attention_mask for each in batch])  # (B, N)
        if self.compiled:
            states = torch.from_numpy(self.compiled.encode(queries, lambda _: [pieces, mask]))  # (B, N, 384)
        else:
            ids, real = (torch.from_numpy(each).to(self.device) for each in (pieces, mask))  # (B, N) each
            with inference(self.device):
                states = self.tower(ids, real.bool()).float().cpu()  # (B, N, 384)
        return [row[:length] for row, length in zip(states, mask.sum(axis=1).tolist(), strict=True)]


def _check_queries(queries: Sequence[str]) -> None:
    if isinstance(queries, str):
        raise TypeError(f"encode takes a list of queries. Write encode([{queries[:40]!r}]).")
    for query in queries:
        check_text(query)


def check_text(query: str) -> None:
    """Raises QueryError for half a surrogate pair, which comes from a terminal, from JSON or from a text cut short."""
    try:
        query.encode()
    except UnicodeEncodeError as error:
        raise QueryError(f"The query {ascii(query[:40])} holds bytes that are not text. Type it again.") from error


def check_query(query: str) -> str:
    """`query` without outer blanks. Raises QueryError if it is blank or longer than MAX_QUERY characters."""
    if not isinstance(query, str) or not query.strip():
        raise QueryError("The query is empty: describe the moment in a few words, such as 'a dog catches a frisbee'.")
    if len(query) > MAX_QUERY:
        raise QueryError(
            f"The query has {len(query):,} characters and {MAX_QUERY:,} is the most: describe one moment in a sentence."
        )
    check_text(query)
    return query.strip()
