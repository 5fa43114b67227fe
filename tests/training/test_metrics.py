import pytest

from training.metrics import compute_recalls, count_overlapping


def test_a_perfect_prediction_is_a_hundred():
    table = compute_recalls([[(1.0, 2.0)], [(3.0, 9.0)]], [[(1.0, 2.0)], [(3.0, 9.0)]])
    assert set(table.values()) == {100.0}
    names = {f"R@{n},IoU={m}" for n in (1, 5) for m in (0.3, 0.5, 0.7)}
    assert set(table) == names | {"mIoU"}


def test_a_mixed_table():
    moments = [[(0.0, 10.0)]] * 4
    predictions = [
        [(0.0, 10.0)],  # 1
        [(0.0, 6.0), (0.0, 8.0)],  # 0.6, then 0.8
        [(20.0, 30.0), (0.0, 4.0)],  # 0, then 0.4
        [],
    ]
    table = compute_recalls(predictions, moments)
    assert table == {
        "R@1,IoU=0.3": 50.0,
        "R@1,IoU=0.5": 50.0,
        "R@1,IoU=0.7": 25.0,
        "R@5,IoU=0.3": 75.0,
        "R@5,IoU=0.5": 50.0,
        "R@5,IoU=0.7": 50.0,
        "mIoU": 40.0,
    }


def test_the_threshold_itself_counts():
    assert compute_recalls([[(0.0, 5.0)]], [[(0.0, 10.0)]])["R@1,IoU=0.5"] == 100.0


def test_a_sixth_prediction_does_not_count():
    assert compute_recalls([[(50.0, 60.0)] * 5 + [(0.0, 10.0)]], [[(0.0, 10.0)]])["R@5,IoU=0.3"] == 0.0


@pytest.mark.parametrize(("predictions", "moments"), [([], []), ([[(0, 1)]], []), ([[(0, 1)]], [(0, 1), (1, 2)])])
def test_what_does_not_pair_up_is_an_error(predictions, moments):
    with pytest.raises(ValueError, match="one for each"):
        compute_recalls(predictions, moments)


def test_percentages_have_two_digits():
    table = compute_recalls([[(0.0, 3.0)], [], []], [[(0.0, 10.0)], [(0.0, 1.0)], [(0.0, 1.0)]])
    assert (table["R@1,IoU=0.3"], table["R@1,IoU=0.5"], table["mIoU"]) == (33.33, 0.0, 10.0)


def test_a_query_with_several_windows_is_scored_by_the_one_that_fits_best():
    two = [[(0.0, 16.0), (100.0, 150.0)]]
    assert set(compute_recalls([[(100.0, 150.0)]], two).values()) == {100.0}
    assert compute_recalls([[(100.0, 150.0)]], two) == compute_recalls([[(0.0, 16.0)]], two)
    assert compute_recalls([[(20.0, 60.0), (0.0, 16.0)]], two)["mIoU"] == 0.0


def test_lists_in_which_segments_overlap_are_counted():
    assert count_overlapping([[(5.0, 9.0), (0.0, 5.0)], [(0.0, 5.0), (4.0, 9.0)], [(0.0, 5.0)], []]) == 25.0
