"""Waiting is visible, a long video shows its curve as it grows, and cancel stops the work."""

import threading

import pytest
from playwright.sync_api import expect

from grounding.app import find, models
from grounding.app.job_queue import job_queue
from tests.browser.steps import Gated, answered, ask, upload, wait_until
from tests.clips import colours

# All that the line of progress says from now on, however briefly.
KEEP_PROGRESS = """() => {
  const line = document.querySelector("#progress");
  window.told = [line.textContent];
  new MutationObserver(() => window.told.push(line.textContent)).observe(
    line, { subtree: true, childList: true, characterData: true });
}"""


@pytest.fixture
def gated(monkeypatch):
    """The encoder of the served checkpoint, which waits before each chunk."""
    predictor = models.load_predictor("embedded")
    encoder = Gated(predictor.frame_encoder)
    monkeypatch.setattr(predictor, "frame_encoder", encoder)
    monkeypatch.setattr(find, "REDRAW", 0.0)
    yield encoder
    encoder.let_go(100)


@pytest.fixture
def tab(fresh_tab):
    """A session that has encoded nothing."""
    return fresh_tab


@pytest.fixture
def long(tmp_path):
    """48 seconds: three blocks, in each of which the first chunk alone shows something new."""
    return colours(tmp_path / "long.mp4", seconds=16.0, fps=4)


@pytest.fixture
def longer(tmp_path):
    """Two minutes: eight blocks, of each of which a frame alone is encoded."""
    return colours(tmp_path / "longer.mp4", seconds=40.0, fps=4)


def children():
    """The processes that decode or wait to, by the threads that listen to them."""
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("worker ")}


def at_work(tab, clip, gated):
    """A query on a clip whose first chunk is encoded; the processes that decode."""
    upload(tab, clip)
    ask(tab, "something green")
    gated.let_go(2)  # the key frames of a clip of more than a minute come first
    expect(tab.locator("#progress")).to_contain_text("Looked at 0:15")
    return children()


def wait_for_end(tab, decoding):
    """Until a process that decoded ends."""
    wait_until(tab, lambda: decoding - children())


def test_the_curve_grows_and_the_wait_is_told(tab, long, gated):
    upload(tab, long)
    ask(tab, "something green")
    expect(tab.locator("#progress")).to_contain_text("Loading the model")
    gated.let_go()
    expect(tab.locator("#progress")).to_contain_text("Looked at 0:15 of 0:48, about")
    bar = tab.locator("#progress [role=progressbar]")
    expect(bar).to_have_attribute("aria-valuenow", "32")
    assert bar.evaluate("it => it.firstChild.clientWidth / it.clientWidth") == pytest.approx(0.32, abs=0.01)
    expect(tab.locator("#plot .scatterlayer .js-line")).to_have_count(1)
    expect(tab.locator("#plot .xtick").last).to_contain_text("0:40")  # room for the rest
    first = tab.locator("#plot .js-plotly-plot").evaluate("it => it.calcdata[0].length")
    gated.let_go()
    expect(tab.locator("#progress")).to_contain_text("Looked at 0:31 of 0:48")
    expect(tab.locator("#segments")).to_be_hidden()
    gated.let_go()
    expect(tab.locator("#message [role=status]")).to_contain_text("something green")
    tab.wait_for_function("n => document.querySelector('#plot .js-plotly-plot').calcdata[0].length > n", arg=first)
    expect(tab.locator("#progress [role=progressbar]")).to_have_count(0)
    expect(tab.locator("#cancel")).to_be_hidden()


def test_cancel_stops_the_work_and_frees_the_queue(tab, longer, scenes, gated):
    decoding = at_work(tab, longer, gated)
    tab.get_by_role("button", name="Cancel").click()
    expect(tab.locator("#message")).to_contain_text("Stopped")  # at once: the encoder still waits
    expect(tab.locator("#progress [role=progressbar]")).to_have_count(0)
    expect(tab.locator("#progress .error")).to_have_count(0)
    expect(tab.locator("#cancel")).to_be_hidden()
    expect(tab.locator("#plot .scatterlayer .js-line")).to_have_count(0)
    wait_for_end(tab, decoding)
    assert gated.calls <= 3  # of eight
    tab.locator("#clip button[aria-label='Clear']").click()
    gated.let_go(100)
    answered(tab, scenes, "a cat")  # the model is free


def test_a_rough_answer_after_a_cancel_says_so_and_is_finished_by_another_press(tab, long_scenes, gated):
    upload(tab, long_scenes)
    ask(tab, "a cup of coffee")
    gated.let_go()
    expect(tab.locator("#progress")).to_contain_text("Rough, from")
    tab.get_by_role("button", name="Cancel").click()
    answer = tab.locator("#message [role=status]")
    expect(answer).to_contain_text("Stopped. A rough answer from the frames looked at so far; press Find to finish.")
    expect(answer.locator("b")).to_have_css("font-weight", "400")
    gated.let_go(100)
    tab.click("#find")
    expect(answer).not_to_contain_text("Stopped")
    expect(answer.locator("b")).to_have_css("font-weight", "700")


