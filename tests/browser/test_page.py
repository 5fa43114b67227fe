"""The page as someone with a clip and a sentence uses it."""

import re

import pytest
from playwright.sync_api import expect

from grounding.app import models
from grounding.app.job_queue import job_queue
from tests.browser.steps import (
    Gated,
    ask,
    count_moves,
    play_time,
    upload,
    wait_for_move,
    wait_for_time,
    wait_until,
)
from tests.clips import colours


def test_from_upload_to_answer(tab, scenes):
    upload(tab, scenes)
    expect(tab.locator("#clip video")).to_be_visible()
    ask(tab, "a cup of coffee")
    expect(tab.locator("#message [role=status]")).to_contain_text("a cup of coffee")
    tab.get_by_text("Model and number of segments").click()
    expect(tab.locator("#answered")).to_contain_text("Answered by embedded on the CPU")
    expect(tab.locator("#plot .scatterlayer .js-line").first).to_be_visible()
    expect(tab.locator("#frames img").first).to_be_visible()
    expect(tab.locator("#segments label").first).to_contain_text("0:07.")
    tab.wait_for_function("document.querySelector('#clip video').currentTime > 7")
    assert play_time(tab) == pytest.approx(7.75, abs=0.3)
    assert tab.elsewhere == []


def test_a_second_query_does_not_encode_again(tab, scenes, monkeypatch):
    upload(tab, scenes)
    ask(tab, "a cat")
    expect(tab.locator("#message")).to_contain_text("a cat")

    def no_encoding(*args):
        raise AssertionError("the clip was encoded again")

    monkeypatch.setattr(models.load_predictor("embedded"), "grow_video", no_encoding)
    tab.fill("#query textarea", "a rocket")
    tab.press("#query textarea", "Enter")
    expect(tab.locator("#message")).to_contain_text("a rocket")
    expect(tab.locator("#message")).to_contain_text(re.compile(r"0:0[34]\.\d to 0:07"))


def test_an_error_is_shown_beside_the_input_and_the_clip_stays(tab, scenes):
    upload(tab, scenes)
    expect(tab.locator("#clip video")).to_be_visible()
    tab.click("#find")
    expect(tab.locator("#message [role=alert]")).to_contain_text("The query is empty")
    ask(tab, "a cat")
    expect(tab.locator("#message [role=status]")).to_contain_text("a cat")


def test_an_error_leaves_the_last_answer_and_the_video_alone(tab, scenes):
    upload(tab, scenes)
    ask(tab, "a cup of coffee")
    tab.wait_for_function("document.querySelector('#clip video').currentTime > 7")
    tab.evaluate("document.querySelector('#clip video').currentTime = 2")
    count_moves(tab)
    ask(tab, " ")
    expect(tab.locator("#message [role=alert]")).to_contain_text("The query is empty")
    expect(tab.locator("#frames img").first).to_be_visible()
    wait_for_move(tab)
    assert play_time(tab) == pytest.approx(2, abs=0.1)


def test_an_answer_about_a_clip_that_has_left_is_not_shown(fresh_tab, scenes, tmp_path, monkeypatch):
    """Another clip is dropped onto the page while one is at work, with no press on a button that would cancel."""
    predictor = models.load_predictor("embedded")
    gated = Gated(predictor.frame_encoder)
    monkeypatch.setattr(predictor, "frame_encoder", gated)
    upload(fresh_tab, scenes)
    ask(fresh_tab, "a cat")
    expect(fresh_tab.locator("#progress [role=progressbar]")).to_be_visible()
    fresh_tab.locator("#clip button[aria-label='Clear']").click()
    upload(fresh_tab, colours(tmp_path / "other.mp4"))
    expect(fresh_tab.locator("#clip video")).to_be_visible()
    gated.let_go(100)
    wait_until(fresh_tab, lambda: not job_queue().jobs)
    expect(fresh_tab.locator("#progress [role=progressbar]")).to_have_count(0)
    expect(fresh_tab.locator("#message [role=status]")).to_have_count(0)
    expect(fresh_tab.locator("#segments")).to_be_hidden()


