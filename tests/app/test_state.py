import dataclasses

from grounding.app.state import MAX_QUERIES, SLOTS, QueryResult
from grounding.segments.find import Segment
from tests.states import make_result, make_state


def queries(made):
    return [one.answer.query for one in made.results]


def test_a_new_query_is_the_active_one_and_has_a_colour_of_its_own():
    made = make_state("a cat", "a dog", "a hen")
    assert queries(made) == ["a cat", "a dog", "a hen"]
    assert made.result.answer.query == "a hen"
    assert len({one.slot for one in made.results}) == 3


def test_the_same_query_again_keeps_its_colour_and_is_there_once():
    made = make_state("a cat", "a dog")
    again = made.add(make_result("a cat"))
    assert queries(again) == ["a dog", "a cat"]
    assert again.result.slot == made.results[0].slot


def test_the_same_query_to_another_checkpoint_is_another_curve():
    made = make_state("a cat").add(make_result("a cat", checkpoint="clip"))
    assert queries(made) == ["a cat", "a cat"]


def test_removing_one_keeps_the_rest_with_their_colours():
    made = make_state("a cat", "a dog", "a hen")
    left = made.select_query(0).remove()
    assert queries(left) == ["a dog", "a hen"]
    assert [one.slot for one in left.results] == [one.slot for one in made.results[1:]]
    assert left.add(make_result("a cow")).result.slot not in {one.slot for one in made.results}
    assert make_state("a cat").remove() is None


def test_a_colour_does_not_come_back_while_one_remembers_whose_it_was():
    made, slots = make_state("query 0"), []
    for number in range(1, 12):
        made = made.add(make_result(f"query {number}"))
        slots.append(made.result.slot)
    assert all(len(set(slots[first : first + SLOTS])) == SLOTS for first in range(len(slots) - SLOTS + 1))


def test_files_accumulate_and_one_of_the_same_name_takes_the_place_of_the_last():
    made = make_state().add_files(["/1/a.mp4", "/1/b.mp4"]).add_files(["/2/a.mp4"])
    assert made.files == ("/1/b.mp4", "/2/a.mp4")


def test_there_are_never_more_curves_than_can_be_told_apart():
    made = make_state(*(f"query {number}" for number in range(MAX_QUERIES + 2)))
    assert queries(made) == [f"query {number}" for number in range(2, MAX_QUERIES + 2)]
    assert len({one.slot for one in made.results}) == MAX_QUERIES


def test_the_query_that_is_looked_at_is_not_the_one_that_leaves():
    full = make_state(*(f"query {number}" for number in range(MAX_QUERIES))).select_query(0)
    assert queries(full.add(make_result("another"))) == ["query 0", "query 2", "query 3", "query 4", "another"]


def test_boundary_frames_are_those_of_the_chosen_segment():
    made = make_state()
    assert [frame.timestamp for frame in made.hard_negatives] == [5.0, 1.5, 4.0]
    assert made.select_segment(1).hard_negatives == []


def test_each_move_of_the_video_has_a_name_of_its_own_and_only_a_chosen_segment_plays():
    made = make_state("a cat")
    chosen = made.select_segment(1)
    assert len({made.move, chosen.move, chosen.select_query(0).move, make_state("a cat").move}) == 4
    assert chosen.plays
    assert not chosen.select_query(0).plays
    assert chosen.select_query(0).segment == 0


def test_a_segment_that_begins_between_two_frames_is_shown_from_its_first_frame_on():
    made = make_state("a cat")
    answer = dataclasses.replace(made.result.answer, segments=[Segment(1.75, 4.0, 0.5), Segment(1.6, 1.7, 0.5)])
    made = dataclasses.replace(made, results=(QueryResult(answer),))
    assert made.first_frame == 2.0
    assert made.select_segment(1).first_frame == 1.6  # no frame inside


def test_another_number_of_segments_is_taken_from_those_that_were_found():
    made = make_state("a cat", "a dog")
    one = made.limit_segments(1)
    assert [len(result.answer.segments) for result in one.results] == [1, 1]
    assert {frame.segment for frame in one.result.answer.hard_negatives} == {0}
    assert (one.limit_segments(5).result.answer, one.move) == (made.result.answer, made.move)


def test_the_best_segment_is_chosen_where_the_chosen_one_is_not_wanted_any_more():
    chosen = make_state().select_segment(1)
    assert chosen.limit_segments(2).segment == 1
    left = chosen.limit_segments(1)
    assert (left.segment, left.plays) == (0, False) and left.move != chosen.move
