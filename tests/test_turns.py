"""Turns at the model, and work that is called off."""

from threading import Thread

import pytest

from grounding.turns import CalledOffError, Desk


@pytest.fixture
def desk():
    return Desk()


def test_nobody_waits_where_nobody_is(desk):
    with desk.work("a", at_model=True) as work:
        assert list(work.queue()) == []


def test_turns_come_in_the_order_of_asking(desk):
    with desk.work("a", at_model=True) as first:
        with desk.work("b", at_model=True) as second, desk.work("c", at_model=True) as third:
            places = third.queue()
            assert [next(second.queue()), next(places)] == [1, 2]
            assert list(first.queue()) == []
        with desk.work("c", at_model=True) as third:
            assert next(third.queue()) == 1  # b has left
    with desk.work("c", at_model=True) as third:
        assert list(third.queue()) == []


def test_a_turn_comes_when_the_one_before_ends(desk):
    first = desk.work("a", at_model=True)
    first.__enter__()
    with desk.work("b", at_model=True) as second:
        places = second.queue()
        assert next(places) == 1
        ends = Thread(target=first.__exit__, args=(None, None, None))
        ends.start()
        assert list(places) in ([], [1])  # it may look before the other has gone
        ends.join()


def test_work_away_from_the_model_holds_nobody_up(desk):
    with desk.work("a"), desk.work("b", at_model=True) as work:
        assert list(work.queue()) == []


def test_a_turn_ends_with_an_error_too(desk):
    with pytest.raises(RuntimeError), desk.work("a", at_model=True):
        raise RuntimeError
    with desk.work("b", at_model=True) as work:
        assert list(work.queue()) == []


def test_only_the_own_work_is_called_off(desk):
    with desk.work("a") as own, desk.work("b") as other:
        desk.call_off("a")
        other.check()
        with pytest.raises(CalledOffError) as off:
            own.check()
    assert not off.value.left
    with desk.work("a") as later:
        later.check()


def test_whoever_waits_hears_of_it_at_once(desk, monkeypatch):
    monkeypatch.setattr("grounding.turns.LOOK", 1000.0)
    with desk.work("a", at_model=True), desk.work("b", at_model=True) as work:
        places = work.queue()
        next(places)
        off = Thread(target=desk.call_off, args=("b",), kwargs={"left": True})
        off.start()
        with pytest.raises(CalledOffError) as error:
            next(places)
        off.join()
    assert error.value.left


def test_progress_is_passed_on_until_the_work_is_called_off(desk):
    told = []
    with desk.work("a") as work:
        report = work.watched(lambda *progress: told.append(progress))
        report(0.5, "half")
        desk.call_off("a")
        with pytest.raises(CalledOffError):
            report(1.0, "all")
    assert told == [(0.5, "half")]
