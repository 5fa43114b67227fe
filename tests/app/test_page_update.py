from grounding.app.page_update import show_state
from tests.states import make_state


def test_an_answer_about_another_clip_takes_away_what_was_said_of_the_last_one():
    assert show_state(make_state(), new=True).clip_message == ""
    assert show_state(make_state()).clip_message != ""
