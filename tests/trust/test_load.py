"""The trial of load, small: two programs, a second."""

from tests.trust import load
from tests.trust.report import all_survived

MEASURED = ("the app's memory afterwards", "the work of one who left mid-way")  # for a machine that does nothing else


def test_a_few_programs_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(load, "SCENES", load.SCENES[:2])
    monkeypatch.setenv("GRADIO_HEARTBEAT_INTERVAL", "0.2")  # who has left is noticed at one of Gradio's heartbeats
    plan = load.Plan(clients=2, seconds=1.0, warm_up=0.0, leave_every=0, minutes=60.0, long=300)
    rows = load.trial(tmp_path, plan)
    failed = [row for row in rows if row.what not in MEASURED and not all_survived([row])]
    assert not failed


def test_answers_that_differ_are_told_apart():
    one = {"query": "a", "video": "v", "scores": [0.1, 0.2], "segments": [{"start": 0.0, "end": 1.0}]}
    assert load.same(one, one | {"scores": [0.1001, 0.2]})
    for other in ({"scores": [0.1, 0.3]}, {"scores": [0.1]}, {"segments": []}, {"query": "b"}, {"video": "w"}):
        assert not load.same(one, one | other)
