import math

import numpy as np
import pytest

from grounding.errors import QueryError
from grounding.validation import check_query, check_top_k


@pytest.mark.parametrize("top_k", [None, True, 0, -1, 2.5, math.nan, math.inf, "5", [5], "x" * 10_000])
def test_top_k_has_to_be_a_whole_number(top_k):
    with pytest.raises(QueryError, match="give a whole number, 1 or more") as caught:
        check_top_k(top_k)
    assert len(str(caught.value)) < 100


@pytest.mark.parametrize("top_k", [3, 3.0, np.int64(3), 10**400])
def test_a_whole_number_stays_what_it_is(top_k):
    assert check_top_k(top_k) == top_k
    assert type(check_top_k(top_k)) is int


@pytest.mark.parametrize(("query", "said"), [(None, "a NoneType"), (["a cat"], "a list"), (5, "an int")])
def test_what_is_no_query_is_told_by_its_type(query, said):
    with pytest.raises(QueryError, match=f"The query is {said}: give one sentence"):
        check_query(query)
