import re

import pytest

from grounding.segments.config import SegmentConfig


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("sharpness", -0.1, "from 0 to 100"),
        ("sharpness", 100.1, "from 0 to 100"),
        ("smoothing", -0.1, "from 0 to 600.0 s"),
        ("smoothing", 600.1, "from 0 to 600.0 s"),
        ("thresholds", (0.5, -0.1), "shares from 0 to 1, at least one without contrast"),
        ("thresholds", (0.5, 1.1), "shares from 0 to 1, at least one without contrast"),
        ("changes", -1, "from 0 to 1000"),
        ("changes", 1001, "from 0 to 1000"),
        ("change_bonus", -0.1, "0 or more"),
        ("change_bonus", float("inf"), "0 or more"),
        ("surroundings", 0.0, "above 0"),
        ("surroundings", float("inf"), "above 0"),
        ("balance", -0.1, "from 0 to 100"),
        ("balance", 100.1, "from 0 to 100"),
        ("windows", (1.0, 0.0), "above 0 and up to 600.0 s"),
        ("windows", (1.0, 600.1), "above 0 and up to 600.0 s"),
        ("join", -0.1, "a cosine distance, from 0 to 2"),
        ("join", 2.1, "a cosine distance, from 0 to 2"),
        ("coherence", -0.1, "0 or more"),
        ("coherence", float("inf"), "0 or more"),
        ("others_share", -0.1, "a share from 0 to 1"),
        ("others_share", 1.1, "a share from 0 to 1"),
        ("overlap", -0.1, "an IoU, from 0 to 1"),
        ("overlap", 1.1, "an IoU, from 0 to 1"),
        ("sharpness", float("nan"), "from 0 to 100"),
    ],
)
def test_a_number_out_of_range_is_named_with_what_it_must_be(name, value, wanted):
    with pytest.raises(ValueError, match=f"^{re.escape(f'{name} must be {wanted}, not {value}')}$"):
        SegmentConfig(**{name: value})


@pytest.mark.parametrize(
    "options",
    [
        {"sharpness": 0, "smoothing": 0, "changes": 0, "change_bonus": 0, "balance": 0, "coherence": 0, "overlap": 0},
        {"sharpness": 100, "smoothing": 600, "changes": 1000, "balance": 100, "overlap": 1},
        {"thresholds": (0, 1), "windows": (0.1, 600), "join": 0},
        {"surroundings": 0.1, "join": 2},
        {"thresholds": ()},
    ],
)
def test_the_ends_of_the_ranges_are_in_them(options):
    assert all(getattr(SegmentConfig(**options), name) == value for name, value in options.items())


def test_without_contrast_there_must_be_a_threshold():
    with pytest.raises(ValueError, match="^thresholds must be shares from 0 to 1, at least one without contrast"):
        SegmentConfig(contrast=False, thresholds=())
