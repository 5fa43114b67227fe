"""A folder of 50 clips, searched in the page's second tab."""

import re
import shutil
import time
from pathlib import Path

import pytest
from playwright.sync_api import expect

pytest.importorskip("lancedb")

import app
from grounding.app import library_tab
from grounding.app.job_queue import job_queue
from tests.browser.steps import wait_until
from tests.clips import plain, write_video
from tests.library.clips import SCENES, write_folder

CLIPS = 50


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A cat, a rocket and a cup of coffee among plain pictures."""
    folder = write_folder(tmp_path_factory.mktemp("videos"), seconds=4.0)
    for number in range(CLIPS - len(SCENES)):
        grey = plain((5 * number, 5 * number, 5 * number))
        write_video(folder / f"plain{number}.mp4", [grey] * 4, fps=4)
    return folder


@pytest.fixture(scope="module")
def shared(folder, tmp_path_factory):
    shared = library_tab.share_folder(folder, tmp_path_factory.mktemp("store"))
    deadline = time.monotonic() + 300
    while shared.count() < CLIPS:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return shared


@pytest.fixture(scope="module")
def address(shared):
    page = app.serve(shared=shared, prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    yield page.local_url
    page.close()


def search(tab, query):
    tab.get_by_role("tab", name="Library").click()
    tab.fill("#library-query textarea", query)
    tab.click("#library-search")
    expect(tab.locator("#library-message [role=status]")).to_contain_text(f"in {CLIPS} videos")


def test_a_moment_is_found_among_fifty_clips_and_opens_with_its_curve(tab):
    search(tab, "a cup of coffee")
    first = tab.locator("#library-moments button").filter(has_text="coffee.mp4").first
    expect(tab.locator("#library-moments button").first).to_contain_text("coffee.mp4")
    first.click()
    expect(tab.locator("#message [role=status]")).to_contain_text("a cup of coffee")
    expect(tab.locator("#clip video")).to_be_visible()
    expect(tab.locator("#plot .js-plotly-plot")).to_be_visible()
    tab.wait_for_function("document.querySelector('#clip video').currentTime > 0")
    tab.fill("#query textarea", "a spoon")  # and more can be asked of it
    tab.click("#find")
    expect(tab.locator("#message [role=status]")).to_contain_text("a spoon")
    assert tab.elsewhere == []


def test_on_a_phone_a_moment_is_named_in_full_and_its_answer_comes_into_sight(tab):
    tab.set_viewport_size({"width": 390, "height": 844})
    search(tab, "a cat")
    last = tab.locator("#library-moments .caption-label").last
    expect(last).to_contain_text(".mp4")
    assert last.evaluate("it => it.scrollWidth <= it.clientWidth && it.scrollHeight <= it.clientHeight")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    last.click()
    expect(tab.locator("#message [role=status]")).to_be_focused()
    expect(tab.locator("#message")).to_be_in_viewport()


def test_of_two_moments_the_one_that_is_chosen_last_is_shown(tab):
    search(tab, "a cat")
    moments = tab.locator("#library-moments button")
    with job_queue().start("another visitor", None, at_model=True):
        moments.filter(has_text="cat.mp4").first.click()
        expect(tab.locator("#progress")).to_contain_text("one other before you")
        tab.get_by_role("tab", name="Library").click()
        last = moments.last.inner_text().split(" · ")[-1].strip()
        moments.last.click()
        wait_until(tab, lambda: any(job.clip and job.clip.endswith(last) for job in job_queue().jobs))
    expect(tab.locator("#message [role=status]")).to_contain_text("a cat")
    expect(tab.locator("#clip video")).to_have_attribute("src", re.compile(re.escape(last)))
    expect(tab.locator("#plot .scatterlayer .js-line")).to_have_count(1)


def test_a_second_search_takes_under_100_ms_of_computing(shared):
    shared.search("a rocket starts")
    times = []
    for query in ("a cat", "a cup of coffee", "a rocket starts", "a grey picture"):
        begin = time.process_time()  # what others do on the machine does not count
        shared.search(query)
        times.append(time.process_time() - begin)
    assert min(times) < 0.1


def test_what_is_no_video_of_the_folder_is_not_handed_out(shared_tab, address, folder):
    (folder / "secret.txt").write_text("secret")
    shutil.copy(folder / "cat.mp4", folder / "later.mp4")
    found = {
        name: shared_tab.request.get(f"{address.rstrip('/')}/gradio_api/file={folder / name}").status
        for name in ("cat.mp4", "secret.txt", "later.mp4")
    }
    assert found["cat.mp4"] == 200
    assert found["secret.txt"] in (403, 404) and found["later.mp4"] in (403, 404)


def test_moments_are_taken_to_an_editor(tab):
    search(tab, "a cat")
    expect(tab.locator("#library-moments button").first).to_contain_text("cat.mp4")
    tab.get_by_text("Take these moments to an editor").click()
    tab.click("#library-export")
    link = tab.locator("#library-files a").first
    expect(link).to_be_visible()
    with tab.expect_download() as started:
        link.click()
    assert "FROM CLIP NAME: cat.mp4" in Path(started.value.path()).read_text()
