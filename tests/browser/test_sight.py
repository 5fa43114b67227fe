"""What matters is in sight: the video stays pinned, covers nothing that is gone to, and an answer comes to its foot."""

from threading import Event

from playwright.sync_api import expect

from grounding.app import models
from tests.browser.steps import Gated, answered, upload, wait_for_time, wait_until

IS_ON_TOP = """(it) => {
  const at = it.getBoundingClientRect();
  return it.contains(document.elementFromPoint(at.left + at.width / 2, at.top + at.height / 2));
}"""

# Those that are covered of what can be pressed, gone to from the top of the page or from its end.
COVERED = """(all) => all.filter((it) => it.checkVisibility() && !it.closest("#clip")).flatMap((it) =>
  [0, document.documentElement.scrollHeight].filter((from) => {
    document.activeElement?.blur();
    scrollTo(0, from);
    it.focus();
    const at = it.getBoundingClientRect();
    const top = document.elementFromPoint(at.left + at.width / 2, at.top + at.height / 2);
    return !top || !(it.contains(top) || it.closest("label")?.contains(top));
  }).map((from) => `${it.outerHTML.slice(0, 80)} from ${from}`))"""


def hold(function, gate):
    """The function, which waits for the gate to open."""
    return lambda *arguments: gate.wait(300) and function(*arguments)


def is_at_the_foot(tab):
    """Whether the answer lies just below the pinned video."""
    clip, answer = (tab.locator(part).bounding_box() for part in ("#clip", "#message"))
    return abs(clip["y"]) < 1 and 0 <= answer["y"] - clip["y"] - clip["height"] < 20


def test_the_video_stays_in_sight_while_one_looks_around(tab, scenes):
    answered(tab, scenes, "a cup of coffee")
    for width, number in ((390, -1), (1000, 0)):
        tab.set_viewport_size({"width": width, "height": 844})
        frame = tab.locator(".frame").nth(number)
        frame.scroll_into_view_if_needed()
        frame.click()
        wait_for_time(tab, float(frame.get_attribute("data-time")), within=0.1)
        clip = tab.locator("#clip video").bounding_box()
        assert clip["y"] >= 0 and clip["height"] <= 844 / 3
        assert tab.locator("#clip").evaluate(IS_ON_TOP)


def test_the_pinned_video_covers_nothing_that_is_gone_to(tab, scenes):
    answered(tab, scenes, "a cup of coffee")
    tab.get_by_text("Take it away").click()
    expect(tab.get_by_role("button", name="Plot as PNG")).to_be_visible()
    for width in (390, 1000):
        tab.set_viewport_size({"width": width, "height": 700})
        assert tab.locator("#table :is(button, input, textarea)").evaluate_all(COVERED) == []


def test_on_a_phone_an_example_brings_its_progress_and_then_its_answer_to_the_foot_of_the_video(visit, monkeypatch):
    phone = visit(390, 844, has_touch=True, is_mobile=True)
    predictor = models.load_predictor("embedded")
    gated = Gated(predictor.frame_encoder)
    monkeypatch.setattr(predictor, "frame_encoder", gated)
    phone.get_by_role("button", name="A tray full of old coins").tap()
    expect(phone.locator("#progress [role=progressbar]")).to_be_in_viewport()
    gated.let_go(100)
    expect(phone.locator("#message [role=status]")).to_be_focused()
    wait_until(phone, lambda: is_at_the_foot(phone))
    expect(phone.locator("#frames img").first).to_be_visible()
    assert is_at_the_foot(phone)


def test_on_a_phone_what_a_cancel_left_comes_to_the_foot_of_the_video(visit, long_scenes, monkeypatch):
    phone = visit(390, 844, has_touch=True, is_mobile=True)
    predictor = models.load_predictor("embedded")
    gated = Gated(predictor.frame_encoder)
    monkeypatch.setattr(predictor, "frame_encoder", gated)
    upload(phone, long_scenes)
    phone.fill("#query textarea", "a cup of coffee")
    phone.locator("#find").tap()
    gated.let_go()
    expect(phone.locator("#progress")).to_contain_text("Rough, from")
    phone.locator("#cancel").tap()
    expect(phone.locator("#message [role=status]")).to_contain_text("Stopped")
    wait_until(phone, lambda: is_at_the_foot(phone))
    gated.let_go(100)


def test_whoever_scrolls_on_while_a_question_is_answered_is_left_there(visit, scenes, monkeypatch):
    phone = visit(390, 844)
    answered(phone, scenes, "a cat")
    predictor = models.load_predictor("embedded")
    monkeypatch.setattr(predictor, "ground", hold(predictor.ground, gate := Event()))
    phone.fill("#query textarea", "a rocket")
    phone.click("#find")
    expect(phone.locator("#progress [role=progressbar]")).to_be_in_viewport()
    phone.mouse.move(200, 600)
    phone.mouse.wheel(0, 1500)
    expect(phone.locator("#find")).not_to_be_in_viewport()
    gate.set()
    expect(phone.locator("#message [role=status]")).to_contain_text("a rocket")
    expect(phone.locator("#message")).not_to_be_in_viewport()
