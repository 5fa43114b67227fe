"""Find a moment in a video by describing it."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from grounding.answer import Answer
    from grounding.features.disk_cache import FeatureCache
    from grounding.features.encoded_video import EncodedVideo
    from grounding.library.library import Library
    from grounding.predictor import Predictor

__all__ = ["Answer", "EncodedVideo", "FeatureCache", "Library", "Predictor"]
HOMES = {
    "Answer": "grounding.answer",
    "EncodedVideo": "grounding.features.encoded_video",
    "FeatureCache": "grounding.features.disk_cache",
    "Library": "grounding.library.library",
    "Predictor": "grounding.predictor",
}


def __getattr__(name: str) -> Any:
    """Loads what is public at its first use: torch takes seconds, and the process that decodes needs none of it."""
    from importlib import import_module

    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(HOMES[name]), name)
