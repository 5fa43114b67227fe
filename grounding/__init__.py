"""Find a moment in a video by describing it."""

from grounding.encoded import EncodedVideo
from grounding.predictor import Answer, Predictor

__all__ = ["Answer", "EncodedVideo", "Predictor"]
