import dataclasses

from grounding.app.state import MOST, Asked
from grounding.segments.find import Segment
from tests.boards import asked, board


def queries(made):
    return [one.answer.query for one in made.asked]


def test_a_new_query_is_the_active_one_and_has_a_colour_of_its_own():
    made = board("a cat", "a dog", "a hen")
    assert queries(made) == ["a cat", "a dog", "a hen"]
    assert made.shown.answer.query == "a hen"
    assert len({one.slot for one in made.asked}) == 3


def test_the_same_query_again_keeps_its_colour_and_is_there_once():
    made = board("a cat", "a dog")
    again = made.add(asked("a cat"))
    assert queries(again) == ["a dog", "a cat"]
    assert again.shown.slot == made.asked[0].slot


def test_the_same_query_to_another_checkpoint_is_another_curve():
    made = board("a cat").add(asked("a cat", checkpoint="clip"))
    assert queries(made) == ["a cat", "a cat"]


def test_removing_one_keeps_the_rest_with_their_colours():
    made = board("a cat", "a dog", "a hen")
    left = made.look_at(0).remove()
    assert queries(left) == ["a dog", "a hen"]
    assert [one.slot for one in left.asked] == [one.slot for one in made.asked[1:]]
    assert left.add(asked("a cow")).shown.slot == made.asked[0].slot  # the colour that became free
    assert board("a cat").remove() is None


def test_there_are_never_more_curves_than_can_be_told_apart():
    made = board(*(f"query {number}" for number in range(MOST + 2)))
    assert queries(made) == [f"query {number}" for number in range(2, MOST + 2)]
    assert len({one.slot for one in made.asked}) == MOST


def test_boundary_frames_are_those_of_the_chosen_segment():
    made = board()
    assert [frame.timestamp for frame in made.hard] == [5.0, 1.5, 4.0]
    assert made.choose(1).hard == []


def test_each_move_of_the_video_has_a_name_of_its_own_and_only_a_chosen_segment_plays():
    made = board("a cat")
    chosen = made.choose(1)
    assert len({made.move, chosen.move, chosen.look_at(0).move, board("a cat").move}) == 4
    assert chosen.plays
    assert not chosen.look_at(0).plays
    assert chosen.look_at(0).segment == 0


def test_a_segment_that_begins_between_two_frames_is_shown_from_its_first_frame_on():
    made = board("a cat")
    answer = dataclasses.replace(made.shown.answer, segments=[Segment(1.75, 4.0, 0.5), Segment(1.6, 1.7, 0.5)])
    made = dataclasses.replace(made, asked=(Asked(answer),))
    assert made.first_frame == 2.0
    assert made.choose(1).first_frame == 1.6  # no frame inside
