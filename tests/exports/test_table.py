import pytest

from grounding.exports.table import safe_cell


@pytest.mark.parametrize(
    "text", ["=1", " =1", "+1", "-1", "@a", "\t=1", "\uff1d1", "\u3000\uff1d1", "\ufe66 1", "\uff20a"]
)
def test_a_formula_becomes_text(text):
    assert safe_cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["a cat", "1 = 1", "\u732b", "", 3])
def test_any_other_cell_stays_as_it_is(value):
    assert safe_cell(value) == value
