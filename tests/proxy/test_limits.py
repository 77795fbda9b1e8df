"""Sizes and depth of what is submitted: the last that fits, and the first that does not."""

import pytest

from proxy.errors import FieldProblem
from proxy.inspection.draft import Draft
from proxy.limits import draft_problems, metadata_problems
from proxy.settings import Limits
from store.memory import JSON

LIMITS = Limits(content_max_bytes=10, metadata_max_bytes=20, metadata_max_depth=3)


@pytest.mark.parametrize("content", ["x", "x" * 10, "ü" * 5, " x "])
def test_content_up_to_the_limit_is_fine(content: str) -> None:
    assert draft_problems(Draft(content, {}), LIMITS) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "must not be empty"),
        (" \t\n\u2003", "must not be empty"),
        ("x" * 11, "has 11 bytes; the limit is 10"),
        ("ü" * 6, "has 12 bytes; the limit is 10"),
    ],
)
def test_content_beyond_it_is_named(content: str, message: str) -> None:
    assert draft_problems(Draft(content, {}), LIMITS, "memories[3].") == [FieldProblem("memories[3].content", message)]


@pytest.mark.parametrize("metadata", [{}, {"k": "v"}, {"a": {"b": {}}}, {"a": [[1]]}, {"k": "x" * 11}])
def test_metadata_up_to_the_limits_is_fine(metadata: dict[str, JSON]) -> None:
    assert metadata_problems(metadata, LIMITS) == []


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"a": {"b": {"c": {}}}}, "is nested more than 3 deep"),
        ({"a": [[[1]]]}, "is nested more than 3 deep"),
        ({"k": "x" * 12}, "has 21 bytes; the limit is 20"),
        ({"k": "ü" * 6}, "has 21 bytes; the limit is 20"),
    ],
)
def test_metadata_beyond_them_is_named(metadata: dict[str, JSON], message: str) -> None:
    assert metadata_problems(metadata, LIMITS, "memories[0].") == [FieldProblem("memories[0].metadata", message)]


def test_a_bottomless_nesting_is_found_without_following_it() -> None:
    bottom: list[JSON] = []
    bottom.append(bottom)
    assert metadata_problems({"a": bottom}, LIMITS) == [FieldProblem("metadata", "is nested more than 3 deep")]


def test_everything_that_is_wrong_is_said_at_once() -> None:
    problems = draft_problems(Draft("", {"a": [[[1]]]}), LIMITS)
    assert [problem.field for problem in problems] == ["content", "metadata"]
