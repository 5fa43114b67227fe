"""A hub that is slow or breaks off, played by a server on this machine."""

import json
import socket
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import pytest
from huggingface_hub import constants, file_download, hf_api
from huggingface_hub.utils import _http

from grounding.app.models import locate_weights
from grounding.encoders import hub as client
from grounding.errors import EncoderError

TINY = {"hf_hub": "someone/tiny/"}


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """Sets the hub's address, with an empty cache and little patience for a download."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_ETAG_TIMEOUT", 0.05)

    def be(port):
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{port}")
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", f"http://127.0.0.1:{port}/{{repo_id}}/resolve/x")
        monkeypatch.setattr(hf_api.api, "endpoint", f"http://127.0.0.1:{port}")

    return be


@pytest.fixture
def silent(hub, monkeypatch):
    """A server that accepts and never answers; its callers."""
    monkeypatch.setattr(client, "HUB_TIMEOUT", 0.1)
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        hub(server.getsockname()[1])
        yield server


def assert_names_ways_out(error):
    assert "'embedded'" in str(error.value) and "--weights PATH" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_hub_that_never_answers_is_given_up_and_the_ways_out_are_named(silent):
    with pytest.raises(EncoderError, match="Timeout") as error:
        client.fetch_weights("open_clip:tiny:first", TINY)
    assert_names_ways_out(error)
    silent.accept()[0].close()  # it was asked


def test_a_hub_that_never_answers_holds_up_no_start(silent, monkeypatch):
    monkeypatch.setattr(client, "HUB_TIMEOUT", 60.0)
    assert locate_weights("open_clip:ViT-B-32-quickgelu:openai", patience=0.2) is None
    silent.accept()[0].close()


def test_a_download_that_stalls_is_given_up_and_the_ways_out_are_named(hub, monkeypatch):
    monkeypatch.setattr(_http.time, "sleep", lambda seconds: None)  # between the tries of the hub's client
    monkeypatch.setattr(file_download, "_ETAG_RETRY_TIMEOUT", 0.05, raising=False)
    asked, over = [], Event()

    class Stalling(BaseHTTPRequestHandler):
        """Says that the repository is there, and hands out nothing."""

        def do_GET(self):  # noqa: N802
            asked.append(self.path)
            if self.path.startswith("/api/models/"):
                text = json.dumps({"id": "someone/tiny", "private": False, "downloads": 0, "tags": []}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)
            else:
                over.wait(60)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *args):
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Stalling)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    hub(server.server_port)
    try:
        with pytest.raises(EncoderError, match="could not be fetched from the hub") as error:
            client.fetch_weights("open_clip:tiny:first", TINY)
        assert_names_ways_out(error)
        assert any("resolve" in path for path in asked)
    finally:
        over.set()
        server.shutdown()
        server.server_close()
