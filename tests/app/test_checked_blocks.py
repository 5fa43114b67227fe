"""Calls that do not fit, as a program sends them; the page here has one endpoint of each kind and no model."""

from inspect import signature

import gradio as gr
import httpx
import pytest
from gradio import processing_utils

from grounding.app import checked_blocks
from grounding.app.checked_blocks import CheckedBlocks

FILE = {"_type": "gradio.FileData"}


@pytest.fixture(scope="module")
def served():
    with CheckedBlocks(analytics_enabled=False) as page:
        inputs = [
            gr.File(label="video"),
            gr.Textbox(label="query"),
            gr.Number(5, precision=0, label="top_k"),
            gr.Checkbox(True, label="rough"),
            gr.State(),
        ]
        gr.Button().click(lambda *given: repr(given), inputs, gr.Textbox(), api_name="ask")
        choice = gr.Radio(["one", "two"])
        choice.input(lambda chosen: chosen, choice, choice, api_visibility="private")
    page.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    yield page
    page.close()


def called(address: str, data: list) -> str:
    """What the endpoint says in the end."""
    asked = httpx.post(f"{address}gradio_api/call/ask", json={"data": data})
    return httpx.get(f"{address}gradio_api/call/ask/{asked.json()['event_id']}", timeout=30).text


def given(path: object) -> dict:
    return {"path": path, "meta": FILE}


@pytest.mark.parametrize(
    "data",
    [
        ["clip.mp4", "a cat", 5],
        [None, "a cat", "many"],
        [None, "a cat", [5]],
        [["a", "b"], "a cat", 5],
        [7, "a cat", 5],
        [{"path": "/etc/passwd"}, "a cat", 5],
        [given("/etc/passwd"), "a cat", 5],
        [given("../../../etc/passwd"), "a cat", 5],
        [given(""), "a cat", 5],
        [given(7), "a cat", 5],
        [given("http://127.0.0.1:9/clip.mp4"), "a cat", 5],
        [given("HTTP://127.0.0.1:9/clip.mp4"), "a cat", 5],
        [given("file:///etc/passwd"), "a cat", 5],
        [],
        [None, ["a cat", "a dog"], 5],
        [None, 5, 5],
        [None, "a cat", 2.5],
        [None, "a cat", True],
        [None, "a cat", 5, "yes"],
    ],
)
def test_a_call_that_does_not_fit_is_one_clear_line(served, data, capfd):
    said = called(served.local_url, data)
    assert said.startswith("event: error")
    assert (
        "The call does not fit /ask: give video (an uploaded file), query (string), top_k (integer), rough (boolean)."
        in said
    )
    assert "passwd" not in said and "root:" not in said
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    "data",
    [
        [given("http://203.0.113.1/clip.mp4"), "a cat", 5],
        [[given("http://203.0.113.1/clip.mp4")], "a cat", 5],
        [None, given("http://203.0.113.1/clip.mp4"), 5],
        [None, {"a": [given("https://203.0.113.1/clip.mp4")]}, 5],
        [None, "a cat", [[given("http://203.0.113.1/clip.mp4")]]],
    ],
)
def test_nothing_is_fetched_for_a_visitor(served, data, monkeypatch):
    asked = []

    async def fetch(url, *_, **__):
        asked.append(url)
        return __file__

    monkeypatch.setattr(processing_utils, "async_ssrf_protected_download", fetch)
    assert called(served.local_url, data).startswith("event: error")
    assert asked == []


def test_a_call_that_fits_is_answered(served):
    assert "(None, 'a cat', 7, False, None)" in called(served.local_url, [None, "a cat", 7, False])


def test_what_is_left_out_at_the_end_has_its_default(served):
    assert "(None, 'a cat', 7, True, None)" in called(served.local_url, [None, "a cat", 7])
    assert "(None, 'a cat', 5, True, None)" in called(served.local_url, [None, "a cat"])
    assert "The call does not fit" in called(served.local_url, [None])


@pytest.mark.parametrize("trouble", [OSError(28, "No space left on device"), MemoryError(), ValueError("a misfit")])
def test_the_log_tells_what_is_no_misfit(served, monkeypatch, caplog, trouble):
    def fail(self, payload):
        raise trouble

    monkeypatch.setattr(gr.Number, "preprocess", fail)
    said = called(served.local_url, [None, "a cat", 5])
    assert "The call does not fit /ask: give video" in said and "space" not in said
    logged = "".join(
        record.exc_text or "" for record in caplog.records if record.name == "grounding.app.checked_blocks"
    )
    assert ("Traceback" in logged and type(trouble).__name__ in logged) != isinstance(trouble, ValueError)


def test_a_misfit_of_the_page_says_to_reload(served, capfd):
    radio = next(fn for fn in served.fns.values() if fn.api_visibility == "private")
    join = {"data": ["three"], "fn_index": radio._id, "session_hash": "someone"}
    assert httpx.post(f"{served.local_url}gradio_api/queue/join", json=join).status_code == 200
    with httpx.stream("GET", f"{served.local_url}gradio_api/queue/data?session_hash=someone", timeout=30) as lines:
        done = next(line for line in lines.iter_lines() if "process_completed" in line)
    assert "reload it" in done and "three" not in done
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("path", ["/etc/passwd", "../../etc/passwd", __file__, "app.py", "/proc/self/environ"])
def test_files_of_the_server_are_not_handed_out(served, path):
    for query in ("", "?download=1"):
        reply = httpx.get(f"{served.local_url}gradio_api/file={path}{query}")
        assert reply.status_code in (403, 404)
        assert "root:" not in reply.text and "def " not in reply.text


def test_what_is_private_to_gradio_is_still_there(monkeypatch, tmp_path):
    """A canary: a new Gradio without one of these needs grounding/app/checked_blocks.py changed."""
    assert list(signature(gr.Blocks.preprocess_data).parameters)[:3] == ["self", "block_fn", "inputs"]
    assert set(checked_blocks.LAUNCH) <= set(signature(gr.Blocks.launch).parameters)
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    assert checked_blocks.upload_folder() == tmp_path


def test_a_visitor_who_left_is_forgotten(served):
    holder = served.state_holder
    _ = holder["someone"]
    assert "someone" in holder.session_data and "someone" in holder.time_last_used
    served.forget_session("someone")
    assert "someone" not in holder.session_data and "someone" not in holder.time_last_used
    served.forget_session("nobody")
