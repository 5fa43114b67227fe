"""A visitor closes the page while a clip is being encoded."""

from pathlib import Path
from threading import Event
from urllib.parse import unquote

from playwright.sync_api import expect

from grounding.app.job_queue import job_queue
from grounding.features.new_frames import NewFrameEncoder
from tests.browser.steps import ask, upload, wait_until
from tests.clips import colours


def test_the_work_stops_and_the_clip_goes(fresh_tab, chromium, tmp_path, monkeypatch):
    chunks, gate, encode = [], Event(), NewFrameEncoder.encode

    def encode_two(self, images, known):
        chunks.append(len(images))
        if len(chunks) > 2:
            gate.wait(300)
        return encode(self, images, known)

    monkeypatch.setattr(NewFrameEncoder, "encode", encode_two)
    upload(fresh_tab, colours(tmp_path / "long.mp4", seconds=200.0, fps=2))
    kept = Path(unquote(fresh_tab.locator("#clip video").get_attribute("src").partition("file=")[2]))
    assert kept.is_file()
    ask(fresh_tab, "something green")
    expect(fresh_tab.locator("#progress")).to_contain_text("Looked at")
    fresh_tab.close()
    watcher = chromium.new_page()
    wait_until(watcher, lambda: not kept.exists())
    wait_until(watcher, lambda: not job_queue().jobs)
    watcher.close()
    gate.set()
    assert len(chunks) == 3
