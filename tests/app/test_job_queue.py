"""Turns at the model, and work that is called off."""

from contextlib import ExitStack, contextmanager
from threading import Event, Thread
from time import sleep

import pytest

from grounding.app.job_queue import CalledOffError, Desk


@pytest.fixture
def desk():
    return Desk()


def test_nobody_waits_where_nobody_is(desk):
    with desk.work("a", "a.mp4", at_model=True) as work:
        assert list(work.queue()) == []


def test_turns_come_in_the_order_of_asking(desk):
    with desk.work("a", "a.mp4", at_model=True) as first:
        with desk.work("b", "b.mp4", at_model=True) as second, desk.work("c", "c.mp4", at_model=True) as third:
            places = third.queue()
            assert [next(second.queue()), next(places)] == [1, 2]
            assert list(first.queue()) == []
        with desk.work("c", "c.mp4", at_model=True) as third:
            assert next(third.queue()) == 1  # b has left
    with desk.work("c", "c.mp4", at_model=True) as third:
        assert list(third.queue()) == []


@contextmanager
def waiting(work):
    """Another thread waits for the work's turn; what it was told and how it ended, in the order of events."""
    seen, begun = [], Event()

    def wait():
        try:
            for place in work.queue():
                seen.append(place)
                begun.set()
            seen.append("turn")
        except CalledOffError as error:
            seen.append(error)

    thread = Thread(target=wait, daemon=True)
    thread.start()
    assert begun.wait(10)
    sleep(0.2)  # until it waits for a change
    yield seen
    thread.join(10)
    assert not thread.is_alive()


@pytest.fixture
def patient(monkeypatch):
    """Nobody looks by themselves whether something has changed."""
    monkeypatch.setattr("grounding.app.job_queue.LOOK", 1000.0)


def test_a_turn_comes_when_the_one_before_ends(desk, patient):
    with ExitStack() as first:
        first.enter_context(desk.work("a", "a.mp4", at_model=True))
        with desk.work("b", "b.mp4", at_model=True) as second, waiting(second) as seen:
            first.close()
    assert seen == [1, "turn"]


def test_work_away_from_the_model_holds_nobody_up(desk):
    with desk.work("a", "a.mp4"), desk.work("b", "b.mp4", at_model=True) as work:
        assert list(work.queue()) == []


def test_a_turn_ends_with_an_error_too(desk):
    with pytest.raises(RuntimeError), desk.work("a", "a.mp4", at_model=True):
        raise RuntimeError
    with desk.work("b", "b.mp4", at_model=True) as work:
        assert list(work.queue()) == []


def test_only_the_own_work_is_called_off(desk):
    with desk.work("a", "a.mp4") as own, desk.work("b", "b.mp4") as other:
        desk.call_off("a")
        other.check()
        with pytest.raises(CalledOffError) as off:
            own.check()
    assert not off.value.quiet
    with desk.work("a", "a.mp4") as later:
        later.check()


def test_whoever_waits_hears_of_it_at_once(desk, patient):
    with desk.work("a", "a.mp4", at_model=True), desk.work("b", "b.mp4", at_model=True) as work, waiting(work) as seen:
        desk.call_off("b", quiet=True)
    assert seen[0] == 1 and seen[1].quiet


def test_ones_own_work_is_waited_for_and_not_counted(desk):
    with desk.work("a", "a.mp4", at_model=True), desk.work("a", "a.mp4", at_model=True) as again:
        assert next(again.queue()) == 0
        assert desk.asked("a") and not desk.asked("b")
    assert not desk.asked("a")


def test_what_goes_on_beside_ends_with_its_clip_alone(desk):
    with desk.work("a", "a.mp4", beside=True) as preview:
        desk.call_off("a")
        preview.check()
        desk.call_off("a", quiet=True, beside=True)
        assert preview.off


def test_another_clip_ends_what_was_asked_about_the_last_one(desk):
    with desk.work("a", "a.mp4") as last, desk.work("a", "b.mp4") as same:
        desk.call_off("a", quiet=True, but="b.mp4")
        assert last.off and not same.off


def test_what_is_quiet_stays_so(desk):
    with desk.work("a", "a.mp4") as work:
        desk.call_off("a", quiet=True)
        desk.call_off("a")
        with pytest.raises(CalledOffError) as error:
            work.check()
    assert error.value.quiet


def test_progress_is_passed_on_until_the_work_is_called_off(desk):
    told = []
    with desk.work("a", "a.mp4") as work:
        report = work.watched(lambda *progress: told.append(progress))
        report(0.5, "half")
        desk.call_off("a")
        with pytest.raises(CalledOffError):
            report(1.0, "all")
    assert told == [(0.5, "half")]