def test_what_is_asked_while_a_cancelled_work_still_ends_is_answered(tab, long, gated):
    upload(tab, long)
    ask(tab, "something green")
    expect(tab.locator("#progress")).to_contain_text("Loading the model")
    tab.get_by_role("button", name="Cancel").click()
    ask(tab, "something red")
    gated.let_go(100)
    expect(tab.locator("#message [role=status]")).to_contain_text("something red")
    expect(tab.locator("#progress .error")).to_have_count(0)
    expect(tab.locator(".toast-body")).to_have_count(0)


def test_what_is_asked_meanwhile_is_told_to_be_next_and_is_answered(tab, long, gated):
    upload(tab, long)
    ask(tab, "something green")
    expect(tab.locator("#progress")).to_contain_text("Loading the model")
    expect(tab.locator("#next")).to_be_hidden()
    tab.fill("#query textarea", "something red")
    tab.press("#query textarea", "Enter")
    expect(tab.locator("#next")).to_have_text("Next: “something red”")
    tab.fill("#query textarea", "something blue")  # thought better of it
    expect(tab.locator("#next")).to_have_text("Next: “something blue”")
    gated.let_go(100)
    expect(tab.locator("#message [role=status]")).to_contain_text("something blue")
    expect(tab.locator("#next")).to_be_hidden()
    expect(tab.locator("#queries label")).to_have_count(2)


def test_another_clip_is_answered_while_the_work_on_the_last_one_still_ends(tab, longer, scenes, gated):
    upload(tab, longer)
    ask(tab, "something green")
    expect(tab.locator("#progress")).to_contain_text("Loading the model")
    tab.locator("#clip button[aria-label='Clear']").click()
    expect(tab.locator("#progress .working")).to_have_count(0)
    upload(tab, scenes)
    tab.fill("#query textarea", "a cat")
    tab.click("#find")
    gated.let_go(100)
    expect(tab.locator("#message [role=status]")).to_contain_text("a cat")
    expect(tab.locator("#message")).not_to_contain_text("Stopped")


def test_an_example_ends_the_work_on_the_clip_before(tab, longer, gated):
    at_work(tab, longer, gated)
    tab.get_by_role("button", name="A man with a camera", exact=True).click()
    expect(tab.locator("#query textarea")).to_have_value("A man with a camera")
    wait_until(tab, lambda: any(job.clip.endswith("morning.mp4") for job in job_queue().jobs if job.clip))
    tab.evaluate(KEEP_PROGRESS)
    gated.let_go(2)  # where the work before ends without one of them, the example needs no more
    tab.wait_for_function("window.told.some((text) => text.includes('of 0:27'))")
    gated.let_go(100)
    expect(tab.locator("#message [role=status]")).to_contain_text("A man with a camera")


def test_a_clip_that_is_taken_away_stops_the_work_too(tab, longer, gated):
    decoding = at_work(tab, longer, gated)
    tab.locator("#clip button[aria-label='Clear']").click()
    expect(tab.locator("#progress [role=progressbar]")).to_have_count(0)
    gated.let_go()
    wait_for_end(tab, decoding)
    assert gated.calls <= 3  # of eight
    expect(tab.locator("#plot .scatterlayer .js-line")).to_have_count(0)
    expect(tab.locator("#message [role=status]")).to_have_count(0)


def test_whoever_waits_for_another_visitor_can_cancel_as_well(tab, visit, long, scenes, gated):
    other = visit()
    upload(other, long)
    ask(other, "something green")
    expect(other.locator("#progress")).to_contain_text("Loading the model")
    upload(tab, scenes)
    ask(tab, "a cat")
    expect(tab.locator("#progress")).to_contain_text("one other before you")
    tab.get_by_role("button", name="Cancel").click()
    expect(tab.locator("#message")).to_contain_text("Stopped")
    gated.let_go(3)
    expect(other.locator("#message [role=status]")).to_contain_text("something green")
    expect(tab.locator("#message")).to_contain_text("Stopped")
    assert gated.calls == 3


def test_whoever_leaves_frees_the_place_for_those_behind(tab, visit, long, scenes, gated):
    first, second = visit(), visit()
    for page, clip, told in (
        (first, long, "Loading the model"),
        (second, scenes, "one other"),
        (tab, scenes, "2 others"),
    ):
        upload(page, clip)
        ask(page, "a cat")
        expect(page.locator("#progress")).to_contain_text(told)
    second.close()
    expect(tab.locator("#progress")).to_contain_text("one other before you")
    gated.let_go(100)
    expect(tab.locator("#message [role=status]")).to_contain_text("a cat")
