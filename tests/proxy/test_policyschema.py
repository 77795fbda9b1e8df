"""The schemas say what the readers say."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from proxy.policyschema import schemas
from tests.world import POLICIES

FILES = sorted(path.relative_to(POLICIES).as_posix() for path in POLICIES.rglob("*.yaml"))


def schema_of(name: str) -> dict[str, Any]:
    """The schema that the first line of a file names."""
    path = POLICIES / name
    named = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", path.read_text(encoding="utf-8").splitlines()[0])
    assert named, f"{name} does not name its schema in its first line"
    return json.loads((path.parent / named[1]).read_text(encoding="utf-8"))


def test_the_schemas_in_the_policy_folder_are_those_of_the_readers(detector) -> None:
    written = {path.stem: path.read_text(encoding="utf-8") for path in (POLICIES / "schema").glob("*.json")}
    assert written == schemas(detector.supported), "stale; run: scopegate policy schema policies"


@pytest.mark.parametrize("name", FILES)
def test_every_file_names_a_schema_and_keeps_to_it(name: str) -> None:
    schema = schema_of(name)
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(yaml.safe_load((POLICIES / name).read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pii.yaml", "{version: 1, rules: [{scope: /**, entities: [US_SNS], verdict: block}]}"),
        ("pii.yaml", "{version: 1, rules: [{scope: /**, entities: [US_SSN], verdict: blocked}]}"),
        ("pii.yaml", "{version: 1, rules: []}"),
        ("gateway.yaml", "{limit: {}}"),
        ("gateway.yaml", "{gate: {workers: 0}}"),
        ("tests/policy.yaml", "{tests: [{name: n, principal: 'agent:a', expect: {org/a: [raed]}}]}"),
        ("tests/policy.yaml", "{tests: [{name: n, expect: {}}]}"),
        ("tests/pii.yaml", "{gate: [{name: n, text: t, into: org/a, verdict: hodl}]}"),
        ("tests/pii.yaml", "{gate: [{name: n, text: t, into: org/a, verdict: hold, entities: [PRESON]}]}"),
    ],
)
def test_what_a_reader_refuses_an_editor_underlines(name: str, text: str) -> None:
    assert not Draft202012Validator(schema_of(name)).is_valid(yaml.safe_load(text))


def test_a_star_for_all_actions_is_taken() -> None:
    tests = {"tests": [{"name": "n", "principal": "agent:a", "expect": {"org/a": ["*"]}}]}
    assert Draft202012Validator(schema_of("tests/policy.yaml")).is_valid(tests)
