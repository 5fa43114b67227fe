from dataclasses import replace

import pytest

from grounding.app.page_update import show_state
from tests.states import make_state


def test_an_answer_about_another_clip_takes_away_what_was_said_of_the_last_one():
    assert show_state(make_state(), new=True).clip_message == ""
    assert show_state(make_state()).clip_message != ""


@pytest.mark.parametrize(
    ("kind", "switch", "words"), [("none", False, False), ("same", False, True), ("other", True, False)]
)
def test_the_switch_to_the_other_model_gives_way_to_words_where_it_would_change_nothing(kind, switch, words):
    state = make_state(baseline=kind != "none")
    if kind == "same":
        state = replace(state, results=(replace(state.result, baseline=state.result.answer),))
    shown = show_state(state)
    assert (shown.compare.visible, shown.same_curve.visible) == (switch, words)
