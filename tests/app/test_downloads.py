import json
from pathlib import Path

import gradio as gr
import numpy as np
import plotly.graph_objects as go
import pytest
from gradio_client import Client, handle_file

from grounding.answer import Answer
from grounding.app import models as serving
from grounding.app.downloads import playable_file, result_files, segment_file
from grounding.app.visitor_files import visitors
from grounding.errors import VideoError
from grounding.segments.find import Segment
from grounding.video.reader import FrameReader
from tests.clips import RED, colours, plain, write_video

ANSWER = Answer("a cat", 6.0, "embedded", np.array([0.0, 0.5]), np.array([0.2, 0.4]), [Segment(1.0, 2.5, 0.7)], [])


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_segment_comes_as_a_file_of_its_length(tmp_path):
    told = []
    clip = str(colours(tmp_path / "a.mp4"))
    path = Path(segment_file(clip, ANSWER.segments[0], tmp_path, lambda *said: told.append(said)))
    assert path == tmp_path / "a_1.0-2.5s.mp4"
    reader = FrameReader(path, 1.0)
    list(reader)
    assert reader.duration == pytest.approx(1.5, abs=0.05)
    assert told[-1] == (1.0, "Cutting the segment")


def test_results_do_not_say_where_the_server_keeps_a_clip(tmp_path):
    files = [
        Path(path) for path in result_files(str(tmp_path / "of-nobody-else" / "a.mp4"), [ANSWER], go.Figure(), tmp_path)
    ]
    assert [path.suffix for path in files] == [".json", ".csv", ".csv", ".html"]
    assert json.loads(files[0].read_text(encoding="utf-8"))[0]["video"] == "a.mp4"
    assert not any("of-nobody-else" in path.read_text(encoding="utf-8") for path in files)


def test_a_clip_that_is_too_long_gets_no_copy(tmp_path, monkeypatch):
    monkeypatch.setattr(serving, "LIMITS", serving.Limits(seconds=1.0))
    with pytest.raises(VideoError, match="is the most"):
        playable_file(str(colours(tmp_path / "a.mp4")), tmp_path / "own")
    assert not (tmp_path / "own").exists()


def test_gradio_hands_the_file_out_as_it_is_and_knows_that_it_has_to_be_deleted(tmp_path, cache):
    made = []
    with gr.Blocks(analytics_enabled=False) as page:
        clip, shown = gr.File(), gr.Video()
        gr.Button().click(
            lambda path: made.append(playable_file(path, visitors().folder("a"))) or made[-1],
            clip,
            shown,
            api_name="show",
        )
    page.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    try:
        source = write_video(tmp_path / "a.avi", [plain(RED)] * 5, codec="mpeg4")
        client = Client(page.local_url, verbose=False, download_files=False)
        given = client.predict(handle_file(str(source)), api_name="/show")
        assert str(made[0]) in str(given)
        assert any(made[0] in files for files in page.temp_file_sets)
    finally:
        page.close()
