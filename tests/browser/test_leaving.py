"""A visitor closes the page while a clip is being encoded."""

import threading
from pathlib import Path
from urllib.parse import unquote

from playwright.sync_api import expect

from grounding.app.job_queue import job_queue
from grounding.features.new_frames import NewFrameEncoder
from grounding.features.streaming import StreamingEncoder
from tests.browser.steps import ask, upload, wait_until
from tests.clips import colours


def encoders():
    """The threads that encode."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("encoder")]


def test_the_work_stops_and_the_clip_goes(fresh_tab, chromium, tmp_path, monkeypatch):
    gathered, encoded, gate = [], [], threading.Event()
    find_known, encode = StreamingEncoder._find_known, NewFrameEncoder.encode

    def gather(self, chunk):
        gathered.append(chunk.first)
        return find_known(self, chunk)

    def encode_two(self, images, known):
        encoded.append(len(images))
        if len(encoded) > 2:
            gate.wait(300)
        return encode(self, images, known)

    monkeypatch.setattr(StreamingEncoder, "_find_known", gather)
    monkeypatch.setattr(NewFrameEncoder, "encode", encode_two)
    try:
        upload(fresh_tab, colours(tmp_path / "long.mp4", seconds=200.0, fps=2))
        kept = Path(unquote(fresh_tab.locator("#clip video").get_attribute("src").partition("file=")[2]))
        assert kept.is_file()
        ask(fresh_tab, "something green")
        expect(fresh_tab.locator("#progress")).to_contain_text("Looked at")
        wait_until(fresh_tab, lambda: len(gathered) == 4)  # one is encoded, and the next waits to be
        fresh_tab.close()
        watcher = chromium.new_page()
        wait_until(watcher, lambda: not kept.exists())
        wait_until(watcher, lambda: not job_queue().jobs)
    finally:
        gate.set()
    wait_until(watcher, lambda: not encoders())
    watcher.close()
    assert len(encoded) == 3
