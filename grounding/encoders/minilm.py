"""MiniLM, six layers of BERT, from torch's own transformer layers.

Source: Devlin et al., "BERT", NAACL 2019; Wang et al., "MiniLM", NeurIPS 2020. transformers has this model too, but
importing it imports torchvision and torch's compiler: 200 MB and two seconds that six standard layers do not need.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

WIDTH, HEADS, INNER, LAYERS = 384, 12, 1536, 6
WORD_PIECES, PLACES = 30522, 512
EPSILON = 1e-12  # of the layer norms


class MiniLM(nn.Module):
    """Last hidden states of word pieces, all of them of the first of BERT's two sentences."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = (  # nn.Embedding draws numbers, and those of the meta device import the compiler
            nn.Embedding.from_pretrained(torch.empty(count, WIDTH)) for count in (WORD_PIECES, PLACES)
        )
        self.norm = nn.LayerNorm(WIDTH, EPSILON)
        layer = nn.TransformerEncoderLayer(WIDTH, HEADS, INNER, 0.0, "gelu", EPSILON, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)

    def forward(self, pieces: Tensor, mask: Tensor) -> Tensor:
        """`pieces` (B, N) and `mask` (B, N) bool, True at real ones, give (B, N, 384)."""
        embedded = self.words(pieces) + self.places.weight[: pieces.shape[1]]  # (B, N, 384)
        return self.encoder(self.norm(embedded), src_key_padding_mask=~mask)  # (B, N, 384)

    def load_published(self, state: Mapping[str, Tensor]) -> None:
        """Takes tensors under the names that all-MiniLM-L6-v2 has, without copying the large ones. Raises KeyError
        and RuntimeError where they do not fit."""
        own = {
            "words.weight": state["embeddings.word_embeddings.weight"],
            "places.weight": state["embeddings.position_embeddings.weight"]
            + state["embeddings.token_type_embeddings.weight"][0],
        }
        own |= {f"norm.{kind}": state[f"embeddings.LayerNorm.{kind}"] for kind in ("weight", "bias")}
        for number in range(LAYERS):
            layer = _rename_layer(state, f"encoder.layer.{number}.")
            own |= {f"encoder.layers.{number}.{name}": tensor for name, tensor in layer.items()}
        self.load_state_dict(own, assign=True)


def _rename_layer(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """One layer's tensors under torch's names."""
    names = {
        "self_attn.out_proj": "attention.output.dense",
        "norm1": "attention.output.LayerNorm",
        "linear1": "intermediate.dense",
        "linear2": "output.dense",
        "norm2": "output.LayerNorm",
    }
    layer = {}
    for kind in ("weight", "bias"):
        maps = [state[f"{prefix}attention.self.{part}.{kind}"] for part in ("query", "key", "value")]
        layer[f"self_attn.in_proj_{kind}"] = torch.cat(maps)
        layer |= {f"{own}.{kind}": state[f"{prefix}{theirs}.{kind}"] for own, theirs in names.items()}
    return layer
