"""A clip whose features are on disk already."""

import re

from playwright.sync_api import expect

from grounding.app import models
from grounding.features.disk_cache import FeatureCache
from tests.browser.steps import ask, upload


def test_it_is_answered_without_encoding_and_its_pictures_follow(tab, scenes, tmp_path, monkeypatch):
    predictor = models.load_predictor("embedded")
    monkeypatch.setattr(predictor.store, "cache", FeatureCache(tmp_path))
    predictor.encode_video(scenes)
    monkeypatch.setattr(predictor, "grow_video", lambda *_: 1 / 0)
    upload(tab, scenes)
    ask(tab, "a cup of coffee")
    expect(tab.locator("#message [role=status]")).to_contain_text("a cup of coffee")
    expect(tab.locator("#segments label").first).to_contain_text("0:07.")
    expect(tab.locator("#frames img").first).to_have_attribute("src", re.compile("^data:image/jpeg"))
    expect(tab.locator("#thumbnails img")).to_be_attached()
    expect(tab.locator("#progress [role=progressbar]")).to_have_count(0)
