"""What is written as TOML is read again as it was."""

import math
import tomllib

from hypothesis import given
from hypothesis import strategies as st

from opsin.toml import write

WORDS = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
PLAIN = st.one_of(
    st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), WORDS
)
LISTS = st.lists(st.one_of(PLAIN, st.lists(PLAIN, max_size=3)), max_size=4)
TABLES = st.recursive(
    st.dictionaries(WORDS, st.one_of(PLAIN, LISTS), max_size=4),
    lambda inner: st.dictionaries(
        WORDS, st.one_of(PLAIN, LISTS, inner, st.lists(inner, min_size=1, max_size=3)), max_size=4
    ),
    max_leaves=8,
)


@given(TABLES)
def test_what_is_written_is_read_again(values):
    assert tomllib.loads(write(values)) == values


def test_what_is_none_is_left_out_and_lists_stay_on_their_line():
    values = {"size": None, "shape": [1, "H", "W"], "inputs": [{"name": "a", "mean": None}, {}]}
    assert write(values) == 'shape = [1, "H", "W"]\n\n[[inputs]]\nname = "a"\n\n[[inputs]]\n'


def test_numbers_that_are_none_are_numbers():
    found = tomllib.loads(write({"a": math.nan, "b": math.inf, "c": [-math.inf]}))
    assert math.isnan(found["a"])
    assert (found["b"], found["c"]) == (math.inf, [-math.inf])
