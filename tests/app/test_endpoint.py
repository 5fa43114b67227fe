"""The endpoint, step by step; as a program sees it is in test_app.py."""

from grounding.app import endpoint
from grounding.app.job_queue import job_queue


def test_a_program_that_leaves_while_it_waits_ends_without_an_error(scenes):
    with job_queue().start("another", "a.mp4", at_model=True):
        steps = endpoint.ground_json(str(scenes), "a cat", "embedded", 5)
        next(steps)
        job_queue().cancel(None, silent=True)
        assert list(steps) == []
