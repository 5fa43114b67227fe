"""The curve and the video are one."""

import pytest
from playwright.sync_api import expect

from tests.browser.steps import answered, place, play_time, playhead, plays, span, wait_for_time, wait_until


@pytest.fixture(scope="module")
def asked(shared_tab, scenes):
    answered(shared_tab, scenes, "a cup of coffee")
    wait_for_time(shared_tab, 7.75)
    return shared_tab


@pytest.fixture
def cup(asked):
    """An answer to look around in: the cup fills the last four of twelve seconds, and the video stands there."""
    yield asked
    asked.mouse.move(5, 5)
    asked.get_by_label("Loop").uncheck()
    asked.evaluate("const it = document.querySelector('#clip video'); it.pause(); it.currentTime = 8")
    wait_for_time(asked, 8, within=0.01)


def test_a_click_on_the_curve_moves_the_video(cup):
    for share in (0.25, 0.75):
        cup.mouse.click(*place(cup, share))
        wait_for_time(cup, 12 * share)
    assert not plays(cup)


def test_the_playhead_follows_the_video(cup):
    assert playhead(cup) == pytest.approx(8 / 12, abs=0.02)
    cup.evaluate("document.querySelector('#clip video').currentTime = 1")
    wait_for_time(cup, 1)
    cup.evaluate("document.querySelector('#clip video').play()")
    cup.wait_for_function("document.querySelector('#clip video').currentTime > 1.5")
    cup.evaluate("document.querySelector('#clip video').pause()")
    wait_until(cup, lambda: playhead(cup) == pytest.approx(play_time(cup) / 12, abs=0.02))


def test_the_playhead_is_a_slider_for_the_keyboard(cup):
    head = cup.get_by_role("slider", name="Position in the video")
    head.focus()
    cup.keyboard.press("ArrowLeft")
    wait_for_time(cup, 7.5)
    expect(head).to_have_attribute("aria-valuetext", "0:07.5")
    cup.keyboard.press("Home")
    wait_for_time(cup, 0)


def test_at_the_pointer_stand_time_score_and_the_frame_there(cup):
    cup.mouse.move(*place(cup, 0.5))
    expect(cup.locator("#peek")).to_be_visible()
    expect(cup.locator("#peek")).to_contain_text("0:06.0")
    expect(cup.locator("#peek")).to_contain_text("score")
    image = cup.locator("#peek .tile").evaluate("tile => getComputedStyle(tile).backgroundImage")
    assert image.startswith('url("data:image/jpeg')
    cup.mouse.move(5, 5)
    expect(cup.locator("#peek")).to_be_hidden()


def test_a_segment_loops(cup):
    start, end = span(cup.locator("#segments label").first.inner_text())
    cup.get_by_label("Loop").check()
    cup.get_by_role("button", name="Play the segment").click()
    cup.wait_for_function("!document.querySelector('#clip video').paused")
    cup.evaluate("end => document.querySelector('#clip video').currentTime = end - 0.3", end)
    wait_for_time(cup, start + 0.3, within=0.5)
    assert plays(cup)
    cup.mouse.click(*place(cup, 0.1))  # elsewhere: the loop is over
    wait_for_time(cup, 1.2)
    assert not plays(cup)


def test_a_chosen_segment_plays_and_ends_where_it_ends(cup):
    second = cup.locator("#segments label").nth(1)
    start, end = span(second.inner_text())
    second.hover()
    outline, area = (cup.locator(part).bounding_box() for part in ("#outline", "#plot .nsewdrag"))
    assert (outline["x"] - area["x"]) / area["width"] == pytest.approx(start / 12, abs=0.02)
    assert outline["width"] / area["width"] == pytest.approx((end - start) / 12, abs=0.02)
    second.click()
    expect(cup.locator("#message [role=status]")).to_contain_text(second.inner_text().split(" · ")[1])
    cup.wait_for_function("!document.querySelector('#clip video').paused")
    assert start - 0.2 <= play_time(cup) <= end + 0.3
    cup.evaluate("end => document.querySelector('#clip video').currentTime = end - 0.3", end)
    cup.wait_for_function("document.querySelector('#clip video').paused")
    assert play_time(cup) == pytest.approx(end, abs=0.3)
