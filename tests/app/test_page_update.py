from dataclasses import replace

import pytest

from grounding.app.markup import SAME_CURVE
from grounding.app.page_update import show_state
from tests.states import make_state


@pytest.mark.parametrize(("kind", "switch"), [("none", False), ("same", False), ("other", True)])
def test_the_switch_to_the_other_model_gives_way_to_words_where_it_would_change_nothing(kind, switch):
    state = make_state(baseline=kind != "none")
    if kind == "same":
        state = replace(state, results=(replace(state.result, baseline=state.result.answer),))
    shown = show_state(state)
    assert shown.compare.visible == switch
    assert (SAME_CURVE in shown.model) == (kind == "same")
