"""The served app, as a program sees it."""

import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import gradio as gr
import httpx
import pytest
from gradio.utils import get_upload_folder
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

import app
from grounding import Predictor
from grounding.app import models
from grounding.errors import GroundingError
from tests.clips import BAD_KINDS, bad_file

ROOT = Path(app.__file__).parent


@pytest.fixture(scope="module")
def client(address):
    return Client(address, verbose=False)


def ground(client, video, query="a cat", **more):
    return client.predict(video=handle_file(str(video)), query=query, api_name="/ground", **more)


def test_the_endpoint_answers_by_the_contract(client, scenes, predictor):
    answer = ground(client, scenes, checkpoint="embedded", top_k=2)
    alone = predictor.ground(predictor.encode_video(scenes), "a cat", top_k=2).to_dict("scenes.mp4")
    assert set(answer) == set(alone)
    assert answer["video"] == "scenes.mp4"
    assert len(answer["segments"]) <= 2
    assert answer["segments"][0]["start"] == pytest.approx(alone["segments"][0]["start"])
    assert answer["scores"] == pytest.approx(alone["scores"], abs=1e-4)


@pytest.mark.parametrize("more", [[], ["embedded"], ["embedded", 5], ["embedded", 5, False]])
def test_the_endpoint_takes_the_contracts_arguments_by_plain_http(address, client, scenes, more):
    [path] = httpx.post(f"{address}gradio_api/upload", files={"files": scenes.open("rb")}).json()
    video = {"path": path, "meta": {"_type": "gradio.FileData"}}
    asked = httpx.post(f"{address}gradio_api/call/ground", json={"data": [video, "a cat", *more]}).json()
    said = httpx.get(f"{address}gradio_api/call/ground/{asked['event_id']}", timeout=60).text
    [answer, *_] = json.loads(said.split("event: complete\ndata: ")[1])
    assert answer["segments"] == ground(client, scenes)["segments"]


def test_checkpoint_and_top_k_have_defaults(client, scenes):
    assert ground(client, scenes)["checkpoint"] == "embedded"


def test_nothing_else_is_open_to_programs(client):
    assert set(client.view_api(print_info=False, return_format="dict")["named_endpoints"]) == {"/ground"}


@pytest.mark.parametrize("kind", [kind for kind in BAD_KINDS if kind not in ("missing", "folder")])
def test_a_bad_file_is_one_clear_error(client, tmp_path, kind):
    with pytest.raises(AppError, match=f"{kind}.mp4"):
        ground(client, bad_file(kind, tmp_path))


@pytest.mark.parametrize("query", ["", "   ", "x" * 10_000])
def test_a_bad_query_is_one_clear_error(client, scenes, query):
    with pytest.raises(AppError, match="The query"):
        ground(client, scenes, query)


@pytest.mark.parametrize("checkpoint", ["nonsense", "../checkpoints/embedded", "/etc"])
def test_only_listed_checkpoints_can_be_asked_for(client, scenes, checkpoint):
    with pytest.raises(AppError, match="choose one of .*embedded"):
        ground(client, scenes, checkpoint=checkpoint)


def test_top_k_is_checked(client, scenes):
    with pytest.raises(AppError, match="1 or more"):
        ground(client, scenes, top_k=0)


@pytest.mark.parametrize(
    ("environment", "host"),
    [
        ({}, "127.0.0.1"),
        ({"SPACE_ID": "someone/demo"}, "0.0.0.0"),
        ({"GRADIO_SERVER_NAME": "10.0.0.7"}, "10.0.0.7"),
    ],
)
def test_the_app_keeps_to_this_machine_unless_told_otherwise(monkeypatch, tmp_path, environment, host):
    seen = {}
    monkeypatch.setattr(app, "serve", lambda kept, **options: seen.update(options, kept=kept))
    for name in ("GRADIO_SERVER_NAME", "SPACE_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setattr(app.signal, "signal", lambda *args: None)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    app.main([])
    assert seen["server_name"] == host


@pytest.mark.parametrize("port", ["taken", "70000"])
def test_a_port_that_cannot_be_had_is_one_clear_sentence(monkeypatch, tmp_path, port):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setattr(app.signal, "signal", lambda *args: None)
    monkeypatch.setattr(gr.Blocks, "block_thread", lambda page: pytest.fail(f"served at {page.local_url}"))
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1]) if port == "taken" else port
        monkeypatch.setenv("GRADIO_SERVER_PORT", port)
        with pytest.raises(GroundingError, match=f"port {port}: it is taken, .*GRADIO_SERVER_PORT"):
            app.main([])


