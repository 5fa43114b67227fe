"""The page as someone with a clip and a sentence uses it."""

import re
import threading

import pytest
from playwright.sync_api import expect

from grounding import serving
from grounding.errors import VideoError
from tests.clips import bad_file, colours


def upload(tab, path):
    tab.set_input_files("#clip input[type=file]", str(path))


def ask(tab, query):
    tab.fill("#query textarea", query)
    tab.click("#find")


def play_time(tab):
    return tab.evaluate("document.querySelector('#clip video').currentTime")


def test_from_upload_to_answer(tab, scenes):
    upload(tab, scenes)
    expect(tab.locator("#clip video")).to_be_visible()
    ask(tab, "a cup of coffee")
    expect(tab.locator("#message")).to_contain_text("Answered by embedded")
    expect(tab.locator("#message")).to_contain_text("the only checkpoint installed")
    expect(tab.locator("#plot .scatterlayer .js-line").first).to_be_visible()
    expect(tab.locator("#frames img").first).to_be_visible()
    expect(tab.locator("#hard img").first).to_be_visible()
    expect(tab.locator("#hard")).to_contain_text(re.compile(r"scale 1\s+score \d\.\d\d · similarity"))
    expect(tab.get_by_text("Hard negatives are the frames just outside")).to_be_visible()
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

    monkeypatch.setattr(serving.load_predictor("embedded"), "encode_video", no_encoding)
    tab.fill("#query textarea", "an astronaut")
    tab.press("#query textarea", "Enter")
    expect(tab.locator("#message")).to_contain_text("an astronaut")
    expect(tab.locator("#message")).to_contain_text(re.compile(r"0:0[34]\.\d to 0:07"))


def test_choosing_a_segment_moves_the_video_and_the_frames(tab, scenes):
    upload(tab, scenes)
    ask(tab, "a cup of coffee")
    expect(tab.locator("#segments label").nth(1)).to_be_visible()
    second = tab.locator("#segments label").nth(1)
    minutes, seconds = re.search(r"(\d+):(\d+\.\d)", second.inner_text()).groups()
    second.click()
    tab.wait_for_function(
        "start => Math.abs(document.querySelector('#clip video').currentTime - start) < 0.2",
        arg=60 * int(minutes) + float(seconds),
    )


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
    ask(tab, " ")
    expect(tab.locator("#message [role=alert]")).to_contain_text("The query is empty")
    expect(tab.locator("#frames img").first).to_be_visible()
    tab.wait_for_timeout(500)  # a video that moves does so after the message
    assert play_time(tab) == pytest.approx(2, abs=0.1)


def test_waiting_is_told_beside_the_button(tab, scenes, monkeypatch):
    go = threading.Event()

    def slow(path, progress):
        progress(0.25, "Encoded 3 s of video")
        go.wait(30)
        raise VideoError("That was enough.")

    monkeypatch.setattr(serving.load_predictor("embedded"), "encode_video", slow)
    upload(tab, scenes)
    ask(tab, "a cat")
    try:
        expect(tab.locator("#waiting [role=progressbar]")).to_have_attribute("aria-valuenow", "25")
        expect(tab.locator("#waiting")).to_contain_text("Encoded 3 s of video")
    finally:
        go.set()
    expect(tab.locator("#message [role=alert]")).to_contain_text("That was enough.")


def test_an_answer_about_a_clip_that_has_left_is_not_shown(tab, scenes, tmp_path, monkeypatch):
    go, predictor = threading.Event(), serving.load_predictor("embedded")
    encode = predictor.encode_video

    def slow(path, progress):
        go.wait(30)
        return encode(path, progress)

    monkeypatch.setattr(predictor, "encode_video", slow)
    upload(tab, scenes)
    ask(tab, "a cat")
    expect(tab.locator("#waiting [role=progressbar]")).to_be_visible()
    tab.locator("#clip button[aria-label='Clear']").click()
    upload(tab, colours(tmp_path / "other.mp4"))
    expect(tab.locator("#clip video")).to_be_visible()
    go.set()
    expect(tab.locator("#waiting [role=progressbar]")).to_have_count(0)
    expect(tab.locator("#message [role=status]")).to_have_count(0)
    expect(tab.locator("#segments")).to_have_count(0)


def test_an_example_answers_when_its_query_is_pressed(tab):
    tab.get_by_role("button", name="A cup of coffee on a wooden table").click()
    expect(tab.locator("#clip video")).to_be_visible()
    expect(tab.locator("#query textarea")).to_have_value("A cup of coffee on a wooden table")
    tab.click("#find")
    expect(tab.locator("#message [role=status]")).to_contain_text("A cup of coffee on a wooden table")


def test_nothing_is_offered_that_needs_the_network(tab, scenes):
    upload(tab, scenes)
    expect(tab.locator("#clip button[aria-label='Clear']")).to_be_visible()
    expect(tab.get_by_role("button", name="Trim")).to_have_count(0)  # it would fetch ffmpeg
    assert tab.elsewhere == []


def test_without_a_clip_the_message_says_what_to_do(tab):
    ask(tab, "a cat")
    expect(tab.locator("#message [role=alert]")).to_contain_text("upload a video")


def test_a_file_that_is_no_video_is_named(tab, tmp_path):
    upload(tab, bad_file("truncated", tmp_path))
    expect(tab.locator("#clip video")).to_be_attached()
    ask(tab, "a cat")
    expect(tab.locator("#message [role=alert]")).to_contain_text("truncated.mp4")


def test_another_clip_clears_the_last_answer(tab, scenes, tmp_path):
    upload(tab, scenes)
    ask(tab, "a cat")
    expect(tab.locator("#message")).to_contain_text("a cat")
    tab.locator("#clip button[aria-label='Clear']").click()
    upload(tab, colours(tmp_path / "other.mp4"))
    expect(tab.locator("#message")).not_to_contain_text("a cat")
    expect(tab.locator("#segments")).to_have_count(0)


def test_two_visitors_see_their_own_clip(tab, chromium, address, scenes, tmp_path):
    other = chromium.new_context().new_page()
    other.goto(address)
    upload(tab, scenes)
    upload(other, colours(tmp_path / "other.mp4"))
    ask(tab, "a cat")
    ask(other, "something blue")
    expect(tab.locator("#message")).to_contain_text("a cat")
    expect(other.locator("#message")).to_contain_text("something blue")
    expect(tab.locator("#plot .xtick").last).to_contain_text("0:12")
    expect(other.locator("#plot .xtick").last).to_contain_text("0:06")
    other.context.close()


def test_the_page_fits_a_phone(chromium, address):
    context = chromium.new_context(viewport={"width": 390, "height": 844})
    phone = context.new_page()
    phone.goto(address)
    expect(phone.locator("#find")).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()
