"""Test files: what they may hold, and where each mistake stands."""

import contextlib
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from proxy.authorise.decision import Action
from proxy.errors import PolicyError
from proxy.inspection.verdict import VerdictKind
from proxy.policytest import form
from proxy.policytest.case import AccessTest, GateTest
from proxy.policytest.form import read_test_file, read_tests
from store.scope import Scope

ACCESS = "tests:\n  - name: n\n    principal: agent:ana\n"
GATE = "gate:\n  - name: n\n    text: t\n"

# fmt: off
REFUSED = {
    "an unknown field": (f"{ACCESS}    expects: {{}}\n", [(4, 5, "unknown field 'expects', did you mean 'expect'?")]),
    "a field of the other kind": (f"{ACCESS}    expect: {{/: []}}\n    verdict: block\n", [(5, 5, "unknown field 'verdict'")]),
    "no principal": ("tests:\n  - name: n\n    roles: []\n", [(2, 5, "Field required")]),
    "a principal without kind": ("tests: [{name: n, principal: ana, roles: []}]", [(1, 19, "must be kind:name")]),
    "a role for a principal": ("tests: [{name: n, principal: 'role:x', roles: []}]", [(1, 19, "role: names a role")]),
    "a role without kind": (f"{ACCESS}    roles: [writer]\n", [(4, 13, "'writer' is not a role; write role:NAME")]),
    "an unknown action": (f"{ACCESS}    expect: {{org/a: [raed]}}\n", [(4, 22, "Input should be 'read'")]),
    "* among actions": (f"{ACCESS}    expect: {{org/a: [read, '*']}}\n", [(4, 28, "Input should be 'read'")]),
    "actions that are no list": (f"{ACCESS}    expect: {{org/a: read}}\n", [(4, 14, "valid list")]),
    "a scope left empty": (f"{ACCESS}    expect:\n      org/a:\n", [(5, 7, "valid list")]),
    "a scope of no name": (f"scopes: {{shared: org/a}}\n{ACCESS}    expect: {{shard: []}}\n", [(5, 14, "no scope is called 'shard'; did you mean 'shared'?")]),
    "a scope unlike any": (f"{ACCESS}    expect: {{x: []}}\n", [(4, 14, "name it under scopes:, or write its path")]),
    "a path that is none": (f"{ACCESS}    expect: {{org/: []}}\n", [(4, 14, "neither begins nor ends with /")]),
    "a name like a path": ("scopes: {a/b: org/a}", [(1, 10, "holds no /")]),
    "a named scope that is none": ("scopes: {a: org}", [(1, 10, "has no value")]),
    "nothing expected": (ACCESS, [(2, 5, "expects nothing; write expect: or roles:")]),
    "a name given twice": (f"{ACCESS}    roles: []\n  - {{name: n, principal: agent:bo, roles: []}}\n", [(5, 6, "another test of this file is called 'n'")]),
    "an empty name": ("tests: [{name: ' ', principal: 'agent:a', roles: []}]", [(1, 10, "is empty")]),
    "a reason for a scope not expected": (f"{ACCESS}    roles: []\n    because: {{org/a: 'p, role:x, org/a, read, allow'}}\n", [(5, 15, "'org/a' is not under expect")]),
    "a reason that is no line": (f"{ACCESS}    expect: {{org/a: []}}\n    because: {{org/a: 'p, role:x, org/a, read, Deny'}}\n", [(5, 15, "did you mean deny?")]),
    "a reason that is a g line": (f"{ACCESS}    expect: {{org/a: []}}\n    because: {{org/a: 'g, agent:ana, role:x'}}\n", [(5, 15, "no p line")]),
    "a reason of two lines": (f'{ACCESS}    expect: {{org/a: []}}\n    because: {{org/a: "p, role:x, org/a, read, deny\\np, role:x, org/b, read, deny"}}\n', [(5, 15, "write one policy line")]),
    "a text too long": (f"gate: [{{name: n, text: {'x' * 70_000}, into: org/a, verdict: pass}}]", [(1, 18, "at most 65536 characters")]),
    "a scope that is a number": (f"{ACCESS}    expect: {{1: []}}\n", [(4, 14, "valid string")]),
    "an unknown verdict": (f"{GATE}    into: org/a\n    verdict: blocked\n", [(5, 5, "Input should be 'pass'")]),
    "into nowhere": (f"{GATE}    into: q3\n    verdict: pass\n", [(4, 5, "no scope is called 'q3'")]),
    "a text that is a number": ("gate: [{name: n, text: 5, into: org/a, verdict: pass}]", [(1, 18, "valid string")]),
    "version 2": ("version: 2", [(1, 1, "Input should be 1")]),
    "two mistakes": ("tests:\n  - {name: a, principal: x, roles: []}\n  - {name: b, principal: y, roles: []}\n", [(2, 15, "kind:name"), (3, 15, "kind:name")]),
}
# fmt: on


