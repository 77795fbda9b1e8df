"""``scopegate policy explain``."""

from __future__ import annotations

import json
from pathlib import Path

from tests.proxy.cli.policy.conftest import Run, edit

CEO = "org/acme/project/q3/user/ceo"


def lines_of(output: str) -> list[str]:
    return [" ".join(line.split()) for line in output.splitlines()]


def test_a_denial_names_what_was_considered_and_what_would_allow_it(folder: Path, scopegate: Run) -> None:
    lines = lines_of(
        scopegate("explain", "agent:writer", "read", "org/acme/project/alpha", "--policies", folder).stdout
    )
    assert lines[:3] == [
        "denied agent:writer to read in org/acme/project/alpha",
        "because no policy line allows agent:writer to read in org/acme/project/alpha",
        "roles role:writer",
    ]
    assert any(line.endswith("does not match: it is about project/q3, not project/alpha") for line in lines)
    assert "10 other lines of the policy: about others" in lines
    assert lines[lines.index("to allow it, one of these lines must be added:") + 1 :] == [
        "p, agent:writer, org/acme/project/alpha, read, allow only this",
        "g, agent:writer, role:privacy_reviewer gives policy.csv:21 (org/acme/project/*, read|review)",
        "g, agent:writer, role:supervisor gives policy.csv:16 (org/acme/project/alpha/**, read|write|publish)",
        "g, agent:writer, role:worker gives policy.csv:18 (org/acme/project/alpha, read), and 1 more line",
    ]


def test_a_denial_by_a_line_names_what_must_change(folder: Path, scopegate: Run) -> None:
    lines = lines_of(scopegate("explain", "agent:intern", "read", CEO, SCOPEGATE_POLICIES=str(folder)).stdout)
    assert "policy.csv:23 role:intern, org/acme/project/q3/user/ceo/**, *, deny decides" in lines
    at = lines.index("to allow it, what denies it must change:")
    assert lines[at + 1] == "policy.csv:23 p, role:intern, org/acme/project/q3/user/ceo/**, *, deny"
    assert lines[at + 3 :] == ["and this line must be added:", f"p, agent:intern, {CEO}, read, allow only this"]


def test_what_is_allowed_names_the_line_and_no_addition(folder: Path, scopegate: Run) -> None:
    output = scopegate("explain", "agent:writer", "read", "org/acme/project/q3", "--policies", folder).stdout
    assert lines_of(output)[0] == "allowed agent:writer to read in org/acme/project/q3"
    assert "must be added" not in output


def test_the_answer_as_json(folder: Path, scopegate: Run) -> None:
    words = ("explain", "agent:intern", "read", CEO, "--policies", folder, "--format", "json")
    answer = json.loads(scopegate(*words).stdout)
    assert answer | {"considered": [], "reason": ""} == {
        "allowed": False,
        "principal": "agent:intern",
        "action": "read",
        "scope": CEO,
        "line": "policy.csv:23",
        "reason": "",
        "roles": ["role:intern"],
        "considered": [],
        "lines_about_others": 10,
        "must_change": ["policy.csv:23"],
        "additions": [{"line": f"p, agent:intern, {CEO}, read, allow", "through": None, "more": 0}],
    }
    assert [(each["line"], each["matches"], each["decides"]) for each in answer["considered"]] == [
        ("policy.csv:22", False, False),
        ("policy.csv:23", True, True),
    ]


def test_words_that_are_no_question_are_a_usage_error(folder: Path, scopegate: Run) -> None:
    for words in (("writer", "read", "org/a"), ("agent:writer", "raed", "org/a"), ("agent:writer", "read", "org")):
        scopegate("explain", *words, "--policies", folder, expect=2)


def test_files_with_a_mistake_are_refused(folder: Path, scopegate: Run) -> None:
    edit(folder / "policy.csv", "deny", "Deny")
    edit(folder / "gateway.yaml", "version: 1", "version: 2")
    result = scopegate("explain", "agent:writer", "read", "org/a", "--policies", folder, expect=3)
    assert "policy.csv:" in result.stderr
    assert "gateway.yaml:" in result.stderr
