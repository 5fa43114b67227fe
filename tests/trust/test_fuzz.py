import pytest

from grounding.errors import VideoError
from tests.trust import fuzz
from tests.trust.mutations import MUTATIONS, mutated, seeds


def test_broken_videos_give_frames_or_a_message(tmp_path):
    row = fuzz.row("sample", fuzz.decode, fuzz.broken(tmp_path, 90))
    assert (row.tried, row.survived) == (90, 90), row.note
    assert "frames" in row.note and "a message" in row.note


def test_a_mutation_is_the_same_for_the_same_seed_and_changes_the_file(tmp_path):
    data = seeds(tmp_path)[0].read_bytes()  # x264 does not always write the same bytes on a busy machine
    made = [mutated(data, seed) for seed in range(40)]
    assert made == [mutated(data, seed) for seed in range(40)]
    assert sum(broken != data for _, broken in made) > 30
    assert {name.split(", ")[0] for name, _ in made} == {mutation.__name__ for mutation in MUTATIONS}


@pytest.mark.parametrize(
    ("error", "fine"),
    [
        (VideoError("'a.mp4' is damaged: convert it."), True),
        (VideoError("'a.mp4' was given up, since its decoder crashed (SIGSEGV)."), True),
        (VideoError("'a.mp4' was given up, since its decoder failed (KeyError: 0)."), False),
        (VideoError("Something is wrong."), False),
        (VideoError("'a.mp4' is\ndamaged."), False),
        (KeyError(0), False),
    ],
)
def test_only_one_clear_line_counts(tmp_path, error, fine):
    def trial(path):
        raise error

    assert (fuzz.outcome(trial, tmp_path / "a.mp4") in fuzz.FINE) is fine


def test_times_of_no_use_are_noticed():
    for times, duration in (([], 1), ([-1, 2], 3), ([0, 0], 1), ([0, 1], 1), ([0], float("inf"))):
        with pytest.raises(AssertionError):
            fuzz.check_times(fuzz.np.array(times, float), duration)