@pytest.mark.parametrize(
    ("variable", "value"), [("GRADIO_SERVER_PORT", "abc"), ("GRADIO_NUM_PORTS", "abc"), ("HTTP_PROXY", "http://a:abc")]
)
def test_what_gradio_itself_refuses_is_one_line(tmp_path, variable, value):
    env = {**os.environ, "GRADIO_TEMP_DIR": str(tmp_path), variable: value}
    done = subprocess.run([sys.executable, "app.py"], cwd=ROOT, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("The app cannot start with what the environment says: check ")
    assert variable in done.stderr and "invalid literal" not in done.stderr


@pytest.mark.parametrize("port", ["abc", "80 80", "-1"])
def test_a_port_that_is_no_number_is_one_clear_sentence(monkeypatch, port):
    monkeypatch.setattr(app.signal, "signal", lambda *args: None)
    monkeypatch.setenv("GRADIO_SERVER_PORT", port)
    with pytest.raises(GroundingError, match=f"GRADIO_SERVER_PORT is '{port}': give a number"):
        app.main([])


@pytest.mark.parametrize(
    ("variable", "value"),
    [("ALL_PROXY", "socks://127.0.0.1:9"), ("GRADIO_SERVER_NAME", "::1"), ("GRADIO_DEBUG", "x")],
)
def test_what_gradio_cannot_start_with_is_one_clear_sentence(monkeypatch, tmp_path, variable, value):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setattr(app.signal, "signal", lambda *args: None)
    monkeypatch.setattr(gr.Blocks, "block_thread", lambda page: pytest.fail(f"served at {page.local_url}"))
    monkeypatch.setenv(variable, value)
    with pytest.raises(GroundingError, match=f"check .*{variable}.*a proxy an address, such as"):
        app.main([])


def test_proxies_do_not_keep_the_app_from_its_start(tmp_path):
    proxies = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9") | {"ALL_PROXY": "socks5://127.0.0.1:9"}
    environment = {**os.environ, **proxies, "GRADIO_TEMP_DIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=subprocess.PIPE) as process:
        said = process.stdout.readline().decode()
        process.terminate()
    assert "Running on local URL" in said


def test_clips_are_kept_on_disk_only_where_it_is_told_to(monkeypatch, tmp_path):
    monkeypatch.setattr(app, "serve", lambda kept, **options: None)
    monkeypatch.setattr(app.signal, "signal", lambda *args: None)
    monkeypatch.setattr(app.memory_cache.shared_budget(), "bytes", 0.0)
    monkeypatch.setattr(app.storage(), "cache", None)
    app.main([])
    assert app.storage().cache is None
    assert app.memory_cache.shared_budget().bytes == 1e9
    app.main(["--cache", str(tmp_path), "--cache-mb", "5", "--memory-mb", "7"])
    assert (app.storage().cache.folder.parent, app.storage().cache.room) == (tmp_path, 5e6)
    assert app.memory_cache.shared_budget().bytes == 7e6
    with pytest.raises(GroundingError, match="give --cache DIR, too"):
        app.main(["--cache-mb", "5"])
    monkeypatch.setattr(Predictor, "from_checkpoint", lambda name, device, cache: cache)
    assert models.load_predictor.__wrapped__("embedded") is app.storage().cache


def test_a_program_that_goes_on_asking_waits_for_one_encoding(address, scenes, predictor, monkeypatch):
    own, files = models.load_predictor("embedded"), []
    grow = own.grow_video
    monkeypatch.setattr(own, "grow_video", lambda path, *more: files.append(path) or grow(path, *more))
    client = Client(address, verbose=False)
    answers = [ground(client, scenes, query) for query in ("a cat", "a rocket", "a cat")]
    assert len(files) == 1
    assert answers[0] == answers[2] != answers[1]
    ground(Client(address, verbose=False), scenes)
    assert len(files) == 2  # nobody gets at what another has asked about


def test_temporary_files_are_in_one_folder_that_is_gone_afterwards(monkeypatch, tmp_path):
    seen = {}

    def serve(kept, **options):
        assert kept == 90.0
        seen["places"] = Path(get_upload_folder()), Path(tempfile.gettempdir())
        (seen["places"][1] / "left behind").touch()

    monkeypatch.setattr(app, "serve", serve)
    monkeypatch.setattr(app.signal, "signal", lambda *args: None)
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    app.main(["--keep-minutes", "1.5"])
    assert all(tmp_path in place.parents for place in seen["places"])
    assert not any(place.parent.exists() for place in seen["places"])


def test_a_temporary_folder_that_cannot_be_written_is_one_clear_sentence(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "file"))
    monkeypatch.setattr(app.signal, "signal", lambda *args: None)
    with pytest.raises(GroundingError, match="GRADIO_TEMP_DIR"):
        app.main([])


@pytest.mark.parametrize("minutes", ["0", "-1", "nan", "inf", "soon"])
def test_a_time_that_is_none_is_refused(capsys, minutes):
    with pytest.raises(SystemExit):
        app.parse([f"--keep-minutes={minutes}"])
    assert f"--keep-minutes: {minutes!r} is no number of minutes" in capsys.readouterr().err


@pytest.mark.parametrize("size", ["-1", "nan", "much"])
def test_a_size_that_is_none_is_refused(capsys, size):
    with pytest.raises(SystemExit):
        app.parse([f"--memory-mb={size}"])
    assert f"--memory-mb: {size!r} is no number of megabytes" in capsys.readouterr().err


def test_a_library_that_is_no_folder_of_videos_ends_the_app_with_a_line(tmp_path):
    pytest.importorskip("lancedb")
    (tmp_path / "a.mp4").touch()
    command = [sys.executable, "app.py", "--library", str(tmp_path / "a.mp4"), "--store", str(tmp_path / "store")]
    env = {**os.environ, "GRADIO_TEMP_DIR": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "'a.mp4' is a file, and --library takes a folder: give the one with the videos.\n"
