"""What is said of a clip as soon as it is uploaded, before anybody asks, and which files are taken."""

import base64

import pytest
from playwright.sync_api import expect

from grounding.app.job_queue import job_queue
from tests.browser.steps import answered, ask, upload, wait_until
from tests.clips import bad_file, colours

DROP = """([name, content]) => {
  const data = new DataTransfer();
  data.items.add(new File([Uint8Array.from(atob(content), (one) => one.charCodeAt(0))], name));
  const place = document.querySelector("#clip input[type=file]").closest("button");
  for (const kind of ["dragenter", "dragover", "drop"]) {
    place.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
  }
}"""


def test_a_file_that_is_no_video_is_told_at_once_and_leaves_for_another(tab, tmp_path, scenes):
    (tmp_path / "notes.txt").write_text("no video")
    for path, said in (
        (tmp_path / "notes.txt", "'notes.txt' is not a video"),
        (bad_file("truncated", tmp_path), "truncated.mp4"),
    ):
        tab.set_input_files("#clip input[type=file]", str(path))
        expect(tab.locator("#clip-message [role=alert]")).to_contain_text(said)
        expect(tab.locator("#clip video")).to_have_count(0)
        expect(tab.locator("#clip")).to_contain_text("Drop Video Here")
        expect(tab.locator("#progress .working")).to_have_count(0)
    answered(tab, scenes, "a cat")
    expect(tab.locator("#clip-message [role=alert]")).to_have_count(0)


def test_a_question_about_a_file_that_is_no_video_adds_no_second_sentence_and_takes_none_away(fresh_tab, tmp_path):
    (tmp_path / "notes.txt").write_text("no video")
    fresh_tab.fill("#query textarea", "a cat")
    fresh_tab.set_input_files("#clip input[type=file]", str(tmp_path / "notes.txt"))
    fresh_tab.click("#find")  # while it is looked at
    expect(fresh_tab.locator("#clip-message [role=alert]")).to_contain_text("'notes.txt' is not a video")
    expect(fresh_tab.locator("#clip video")).to_have_count(0)
    wait_until(fresh_tab, lambda: not job_queue().jobs)
    fresh_tab.click("#find")
    expect(fresh_tab.locator("#message [role=alert]")).to_contain_text("There is no clip yet")
    expect(fresh_tab.locator("#clip-message [role=alert]")).to_contain_text("'notes.txt' is not a video")


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