@pytest.mark.parametrize(("text", "expected"), REFUSED.values(), ids=REFUSED)
def test_a_mistake_is_refused_where_it_stands(text: str, expected: list[tuple[int, int, str]]) -> None:
    with pytest.raises(PolicyError) as caught:
        read_test_file(text, "tests/t.yaml")
    problems = caught.value.problems
    assert [(problem.line, problem.column) for problem in problems] == [place[:2] for place in expected], problems
    for problem, (_, _, message) in zip(problems, expected, strict=True):
        assert problem.source == "tests/t.yaml"
        assert message in problem.message


def test_a_file_becomes_tests_in_file_order() -> None:
    text = f"scopes: {{shared: org/acme}}\n{ACCESS}    expect: {{shared: ['*'], org/b: []}}\n    roles: [role:x]\n"
    text += "gate:\n  - {name: g, text: t, into: shared, verdict: hold}\n"
    access, gate = read_test_file(text, "f")
    assert isinstance(access, AccessTest)
    assert isinstance(gate, GateTest)
    assert [(one.name, one.scope, one.actions) for one in access.expect] == [
        ("shared", Scope.parse("org/acme"), frozenset(Action)),
        ("org/b", Scope.parse("org/b"), frozenset()),
    ]
    assert (access.place.line, access.place.column, access.roles) == (3, 5, {"role:x"})
    assert (gate.verdict, gate.scope, gate.entities) == (VerdictKind.HOLD, Scope.parse("org/acme"), None)
    assert "text" not in repr(gate)


def test_a_folder_without_tests_has_none(tmp_path: Path) -> None:
    assert read_tests(tmp_path) == ()


def test_the_problems_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "a.yaml").write_text("test: []")
    (tmp_path / "tests" / "b.yml").write_text("")
    (tmp_path / "tests" / "c.yaml").write_bytes(b"\xff")
    (tmp_path / "tests" / "notes.txt").write_text("not a test")
    (tmp_path / "tests" / ".#a.yaml").symlink_to("what an editor leaves")
    with pytest.raises(PolicyError) as caught:
        read_tests(tmp_path)
    assert [str(problem) for problem in caught.value.problems] == [
        "tests/a.yaml:1:1: unknown field 'test', did you mean 'tests'?",
        "tests/b.yml: a test file is called NAME.yaml",
        "tests/c.yaml: is not UTF-8 at byte 0",
    ]


def test_too_many_tests_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form, "MAX_TESTS", 1)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "a.yaml").write_text(
        "tests:\n  - {name: a, principal: 'agent:x', roles: []}\n  - {name: b, principal: 'agent:x', roles: []}\n"
    )
    with pytest.raises(PolicyError, match="tests: 2 tests; at most 1 are run"):
        read_tests(tmp_path)


FIELDS = ["scopes", "tests", "gate", "name", "principal", "expect", "because", "roles", "text", "into", "verdict"]
VALUES = st.recursive(
    st.sampled_from(
        ["a", "org/a", "agent:a", "role:a", "read", "block", "*", "p, role:a, org/a, read, deny", 1, None, ""]
    ),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*FIELDS, "a", "org/a"]), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["scopes", "tests", "gate", "version"]), VALUES))
def test_any_yaml_is_read_or_refused(content: dict[str, object]) -> None:
    with contextlib.suppress(PolicyError):
        read_test_file(yaml.safe_dump(content), "f")


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(PolicyError):
        read_test_file(text, "f")
