import pytest

from grounding.isolation.client import IsolatedReader
from tests.clips import RED, plain, write_video
from tests.trust import bombs, inputs
from tests.trust.references import GREENISH, secret

QUICK = ("claims-64.mov", "header-65535.mp4", "header-65535.mkv", "lasts-136-years.mp4", "zero-clock.mp4")


def test_a_picture_that_is_too_large_is_told_the_limit_and_the_option(tmp_path, monkeypatch):
    monkeypatch.setattr(inputs, "decode", lambda path: list(IsolatedReader(path, 2.0)))
    made = {name: bombs.bombs()[name] for name in QUICK}
    made["claims-64.mov"] = (lambda path: bombs.pictures(path, (64, 64), [6400] * 3), bombs.LIMIT)
    assert [(name, said) for name, said in inputs.exploded(tmp_path, made) if said] == []


def test_pictures_are_no_videos(tmp_path):
    results = list(inputs.posed(tmp_path))
    assert len(results) >= 5
    assert [said for _, said in results if said] == []


def test_nothing_that_a_file_points_to_is_read(tmp_path):
    results = list(inputs.pointed(tmp_path))
    assert len(results) > 30
    assert [(name, said) for name, said in results if said] == []


def test_the_secret_would_be_noticed(tmp_path):
    with secret(tmp_path) as hidden:
        assert list(inputs.leaks(str(hidden.path), hidden)) == [
            "ours shows the secret", "PyAV shows the secret", "OpenCV shows the secret"
        ]  # fmt: skip
    other = write_video(tmp_path / "red.mp4", [plain(RED)] * 5)
    assert max(image[..., 1].mean() for image in inputs.ours(other)) < GREENISH


@pytest.mark.parametrize("size", [(7680, 4320), (4096, 2160)])
def test_large_pictures_within_the_limit_are_fine(tmp_path, size):
    path = bombs.pictures(tmp_path / "large.mov", size, [size] * 2)
    assert len(list(IsolatedReader(path, 2.0))) == 1
