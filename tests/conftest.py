"""What several tests share. Nothing here reaches a network."""

import os

import pytest

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_OFFLINE"] = "1"


@pytest.fixture(scope="session")
def predictor():
    """The shipped checkpoint, with its encoders."""
    from grounding import Predictor

    return Predictor.from_checkpoint("embedded", device="cpu")


@pytest.fixture(scope="session")
def scenes(tmp_path_factory):
    """Four seconds each of a cat, a rocket and a cup of coffee, from photographs, and their names in order."""
    from tests.clips import write_scenes

    return write_scenes(tmp_path_factory.mktemp("scenes") / "scenes.mp4", ("chelsea", "rocket", "coffee"))


@pytest.fixture(scope="session")
def address():
    """Where the app is served for the tests."""
    import app

    page = app.serve(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    yield page.local_url
    page.close()
