"""A tiny open_clip model, for tests: the size of the real ones is not what they test."""

TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16, "patch_dropout": 0.5},
    "text_cfg": {"context_length": 8, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},  # CLIP's vocabulary
}
TINY_GROUNDER = {"frame_width": 16, "query_width": 16, "width": 16, "context": 1, "joint": True, "centered": True}
HALF = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5), "interpolation": "bilinear", "resize_mode": "squash"}


def fit_stand_in(text_tower, minilm):
    """A stand-in that reads the known queries as a text tower does."""
    import torch

    from grounding.encoders.stand_in import KNOWN_QUERIES, StandIn

    sentences = minilm.encode(KNOWN_QUERIES).pool_sentences()  # (Q, 384)
    embeddings = text_tower.encode(KNOWN_QUERIES).tokens[:, 0]  # (Q, D)
    means = sentences.mean(dim=0), embeddings.mean(dim=0)
    weight = torch.linalg.lstsq(sentences - means[0], embeddings - means[1], driver="gelsd").solution.T  # (D, 384)
    return StandIn(weight.contiguous(), *means)
