"""What is said of a clip as soon as it is uploaded, before anybody asks, and which files are taken."""

import base64

import pytest
from playwright.sync_api import expect

from tests.browser.steps import ask, upload
from tests.clips import bad_file, colours

DROP = """([name, content]) => {
  const data = new DataTransfer();
  data.items.add(new File([Uint8Array.from(atob(content), (one) => one.charCodeAt(0))], name));
  const place = document.querySelector("#clip input[type=file]").closest("button");
  for (const kind of ["dragenter", "dragover", "drop"]) {
    place.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
  }
}"""


@pytest.mark.parametrize("kind", ["empty", "text", "truncated", "sound"])
def test_a_file_that_is_no_video_is_told_at_once_and_beside_the_clip(tab, tmp_path, kind):
    upload(tab, bad_file(kind, tmp_path))
    expect(tab.locator("#clip-message [role=alert]")).to_contain_text(f"{kind}.mp4")
    expect(tab.locator("#progress .working")).to_have_count(0)
    expect(tab.locator("#clip-message [role=alert]")).to_contain_text(f"{kind}.mp4")


@pytest.mark.parametrize(
    ("name", "way"),
    [("IMG_0001.MOV", "dropped"), ("rec.ts", "chosen"), ("camera.MTS", "dropped"), ("no_suffix", "chosen")],
)
def test_content_decides_what_a_video_is_and_not_the_name(tab, tmp_path, name, way):
    path = colours(tmp_path / "a.mp4").rename(tmp_path / name)
    if way == "chosen":
        upload(tab, path)
    else:
        expect(tab.locator("#clip input[type=file]")).to_be_attached()
        tab.evaluate(DROP, [name, base64.b64encode(path.read_bytes()).decode()])
        expect(tab.locator("#clip video")).to_be_attached()
    ask(tab, "something green")
    expect(tab.locator("#message [role=status]")).to_contain_text("something green")


def test_a_text_file_gets_its_one_sentence(tab, tmp_path):
    (tmp_path / "notes.txt").write_text("no video")
    upload(tab, tmp_path / "notes.txt")
    expect(tab.locator("#clip-message [role=alert]")).to_contain_text("'notes.txt' is not a video")
