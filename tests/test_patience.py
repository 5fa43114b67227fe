import pytest

from grounding.errors import GroundingError
from grounding.patience import Patience, crashed


def test_the_environment_changes_the_limits(monkeypatch):
    monkeypatch.setenv("GROUNDING_DECODE_STALL", "7.5")
    monkeypatch.setenv("GROUNDING_DECODE_MEGABYTES", "")
    assert Patience.told() == Patience(stall=7.5)


@pytest.mark.parametrize("text", ["soon", "0", "-3", "nan"])
def test_a_limit_is_a_positive_number(monkeypatch, text):
    monkeypatch.setenv("GROUNDING_DECODE_SECONDS", text)
    with pytest.raises(GroundingError, match=f"GROUNDING_DECODE_SECONDS is '{text}': give a positive number"):
        Patience.told()


@pytest.mark.parametrize(("status", "words"), [(-11, "SIGSEGV"), (-9, "killed"), (1, "status 1"), (None, "crashed")])
def test_a_crash_says_how(status, words):
    assert words in str(crashed("a.mp4", status))
