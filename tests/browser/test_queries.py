"""Several queries on one clip."""

import re

from playwright.sync_api import expect

from tests.browser.steps import answered, ask, play_time, span, wait_for_time


def colours(tab):
    """Colours of the curves on the plot."""
    lines = tab.locator("#plot .scatterlayer .js-line")
    return {line.evaluate("line => line.style.stroke") for line in lines.all()}


def test_two_queries_have_two_curves_and_one_can_leave(tab, scenes):
    answered(tab, scenes, "a cat", "a cup of coffee")
    expect(tab.locator("#queries label")).to_have_count(2)
    both = colours(tab)
    assert len(both) == 2
    swatches = [
        label.locator("span").evaluate("it => getComputedStyle(it).borderLeftColor")
        for label in tab.locator("#queries label").all()
    ]
    assert set(swatches) == both
    assert span(tab.locator("#segments label").first.inner_text())[0] > 7
    tab.get_by_role("button", name="Remove this query").click()
    expect(tab.locator("#queries label")).to_have_count(1)
    expect(tab.locator("#queries")).to_contain_text("a cat")
    expect(tab.locator("#segments label").first).to_contain_text("0:00.0")
    assert colours(tab) == {swatches[0]}


def test_the_query_that_is_picked_drives_segments_frames_and_video(tab, scenes):
    answered(tab, scenes, "a cat", "a cup of coffee")
    tab.locator("#queries label").first.click()
    expect(tab.locator("#segments label").first).to_contain_text("0:00.0")
    expect(tab.locator("#frames")).to_contain_text(re.compile("“a cat”"))
    expect(tab.locator("#query textarea")).to_have_value("a cat")
    expect(tab.locator("#message [role=status]")).to_contain_text("a cat")
    wait_for_time(tab, 0)


def test_what_does_not_stand_out_is_said_and_the_sixth_query_takes_the_place_of_the_first(tab, scenes):
    answered(tab, scenes, "a cat", "zxqv blorp")
    expect(tab.locator("#message [role=status]")).to_contain_text("Best guess: ")
    expect(tab.locator("#message [role=status]")).to_contain_text("Nothing here stands out for this sentence")
    expect(tab.locator("#frames")).to_contain_text("is uncertain, so the frames beside it are shown without a verdict")
    shading = tab.locator("#plot .shapelayer path").evaluate("path => path.style.opacity * path.style.fillOpacity")
    assert shading < 0.1
    for query in ("a rocket", "a dog", "a car"):
        ask(tab, query)
        expect(tab.locator("#message [role=status]")).to_contain_text(query)
    expect(tab.locator("#queries")).to_contain_text("5 at most: the next one takes the place of “a cat”")
    ask(tab, "a cup")
    expect(tab.locator("#message [role=status]")).to_contain_text("a cup")
    expect(tab.locator("#queries label")).to_have_count(5)
    expect(tab.locator("#queries label").first).to_contain_text("zxqv blorp")


def test_another_number_of_segments_applies_at_once(tab, scenes):
    answered(tab, scenes, "a cup of coffee")
    expect(tab.locator("#segments label")).to_have_count(3)
    tab.get_by_text("Model and number of segments").click()
    slider = tab.locator("#top-k input[type=range]")
    slider.fill("1")
    expect(tab.locator("#segments label")).to_have_count(1)
    tab.locator("#top-k input[type=number]").fill("99")  # as many as there can be
    expect(tab.locator("#segments label")).to_have_count(3)
    expect(slider).to_have_value("10")
    expect(tab.locator(".toast-body")).to_have_count(0)


def test_removing_the_last_one_leaves_an_empty_page(tab, scenes):
    answered(tab, scenes, "a cat")
    tab.get_by_role("button", name="Remove this query").click()
    expect(tab.locator("#segments")).to_be_hidden()
    expect(tab.locator("#frames")).to_be_hidden()
    assert colours(tab) == set()
    assert play_time(tab) < 0.5


def test_text_of_a_visitor_is_text_everywhere(tab, scenes):
    query = "<img src=x onerror='hurt=1'> ${hurt=1} {{cat}}"
    answered(tab, scenes, query)
    expect(tab.locator("#queries label")).to_contain_text(query)
    expect(tab.locator("#frames")).to_contain_text(query)
    assert tab.evaluate("window.hurt") is None
