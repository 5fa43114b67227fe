import pytest

from grounding.app import clip_limits


@pytest.fixture
def set_limits(monkeypatch):
    """Changes how large and how long a clip may be."""
    return lambda **limits: monkeypatch.setattr(clip_limits, "clip_limits", lambda: clip_limits.ClipLimits(**limits))
