"""What nearly fooled the model, and what the model without hard-negative mining says."""

import copy
import re

import pytest
from playwright.sync_api import expect

from grounding.app import find
from tests.browser.steps import answered, play_time, wait_for_time

MOVED_ON = "asked => document.querySelector('#clip video').currentTime > asked"


@pytest.fixture(scope="module")
def rocket(shared_tab, scenes):
    """An answer to look around in."""
    return answered(shared_tab, scenes, "a rocket")


def test_boundary_frames_stand_beside_the_frame_just_inside(rocket):
    frames = rocket.locator("#frames")
    expect(frames.get_by_text("just inside")).to_have_count(2)
    expect(frames).to_contain_text("likely to be mistaken for “a rocket”: these frames look different")
    values = re.compile(r"within \d s.*score \d\.\d\d.*similarity -?\d\.\d\d")
    expect(frames.locator(".frame.hard").first).to_contain_text(values)
    drawn = frames.locator(".frame img").first.evaluate("image => image.naturalWidth")
    assert drawn > 100
    expect(rocket.locator("#plot .legendtext", has_text="just outside: within 1 s")).to_be_visible()


def test_a_press_on_a_frame_moves_the_video_there(rocket):
    for frame in (rocket.locator(".frame.hard").first, rocket.locator(".frame.inside").last):
        frame.click()
        asked = float(frame.get_attribute("data-time"))
        wait_for_time(rocket, asked, within=0.1)
        rocket.wait_for_function(MOVED_ON, arg=asked)  # once more, or Chromium may show the frame from before


def test_frames_can_be_reached_and_pressed_by_keyboard(rocket):
    frame = rocket.get_by_role("button", name=re.compile("frame at .* within 1 s")).first
    frame.focus()
    rocket.keyboard.press("Enter")
    wait_for_time(rocket, float(frame.get_attribute("data-time")), within=0.1)


def test_no_switch_where_there_is_nothing_to_compare_with(tab, scenes, monkeypatch):
    monkeypatch.setattr(find, "load_baseline", lambda config: None)
    answered(tab, scenes, "a rocket")
    expect(tab.get_by_label("Compare with the same model")).to_have_count(0)


def test_the_switch_draws_the_other_curve_dashed_and_says_what_differs(tab, scenes, monkeypatch):
    other = copy.copy(find.load_predictor("embedded"))
    other.matcher = copy.copy(other.matcher)  # the served one stays as it is
    other.matcher.grounder = copy.deepcopy(other.grounder)
    other.grounder.bias.data += 1.0
    monkeypatch.setattr(find, "load_baseline", lambda config: other)
    answered(tab, scenes, "a rocket")
    place = play_time(tab)
    tab.get_by_label("Compare with the same model").check()
    expect(tab.locator("#frames")).to_contain_text("the same model trained without it (dashed) says")
    expect(tab.locator("#plot .legendtext", has_text="without hard-negative mining")).to_be_visible()
    dashes = tab.locator("#plot .scatterlayer .js-line").evaluate_all("all => all.map(it => it.style.strokeDasharray)")
    assert len([dash for dash in dashes if dash and dash != "none"]) == 1
    expect(tab.locator(".frame.hard").first).to_contain_text("no mining")
    assert play_time(tab) == pytest.approx(place, abs=0.1)
    tab.get_by_label("Compare with the same model").uncheck()
    expect(tab.locator(".frame.hard").first).not_to_contain_text("no mining")
