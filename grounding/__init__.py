"""Find a moment in a video by describing it."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from grounding.features.encoded_video import EncodedVideo
    from grounding.predictor import Answer, Predictor

__all__ = ["Answer", "EncodedVideo", "Predictor"]


def __getattr__(name: str) -> Any:
    """Loads what is public at its first use: torch takes seconds, and the process that decodes needs none of it."""
    from importlib import import_module

    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(
        import_module("grounding.features.encoded_video" if name == "EncodedVideo" else "grounding.predictor"), name
    )
