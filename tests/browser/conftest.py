"""A headless Chromium, where one is installed; in CI there has to be one."""

import os
import shutil
from contextlib import contextmanager

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.browser.steps import clear

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
PATIENCE = 120_000  # milliseconds that a machine with other work on it may take

WIDTH, HEIGHT = 1280, 900  # pixels of a visitor's window


@pytest.fixture(scope="session")
def chromium():
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        message = "no Chromium found: install it (Debian: apt-get install chromium) to run the browser tests"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def profile(chromium):
    """That of one visitor after another: Chromium reads the page's scripts once, and each page is a session of its own.

    Who is there at the same time has another one, since a browser opens six connections at most.
    """
    with chromium.new_context() as context:
        yield context


@contextmanager
def visits(chromium, address):
    """Opens the page for visitors, in windows of a width; each waits for what it needs, not for a time."""
    expect.set_options(timeout=PATIENCE)
    pages = []

    def open_page(width=WIDTH, height=HEIGHT, profile=None, **more):
        page = profile.new_page() if profile else chromium.new_page(**more)
        pages.append(page)
        page.set_default_timeout(PATIENCE)
        page.set_viewport_size({"width": width, "height": height})
        page.elsewhere = []
        page.on("request", lambda request: request.url.startswith("http") and _note(page, request.url, address))
        page.goto(address)
        return page

    yield open_page
    for page in pages:
        page.close()


@pytest.fixture
def visit(chromium, address):
    """Opens the page for one more visitor."""
    with visits(chromium, address) as open_page:
        yield open_page


@pytest.fixture
def fresh_tab(visit, profile):
    """The page in a session of its own."""
    return visit(profile=profile)


@pytest.fixture(scope="module")
def shared_tab(chromium, address, profile):
    """The page, open in one session for a file's tests; its `elsewhere` collects requests to any other address."""
    with visits(chromium, address) as open_page:
        yield open_page(profile=profile)


@pytest.fixture
def tab(shared_tab):
    """The file's page, from which what the test before left is taken away."""
    shared_tab.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    clear(shared_tab)
    return shared_tab


def _note(page, url, address):
    if not url.startswith(address):
        page.elsewhere.append(url)
