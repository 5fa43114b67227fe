"""What is taken away, and clips that a browser cannot play."""

import csv
import re

import av
import numpy as np
import pytest
from PIL import Image, ImageColor
from playwright.sync_api import expect

from grounding.app.plots import COLOURS
from tests.browser.steps import answered, ask, place, span, upload
from tests.clips import write_video


def download(tab, press):
    """The files that stand there after a press, saved."""
    tab.get_by_role("button", name=press).click()
    links = tab.locator("#files a[download]")
    expect(links.first).to_be_visible()
    files = {}
    for link in links.all():
        with tab.expect_download() as caught:
            link.click()
        files[caught.value.suggested_filename] = caught.value.path()
    return files


@pytest.fixture(scope="module")
def away(shared_tab, scenes):
    """Two answers to take away."""
    answered(shared_tab, scenes, "a cat", "a cup of coffee")
    shared_tab.get_by_text("Take it away").click()
    return shared_tab


def test_the_segment_as_mp4_is_as_long_as_the_segment(away):
    start, end = span(away.locator("#segments label").first.inner_text())
    ((name, path),) = download(away, "Segment as mp4").items()
    assert name == f"scenes_a_cup_of_coffee_{start:.1f}-{end:.1f}s.mp4"
    with av.open(str(path)) as container:
        assert container.duration / 1e6 == pytest.approx(end - start, abs=0.2)


def test_the_results_of_all_queries_as_tables_json_and_a_page(away):
    download(away, "Segment as mp4")
    away.get_by_role("button", name="Results as JSON, CSV, HTML").click()
    expect(away.locator("#files a[download]")).to_have_count(5)  # beside what was made before
    files = download(away, "Results as JSON, CSV, HTML")
    assert sorted(re.sub(r".*_(?=\D)|coffee_[\d.-]+", "", name) for name in files) == [
        "plot.html",
        "results.json",
        "s.mp4",
        "scores.csv",
        "segments.csv",
    ]
    with files["scenes_segments.csv"].open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["query"] for row in rows} == {"a cat", "a cup of coffee"}
    assert all(float(row["start"]) < float(row["end"]) for row in rows)


def test_the_plot_as_png(away):
    with away.expect_download() as caught:
        away.get_by_role("button", name="Plot as PNG").click()
    assert caught.value.suggested_filename == "scenes_scores.png"
    picture = Image.open(caught.value.path()).convert("RGB")
    legend = picture.crop((0, int(0.85 * picture.height), picture.width, picture.height))
    active = ImageColor.getrgb(COLOURS[1])  # queries are named below the plot
    assert active in {colour for _, colour in legend.getcolors(2**20)}


@pytest.mark.parametrize(("name", "codec"), [("clip.avi", "mpeg4"), ("clip.mp4", "libx265")])
def test_a_clip_that_the_browser_cannot_play_is_grounded_and_shown(tab, tmp_path, name, codec):
    frames = [np.full((240, 320, 3), shade, np.uint8) for shade in (200, 40) for _ in range(30)]
    path = write_video(tmp_path / name, frames, codec=codec)
    upload(tab, path)
    expect(tab.locator("#preview video")).to_be_visible()
    tab.wait_for_function("document.querySelector('#preview video').duration > 5.5")
    ask(tab, "something dark")
    expect(tab.locator("#message [role=status]")).to_contain_text("something dark")
    tab.mouse.click(*place(tab, 0.5))
    tab.wait_for_function("Math.abs(document.querySelector('#preview video').currentTime - 3) < 0.3")
    tab.locator("#clip button[aria-label='Clear']").click()
    expect(tab.locator("#preview")).to_have_count(0)
