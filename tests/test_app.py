"""The served app, as a program sees it."""

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

import app
from tests.clips import BAD_KINDS, bad_file


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
    with pytest.raises(AppError, match="at least one"):
        ground(client, scenes, top_k=0)


@pytest.mark.parametrize(
    ("environment", "host"),
    [
        ({}, "127.0.0.1"),
        ({"SPACE_ID": "someone/demo"}, "0.0.0.0"),
        ({"GRADIO_SERVER_NAME": "10.0.0.7"}, "10.0.0.7"),
    ],
)
def test_the_app_keeps_to_this_machine_unless_told_otherwise(monkeypatch, environment, host):
    seen = {}
    monkeypatch.setattr(app, "serve", lambda **options: seen.update(options))
    for name in ("GRADIO_SERVER_NAME", "SPACE_ID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    app.main()
    assert seen["server_name"] == host
