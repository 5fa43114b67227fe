from pathlib import Path

import gradio as gr
import pytest
from gradio_client import Client

from grounding.app.file_ownership import VisitorFiles
from tests.clips import colours


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
    visitors = VisitorFiles()
    one, again, other = visitors.make_folder("a"), visitors.make_folder("a"), visitors.make_folder("b")
    assert one != again
    assert one.parent == again.parent != other.parent
    assert one.parent.parent == cache
    assert len(one.parent.name) == 32
    assert one.stat().st_mode & 0o077 == 0


def test_who_leaves_takes_clip_and_files_and_nothing_of_others(cache):
    visitors = VisitorFiles()
    clip, others = upload(cache), upload(cache, "other.mp4")
    own, theirs = visitors.make_folder("a") / "cut.mp4", visitors.make_folder("b") / "cut.mp4"
    own.touch(), theirs.touch()
    visitors.claim("a", clip)
    visitors.claim("b", others)
    visitors.delete("a")
    assert not Path(clip).exists() and not own.parent.parent.exists()
    assert Path(others).exists() and theirs.exists()
    visitors.delete("b")
    assert not list(cache.iterdir())


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_a_clip_that_two_gave_stays_until_both_have_left(cache, order):
    visitors = VisitorFiles()
    clip = upload(cache)
    visitors.claim("a", clip)
    visitors.claim("b", upload(cache))
    visitors.delete(order[0])
    assert Path(clip).exists()
    visitors.delete(order[1])
    assert not Path(clip).exists()


def test_a_clip_that_someone_uploads_in_this_moment_stays(cache):
    visitors = VisitorFiles()
    clip = upload(cache)
    visitors.claim("a", clip)
    upload(cache)  # by b, who has not used it yet
    visitors.delete("a")
    assert Path(clip).exists()


def test_only_uploads_are_deleted(cache, tmp_path):
    example = tmp_path / "example.mp4"
    example.touch()
    visitors = VisitorFiles()
    visitors.claim("a", str(example))
    visitors.claim("a", None)
    visitors.delete("a")
    visitors.delete("nobody")
    assert example.exists()


def test_what_is_used_is_touched(cache):
    visitors = VisitorFiles()
    clip, own = Path(upload(cache)), visitors.make_folder("a") / "preview.mp4"
    own.touch()
    visitors.claim("a", str(clip))
    before = clip.stat().st_mtime_ns, own.stat().st_mtime_ns
    visitors.claim("a", str(clip))
    assert clip.stat().st_mtime_ns > before[0] and own.stat().st_mtime_ns > before[1]


def test_who_never_says_goodbye_is_forgotten_when_the_files_are_gone(cache):
    visitors = VisitorFiles()
    clip = upload(cache)
    visitors.claim("a", clip)
    visitors.make_folder("a").rmdir()
    Path(clip).unlink()
    for path in cache.glob("*"):
        path.rmdir()
    visitors.claim("b", None)
    assert not visitors._folders and not any(visitors._clips.values()) and not visitors._touched


def test_gradio_hands_the_file_out_as_it_is_and_knows_that_it_has_to_be_deleted(cache):
    with gr.Blocks(analytics_enabled=False) as page:
        shown = gr.Video()
        made = colours(VisitorFiles().make_folder("a") / "a.mp4")
        gr.Button().click(lambda: str(made), None, shown, api_name="show")
    page.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    try:
        client = Client(page.local_url, verbose=False, download_files=False)
        assert str(made) in str(client.predict(api_name="/show"))
        assert any(str(made) in files for files in page.temp_file_sets)
    finally:
        page.close()
