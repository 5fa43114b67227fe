"""Turns at the model, jobs that are cancelled, and why Gradio's own queue does not do."""

import json
from contextlib import ExitStack, contextmanager
from threading import Condition, Event, Thread
from time import sleep

import gradio as gr
import httpx
import pytest

from grounding.app.job_queue import JobCancelledError, JobQueue


@pytest.fixture
def queue():
    return JobQueue()


def test_nobody_waits_where_nobody_is(queue):
    with queue.start("a", "a.mp4", at_model=True) as job:
        assert list(job.wait_for_turn()) == []


def test_turns_come_in_the_order_of_asking(queue):
    with queue.start("a", "a.mp4", at_model=True) as first:
        with queue.start("b", "b.mp4", at_model=True) as second, queue.start("c", "c.mp4", at_model=True) as third:
            places = third.wait_for_turn()
            assert [next(second.wait_for_turn()), next(places)] == [1, 2]
            assert list(first.wait_for_turn()) == []
        with queue.start("c", "c.mp4", at_model=True) as third:
            assert next(third.wait_for_turn()) == 1  # b has left
    with queue.start("c", "c.mp4", at_model=True) as third:
        assert list(third.wait_for_turn()) == []


class NoticedCondition(Condition):
    """Tells when somebody waits for it: whoever notifies it needs its lock, and gets that only then."""

    def __init__(self):
        super().__init__()
        self.waited_for = Event()

    def wait(self, timeout=None):
        self.waited_for.set()
        return super().wait(timeout)


@contextmanager
def waiting(queue, job):
    """Another thread waits for the job's turn; what it was told and how it ended, in the order of handlers."""
    seen, queue._moved = [], NoticedCondition()

    def wait():
        try:
            seen.extend(job.wait_for_turn())
            seen.append("turn")
        except JobCancelledError as error:
            seen.append(error)

    thread = Thread(target=wait, daemon=True)
    thread.start()
    assert queue._moved.waited_for.wait(60)
    yield seen
    thread.join(60)
    assert not thread.is_alive()


@pytest.fixture
def patient(monkeypatch):
    """Nobody looks by themselves whether something has changed."""
    monkeypatch.setattr("grounding.app.job_queue.LOOK", 1000.0)


def test_a_turn_comes_when_the_one_before_ends(queue, patient):
    with ExitStack() as first:
        first.enter_context(queue.start("a", "a.mp4", at_model=True))
        with queue.start("b", "b.mp4", at_model=True) as second, waiting(queue, second) as seen:
            first.close()
    assert seen == [1, "turn"]


def test_work_away_from_the_model_holds_nobody_up(queue):
    with queue.start("a", "a.mp4"), queue.start("b", "b.mp4", at_model=True) as job:
        assert list(job.wait_for_turn()) == []


def test_a_turn_ends_with_an_error_too(queue):
    with pytest.raises(RuntimeError), queue.start("a", "a.mp4", at_model=True):
        raise RuntimeError
    with queue.start("b", "b.mp4", at_model=True) as job:
        assert list(job.wait_for_turn()) == []


def test_only_the_own_work_is_called_off(queue):
    with queue.start("a", "a.mp4") as own, queue.start("b", "b.mp4") as other:
        queue.cancel("a")
        other.raise_if_cancelled()
        with pytest.raises(JobCancelledError) as off:
            own.raise_if_cancelled()
    assert not off.value.silent
    with queue.start("a", "a.mp4") as later:
        later.raise_if_cancelled()


def test_whoever_waits_hears_of_it_at_once(queue, patient):
    with queue.start("a", "a.mp4", at_model=True), queue.start("b", "b.mp4", at_model=True) as job:  # noqa: SIM117
        with waiting(queue, job) as seen:
            queue.cancel("b", silent=True)
    assert seen[-1].silent


def test_ones_own_work_is_waited_for_and_not_counted(queue):
    with queue.start("a", "a.mp4", at_model=True), queue.start("a", "a.mp4", at_model=True) as again:
        assert next(again.wait_for_turn()) == 0
        assert queue.has_job("a") and not queue.has_job("b")
    assert not queue.has_job("a")


def test_other_work_of_the_same_visitor_on_a_clip_is_known(queue):
    with queue.start("a", "a.mp4", at_model=True) as job:
        with queue.start("b", "a.mp4", at_model=True), queue.start("a", "a.mp4"), queue.start("a", None, at_model=True):
            assert not queue.has_job("a", besides=job)
        with queue.start("a", "b.mp4", at_model=True):
            assert queue.has_job("a", besides=job)


def test_what_goes_on_beside_ends_with_its_clip_alone(queue):
    with queue.start("a", "a.mp4", background=True) as preview:
        queue.cancel("a")
        preview.raise_if_cancelled()
        queue.cancel("a", silent=True, background=True)
        assert preview.cancelled


def test_another_clip_ends_what_was_asked_about_the_last_one(queue):
    with queue.start("a", "a.mp4") as last, queue.start("a", "b.mp4") as same:
        queue.cancel("a", silent=True, except_clip="b.mp4")
        assert last.cancelled and not same.cancelled


def test_what_is_quiet_stays_so(queue):
    with queue.start("a", "a.mp4") as job:
        queue.cancel("a", silent=True)
        queue.cancel("a")
        with pytest.raises(JobCancelledError) as error:
            job.raise_if_cancelled()
    assert error.value.silent


def test_progress_is_passed_on_until_the_work_is_called_off(queue):
    told = []
    with queue.start("a", "a.mp4") as job:
        report = job.wrap_progress(lambda *progress: told.append(progress))
        report(0.5, "half")
        queue.cancel("a")
        with pytest.raises(JobCancelledError):
            report(1.0, "all")
    assert told == [(0.5, "half")]


def test_gradio_alone_closes_what_it_cancels_without_a_last_word():
    done = []

    def ask():
        try:
            while True:
                yield "growing"
                sleep(0.05)
        except GeneratorExit:
            done.append("closed")
            raise

    with gr.Blocks(analytics_enabled=False) as page:
        event = gr.Button().click(ask, None, gr.Textbox())
        gr.Button().click(None, None, None, cancels=[event])
    page.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    try:
        api, visit = f"{page.local_url}gradio_api", {"session_hash": "one", "fn_index": 0}
        event_id = httpx.post(f"{api}/queue/join", json={"data": [], **visit}).json()["event_id"]
        with httpx.stream("GET", f"{api}/queue/data?session_hash=one", timeout=30) as reply:
            for message in (json.loads(line[5:]) for line in reply.iter_lines() if line.startswith("data:")):
                if message["msg"] == "process_generating":
                    httpx.post(f"{api}/cancel", json={"event_id": event_id, **visit}, timeout=30)
                if message["msg"] == "process_completed":
                    break
        assert message["output"] == {} and done == ["closed"]
    finally:
        page.close()
