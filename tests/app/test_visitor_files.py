from pathlib import Path

import pytest

from grounding.app.visitor_files import Visitors


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def upload(cache: Path, name: str = "clip.mp4") -> str:
    """As Gradio does it: written beside and renamed into a folder named after the content."""
    (cache / "hash").mkdir(parents=True, exist_ok=True)
    part = cache / "part"
    part.write_text("content")
    return str(part.replace(cache / "hash" / name))


def test_every_visitor_gets_folders_of_their_own_that_nobody_guesses(cache):
    visitors = Visitors()
    one, again, other = visitors.folder("a"), visitors.folder("a"), visitors.folder("b")
    assert one != again
    assert one.parent == again.parent != other.parent
    assert one.parent.parent == cache
    assert len(one.parent.name) == 32
    assert one.stat().st_mode & 0o077 == 0


def test_who_leaves_takes_clip_and_files_and_nothing_of_others(cache):
    visitors = Visitors()
    clip, others = upload(cache), upload(cache, "other.mp4")
    own, theirs = visitors.folder("a") / "cut.mp4", visitors.folder("b") / "cut.mp4"
    own.touch(), theirs.touch()
    visitors.claim("a", clip)
    visitors.claim("b", others)
    visitors.leave("a")
    assert not Path(clip).exists() and not own.parent.parent.exists()
    assert Path(others).exists() and theirs.exists()
    visitors.leave("b")
    assert not list(cache.iterdir())


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_a_clip_that_two_gave_stays_until_both_have_left(cache, order):
    visitors = Visitors()
    clip = upload(cache)
    visitors.claim("a", clip)
    visitors.claim("b", upload(cache))
    visitors.leave(order[0])
    assert Path(clip).exists()
    visitors.leave(order[1])
    assert not Path(clip).exists()


def test_a_clip_that_someone_uploads_in_this_moment_stays(cache):
    visitors = Visitors()
    clip = upload(cache)
    visitors.claim("a", clip)
    upload(cache)  # by b, who has not used it yet
    visitors.leave("a")
    assert Path(clip).exists()


def test_only_uploads_are_deleted(cache, tmp_path):
    example = tmp_path / "example.mp4"
    example.touch()
    visitors = Visitors()
    visitors.claim("a", str(example))
    visitors.claim("a", None)
    visitors.leave("a")
    visitors.leave("nobody")
    assert example.exists()


def test_what_is_used_is_touched(cache):
    visitors = Visitors()
    clip, own = Path(upload(cache)), visitors.folder("a") / "preview.mp4"
    own.touch()
    visitors.claim("a", str(clip))
    before = clip.stat().st_mtime_ns, own.stat().st_mtime_ns
    visitors.claim("a", str(clip))
    assert clip.stat().st_mtime_ns > before[0] and own.stat().st_mtime_ns > before[1]


def test_who_never_says_goodbye_is_forgotten_when_the_files_are_gone(cache):
    visitors = Visitors()
    clip = upload(cache)
    visitors.claim("a", clip)
    visitors.folder("a").rmdir()
    Path(clip).unlink()
    for path in cache.glob("*"):
        path.rmdir()
    visitors.claim("b", None)
    assert not visitors._folders and not any(visitors._clips.values()) and not visitors._touched