def test_an_example_answers_when_it_is_pressed_and_the_next_one_adds_its_curve(tab):
    tab.get_by_role("button", name="A cup of coffee on a wooden table").click()
    expect(tab.locator("#clip video")).to_be_visible()
    expect(tab.locator("#query textarea")).to_have_value("A cup of coffee on a wooden table")
    expect(tab.locator("#message [role=status]")).to_contain_text("A cup of coffee on a wooden table")
    expect(tab.locator("#message [role=status]")).to_be_focused()  # for the keyboard to go on from
    tab.get_by_role("button", name="A close-up of a cat's face").click()
    expect(tab.locator("#message [role=status]")).to_contain_text("A close-up of a cat")
    expect(tab.locator("#queries label")).to_have_count(2)
    tab.get_by_role("button", name="A rocket on its launch pad at dusk").click()  # of another clip
    expect(tab.locator("#message [role=status]")).to_contain_text("A rocket")
    expect(tab.locator("#queries label")).to_have_count(1)
    wait_for_time(tab, 7.75, within=1.5)  # the rocket comes at 8 s


def test_nothing_is_offered_that_needs_the_network(tab, scenes):
    upload(tab, scenes)
    expect(tab.locator("#clip button[aria-label='Clear']")).to_be_visible()
    expect(tab.get_by_role("button", name="Trim")).to_have_count(0)  # it would fetch ffmpeg
    assert tab.elsewhere == []


def test_without_a_clip_the_message_says_what_to_do_until_there_is_one(tab, scenes):
    ask(tab, "a cat")
    expect(tab.locator("#message [role=alert]")).to_contain_text("upload a video")
    upload(tab, scenes)
    expect(tab.locator("#message [role=alert]")).to_have_count(0)


def test_another_clip_clears_the_last_answer(tab, scenes, tmp_path):
    upload(tab, scenes)
    ask(tab, "a cat")
    expect(tab.locator("#message")).to_contain_text("a cat")
    tab.locator("#clip button[aria-label='Clear']").click()
    upload(tab, colours(tmp_path / "other.mp4"))
    expect(tab.locator("#message")).not_to_contain_text("a cat")
    expect(tab.locator("#segments")).to_be_hidden()


def test_two_visitors_see_their_own_clip(tab, visit, scenes, tmp_path):
    other = visit()
    upload(tab, scenes)
    upload(other, colours(tmp_path / "other.mp4"))
    ask(tab, "a cat")
    ask(other, "something blue")
    expect(tab.locator("#message")).to_contain_text("a cat")
    expect(other.locator("#message")).to_contain_text("something blue")
    expect(tab.locator("#plot .xtick").last).to_contain_text("0:12")
    expect(other.locator("#plot .xtick").last).to_contain_text("0:06")


def test_the_page_fits_a_phone(visit, scenes):
    phone = visit(390, 844, has_touch=True, is_mobile=True)
    expect(phone.locator("#find")).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    upload(phone, scenes)
    ask(phone, "a cup of coffee")
    expect(phone.locator("#frames img").first).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    order = ["#find", "#message", "#plot", "#queries", "#segments", "#frames", "#examples"]
    tops = [phone.locator(part).bounding_box()["y"] for part in order]
    assert tops == sorted(tops)
    phone.set_viewport_size({"width": 1000, "height": 844})  # turned, or made wider
    phone.wait_for_function("document.querySelector('#plot .main-svg').clientWidth > 400")
    legend, tick = (phone.locator(part).first.bounding_box() for part in ("#plot .legend", "#plot .xtick"))
    assert legend["y"] >= tick["y"] + tick["height"]


def test_an_empty_plot_is_no_stop_for_the_keyboard(tab):
    expect(tab.locator("#plot .js-plotly-plot")).to_be_visible()
    stops = "all => all.filter(it => it.tabIndex >= 0 && it.checkVisibility()).map(it => it.outerHTML)"
    assert tab.locator("#plot *").evaluate_all(stops) == []


def test_what_can_be_pressed_has_a_name_and_an_order(tab, scenes):
    upload(tab, scenes)
    ask(tab, "a cup of coffee")
    expect(tab.locator("#frames img").first).to_be_visible()
    unnamed = tab.locator("button:visible, [role=slider]:visible").evaluate_all(
        "all => all.filter(it => !it.innerText.trim() && !it.ariaLabel && !it.title).map(it => it.outerHTML)"
    )
    assert unnamed == []
    tab.locator("#query textarea").focus()
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.id") == "find"
