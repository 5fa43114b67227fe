"""What a visitor does, and what can be read off the page."""

import re
import threading
import time

from playwright.sync_api import expect


def upload(tab, path):
    tab.set_input_files("#clip input[type=file]", str(path))
    expect(tab.locator("#clip video")).to_be_attached()  # before that, the page has no clip to ask about


def clear(tab):
    """Takes the clip off the page, and with it all that was said of it."""
    button = tab.locator("#clip button[aria-label='Clear']")
    if button.count():
        with tab.expect_request("**/run/**") as told:
            button.click()
        told.value.response().finished()
    expect(tab.locator("#clip input[type=file]")).to_be_attached()
    expect(tab.locator("#segments")).to_be_hidden()
    expect(tab.locator("#message [role]")).to_have_count(0)
    tab.fill("#query textarea", "")


def ask(tab, query):
    tab.fill("#query textarea", query)
    tab.click("#find")


def answered(tab, path, *queries):
    """Uploads a clip and asks queries one after another. Returns the page."""
    upload(tab, path)
    expect(tab.locator("#clip video")).to_be_visible()
    for query in queries:
        ask(tab, query)
        expect(tab.locator("#message [role=status]")).to_contain_text(query)
    return tab


def play_time(tab):
    return tab.evaluate("document.querySelector('#clip video').currentTime")


def plays(tab):
    return tab.evaluate("!document.querySelector('#clip video').paused")


def wait_for_time(tab, seconds, within=0.3):
    tab.wait_for_function(
        "([at, within]) => Math.abs(document.querySelector('#clip video').currentTime - at) < within",
        arg=[seconds, within],
    )


def span(text):
    """Start and end in a line such as "1 · 0:07.8 to 0:12.0 · score 0.52", seconds."""
    (a, b), (c, d) = re.findall(r"(\d+):(\d+\.\d)", text)[:2]
    return 60 * int(a) + float(b), 60 * int(c) + float(d)


def place(tab, share):
    """A point of the plot's area, `share` of the way along its time axis."""
    tab.locator("#plot").scroll_into_view_if_needed()
    box = tab.locator("#plot .nsewdrag").bounding_box()
    return box["x"] + share * box["width"], box["y"] + 0.3 * box["height"]


def playhead(tab):
    """Where the playhead stands, as a share of the time axis."""
    area = tab.locator("#plot .nsewdrag").bounding_box()
    head = tab.locator("#playhead").bounding_box()
    return (head["x"] + head["width"] / 2 - area["x"]) / area["width"]


def count_moves(tab):
    """From now on the page counts how often it was told where the video stands, which is the last word of an event."""
    tab.evaluate("""() => {
      const show = window.grounding.show;
      window.moves = 0;
      window.grounding.show = (span) => (show(span), window.moves++);
    }""")


def wait_for_move(tab):
    """Until an event of the page has come to its end since."""
    tab.wait_for_function("window.moves > 0")


def wait_until(tab, is_so, seconds=120.0):
    """Until something holds on the server, which runs in this process; the page goes on meanwhile."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it did not come about"
        tab.wait_for_timeout(50)


class Gated:
    """A frame encoder that waits before each chunk until it is let go."""

    def __init__(self, encoder):
        self.encoder, self.name, self.width, self.batch = encoder, encoder.name, encoder.width, encoder.batch
        self.gate, self.calls = threading.Semaphore(0), 0

    def encode(self, frames):
        self.calls += 1
        self.gate.acquire(timeout=300)
        return self.encoder.encode(frames)

    def let_go(self, chunks=1):
        self.gate.release(chunks)
