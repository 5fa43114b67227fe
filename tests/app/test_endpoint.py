"""The endpoint, step by step; as a program sees it is in test_app.py."""

from grounding.app import endpoint
from grounding.app.job_queue import job_queue


def ask(predictor, monkeypatch, video, *more):
    monkeypatch.setattr(endpoint, "load_predictor", lambda name: predictor)
    return list(endpoint.ground_json(str(video), "a cup of coffee", "embedded", 5, *more))[-1][0]


def test_a_rough_answer_is_that_of_the_key_frames_and_says_so(predictor, monkeypatch, long_scenes):
    rough = ask(predictor, monkeypatch, long_scenes, True)
    key_frames = predictor.encode_key_frames(long_scenes)
    assert rough == predictor.ground(key_frames.video(), "a cup of coffee").to_dict(long_scenes.name)
    assert rough["rough"] == len(key_frames.timestamps)


def test_a_short_clip_has_no_rough_answer(predictor, monkeypatch, scenes):
    final = ask(predictor, monkeypatch, scenes, True)
    assert "rough" not in final and final == ask(predictor, monkeypatch, scenes)


def test_a_program_that_leaves_while_it_waits_ends_without_an_error(scenes):
    with job_queue().start("another", "a.mp4", at_model=True):
        steps = endpoint.ground_json(str(scenes), "a cat", "embedded", 5)
        next(steps)
        job_queue().cancel(None, silent=True)
        assert list(steps) == []
