"""Strict JSON: what is read is exactly what was meant, and everything else names its place."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.api.strictjson import read_json
from proxy.errors import Invalid

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
NUMBERS = st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(TEXT, inside, max_size=4),
    max_leaves=20,
)


def problems(body: bytes, field: str = "body") -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as caught:
        read_json(body, field)
    return [(problem.field, problem.message) for problem in caught.value.problems]


@given(VALUES, st.booleans())
def test_what_json_writes_is_read_as_it_was(value: object, escaped: bool) -> None:
    assert read_json(json.dumps(value, ensure_ascii=escaped).encode()) == value


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_whatever_comes_is_read_or_refused(body: bytes) -> None:
    try:
        value = read_json(body)
    except Invalid:
        return
    assert json.loads(json.dumps(value, allow_nan=False)) == value


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_a_number_that_is_none_is_refused(value: float) -> None:
    assert problems(json.dumps({"a": [value]}).encode())[0][0] == "body"


def test_a_number_that_becomes_infinite_is_refused_where_it_stands() -> None:
    assert problems(b'{"a": [1, 1e309]}') == [("a[1]", "is a number out of range")]
    assert read_json(b"1e308") == 1e308


def test_a_long_number_is_refused_in_words_of_ours() -> None:
    assert problems(b"[" + b"1" * 401 + b"]") == [("body", "is not strict JSON: a number has more than 400 digits")]
    assert read_json(b"1" * 400) == int("1" * 400)


def test_the_field_that_is_read_stands_before_the_place_in_it() -> None:
    assert problems(b'{"a": ["\\u0000"]}', "metadata") == [("metadata.a[0]", "contains a NUL character")]
    assert problems(b"{", "metadata")[0][0] == "metadata"


def test_every_bad_text_is_named_but_not_without_end() -> None:
    body = json.dumps({"a": "\0", "b": ["\ud800"]}).encode()
    assert [field for field, _ in problems(body)] == ["a", "b[0]"]
    assert len(problems(json.dumps(["\0"] * 1_000).encode())) == 10


@pytest.mark.parametrize("depth", [31, 32, 33, 34])
def test_nesting_ends_at_a_depth(depth: int) -> None:
    body = b"[" * depth + b"1" + b"]" * depth
    if depth <= 32:
        read_json(body)
    else:
        assert "nested more than 32 deep" in problems(body)[0][1]
