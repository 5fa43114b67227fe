"""Videos and queries in the space where the grounder compares them."""

from collections.abc import Sequence

import numpy as np
import torch

from grounding.features.encoded_video import EncodedVideo
from grounding.predictor import Predictor


def embed_frames(predictor: Predictor, video: EncodedVideo) -> np.ndarray:
    """(T, D) float32 of unit length."""
    return predictor.matcher.embed_video(video).cpu().numpy()  # (T, D)


def embed_query(predictor: Predictor, query: str) -> np.ndarray:
    """(D,) float32 of unit length."""
    return predictor.matcher.embed_queries([query])[0].numpy()  # (D,)


@torch.inference_mode()
def matching_scores(predictor: Predictor, cosines: Sequence[float]) -> list[float]:
    """Matching scores in [0, 1] of what has these cosines with the query, as a frame would have them."""
    grounder = predictor.grounder
    return (torch.tensor(cosines) * grounder.scale.exp().cpu() + grounder.bias.cpu()).sigmoid().tolist()
