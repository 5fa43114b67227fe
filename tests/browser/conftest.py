"""A headless Chromium, where one is installed; in CI there has to be one."""

import os
import shutil

import pytest
from playwright.sync_api import expect, sync_playwright

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


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


@pytest.fixture
def tab(chromium, address):
    """The page, open in a fresh session; `tab.elsewhere` collects requests to any other address."""
    expect.set_options(timeout=60_000)
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    tab.elsewhere = []
    tab.on("request", lambda request: request.url.startswith("http") and _note(tab, request.url, address))
    tab.goto(address)
    yield tab
    context.close()


def _note(tab, url, address):
    if not url.startswith(address):
        tab.elsewhere.append(url)
