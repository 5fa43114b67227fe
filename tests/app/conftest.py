import gradio as gr
import pytest

from grounding.app import clip_limits, find
from grounding.features.disk_cache import FeatureCache


@pytest.fixture
def set_limits(monkeypatch):
    """Changes how large and how long a clip may be."""
    return lambda **limits: monkeypatch.setattr(clip_limits, "clip_limits", lambda: clip_limits.ClipLimits(**limits))


@pytest.fixture
def ask(monkeypatch, predictor):
    """The button, with the session's predictor: all that it writes, step by step."""
    monkeypatch.setattr(find, "load_predictor", lambda name: predictor)
    monkeypatch.setattr(find, "load_baseline", lambda config: None)

    def pressed(video, query="a cat", top_k=5, state=None, memory=None):
        *steps, last = find.find_moment(video and str(video), query, "embedded", state, memory)
        return [*steps, shown(last, state, video, top_k)]

    return pressed


def shown(last, state, video, top_k=5):
    """The last update of a search, and what follows it at once where the page has that state and that clip."""
    found = None if last.found == gr.skip() else last.found
    return last._replace(found=gr.skip()).then(find.show_found(state, found, video and str(video), top_k))


@pytest.fixture
def cached(predictor, monkeypatch, tmp_path):
    """The predictor keeps videos on disk."""
    monkeypatch.setattr(predictor.store, "cache", FeatureCache(tmp_path / "kept"))
