"""Strict YAML: every problem at once, each where it stands."""

from typing import Annotated

import pytest
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo

from proxy.errors import PolicyError, Problem
from proxy.yamlfile import YamlFile


def _known(value: str, info: ValidationInfo) -> str:
    if info.context is not None and value not in info.context["known"]:
        raise ValueError(f"{value} is not known")
    return value


class Item(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, AfterValidator(_known)]
    size: int = 1
    exact: Annotated[float, Field(strict=True)] = 0.5


class Form(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: str = ""
    items: list[Item] = Field(default_factory=list)
    by_name: dict[str, Item] = Field(default_factory=dict)


def problems(text: str, context: dict[str, object] | None = None) -> list[Problem]:
    with pytest.raises(PolicyError) as caught:
        YamlFile(text, "f.yaml").read(Form, context)
    return caught.value.problems


def places(text: str) -> list[tuple[int, int]]:
    return [(problem.line, problem.column) for problem in problems(text)]


def test_a_good_file_becomes_its_model() -> None:
    form = YamlFile("title: t\nitems:\n  - {name: a, size: 2}\nby_name: {x: {name: b}}\n", "f.yaml").read(Form)
    assert form == Form(title="t", items=[Item(name="a", size=2)], by_name={"x": Item(name="b")})


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n"])
def test_an_empty_file_is_a_model_of_defaults(text: str) -> None:
    assert YamlFile(text, "f.yaml").read(Form) == Form()


REFUSED = {
    "not YAML": ("title: [a", 1, 10, "expected ',' or ']'"),
    "a tab for indentation": ("items:\n\t- a", 2, 1, "cannot start any token"),
    "an undefined alias": ("title: *a", 1, 8, "aliases"),
    "an alias": ("title: &a x\nitems: [*a]", 2, 9, "aliases"),
    "a merged mapping": ("by_name:\n  a: &a {name: x}\n  b:\n    <<: *a", 4, 9, "aliases"),
    "a merge without an alias": ("items:\n  - <<: {size: 3}\n    name: x", 2, 5, "merging"),
    "two documents": ("title: a\n---\ntitle: b", 2, 1, "another document"),
    "a key given twice": ("title: a\ntitle: b", 2, 1, "'title' is given twice"),
    "a deep key given twice": ("items:\n  - name: a\n    size: 1\n    name: b", 4, 5, "'name' is given twice"),
    "a key that is a list": ("? [a, b]\n: c", 1, 3, "unhashable key"),
    "a Python object": ("title: !!python/object/apply:os.system [ls]", 1, 8, "could not determine a constructor"),
    "a date that is none": ("title: 2024-13-01", 0, 0, "not YAML"),
    "a control character": ("title: a\x07", 0, 0, "not YAML"),
    "a number without end": ("title: " + "1" * 5000, 0, 0, "not YAML"),
    "too deep": ("[" * 5000 + "]" * 5000, 1, 51, "nested more than 50 deep"),
    "too large": ("#" * ((1 << 20) + 1), 0, 0, "over 1048576 characters"),
}


@pytest.mark.parametrize(("text", "line", "column", "message"), REFUSED.values(), ids=REFUSED)
def test_what_could_hide_something_or_is_not_yaml_is_refused(text: str, line: int, column: int, message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        YamlFile(text, "f.yaml")
    (problem,) = caught.value.problems
    assert (problem.source, problem.line, problem.column) == ("f.yaml", line, column)
    assert message in problem.message


def test_all_duplicate_keys_are_reported() -> None:
    with pytest.raises(PolicyError) as caught:
        YamlFile("a: 1\nb: {c: 1, c: 2}\na: 2\n", "f.yaml")
    assert [problem.line for problem in caught.value.problems] == [2, 3]


def test_every_value_that_does_not_fit_is_reported_where_it_stands() -> None:
    text = "title: [a]\nitems:\n  - name: a\n  - {name: b, size: big}\n  - size: 2\nby_name:\n  x:\n    nam: c\n"
    assert places(text) == [(1, 1), (4, 15), (5, 5), (7, 3), (8, 5)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("titel: x", "unknown field 'titel', did you mean 'title'?"),
        ("items: [{name: a, siez: 2}]", "unknown field 'siez', did you mean 'size'?"),
        ("zzz: x", "unknown field 'zzz'"),
    ],
)
def test_a_mistyped_field_is_refused_with_a_suggestion(text: str, message: str) -> None:
    assert [problem.message for problem in problems(text)] == [message]


@pytest.mark.parametrize("text", ["items: [{name: a, exact: yes}]", "items: [{name: a, exact: '0.5'}]"])
def test_a_field_that_is_strict_stays_strict(text: str) -> None:
    assert places(text) == [(1, 19)]


def test_validators_get_the_context() -> None:
    text = "items: [{name: a}, {name: b}]"
    assert [problem.message for problem in problems(text, {"known": {"a"}})] == ["items.1.name: b is not known"]
    assert YamlFile(text, "f.yaml").read(Form, {"known": {"a", "b"}}).items[1].name == "b"


def test_a_problem_of_ones_own_is_placed_by_its_path() -> None:
    file = YamlFile("items:\n  - name: a\n    size: 2\n", "f.yaml")
    assert file.problem(("items", 0, "size"), "too small") == Problem("f.yaml", 3, 5, "too small")
    assert file.problem(("items", 0, "missing"), "is missing") == Problem("f.yaml", 2, 5, "is missing")
    assert file.refuse((), "no").problems == [Problem("f.yaml", 1, 1, "no")]


def test_a_value_is_not_repeated_in_its_problem() -> None:
    assert "hunter2" not in str(problems("items: [{name: a, size: hunter2}]"))
