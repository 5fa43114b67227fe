"""What is said of a clip as soon as it is uploaded, before anybody asks."""

import pytest
from playwright.sync_api import expect

from tests.browser.steps import upload
from tests.clips import bad_file


@pytest.mark.parametrize("kind", ["empty", "text", "truncated", "sound"])
def test_a_file_that_is_no_video_is_told_at_once(tab, tmp_path, kind):
    upload(tab, bad_file(kind, tmp_path))
    expect(tab.locator("#message [role=alert]")).to_contain_text(f"{kind}.mp4")
    tab.wait_for_timeout(1000)
    expect(tab.locator("#message [role=alert]")).to_contain_text(f"{kind}.mp4")
