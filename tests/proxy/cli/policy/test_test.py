"""``scopegate policy test``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from proxy.cli.policy.junit import junit, refused
from proxy.errors import Problem
from tests.proxy.cli.policy.conftest import Run, edit
from tests.proxy.policytest.builders import covered, outcomes

READER = "p, role:reader"


def test_the_shipped_policies_do_what_their_tests_state_and_every_line_is_tested(folder: Path, scopegate: Run) -> None:
    output = scopegate("test", folder, "--coverage-min", "100").stdout
    assert "all passed" in output
    assert "coverage 100.0 %" in output
    assert "FAIL" not in output


def test_a_failure_shows_expected_actual_and_the_line_that_decided(folder: Path, scopegate: Run) -> None:
    edit(folder / "policy.csv", "/user/ceo/**, ", "/user/cfo/**, ")
    edit(folder / "policy.csv", READER, "p, role:nobody")
    result = scopegate("test", folder, expect=1)
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "FAIL the reviewer only reads, and only what is shared" in lines
    assert "read in q3 allowed denied no line allows it" in lines
    assert "policy.csv:23 never matches p, role:intern, org/acme/project/q3/user/cfo/**, *, deny" in lines
    assert result.stdout.splitlines()[-1] == "21 tests, 2 failed"


def test_the_answer_as_json(folder: Path, scopegate: Run) -> None:
    edit(folder / "policy.csv", READER, "p, role:nobody")
    answer = json.loads(scopegate("test", folder, "--format", "json", expect=1).stdout)
    [failed] = [test for test in answer["tests"] if not test["ok"]]
    assert (answer["ok"], failed["source"]) == (False, "tests/policy.yaml")
    assert failed["failures"][0] | {"line": 0, "column": 0} == {
        "source": "tests/policy.yaml",
        "line": 0,
        "column": 0,
        "message": "test 'the reviewer only reads, and only what is shared': read in q3: expected allowed; is denied: no line allows it",
        "subject": "read in q3",
        "expected": "allowed",
        "actual": "denied",
        "because": "no line allows it",
        "decided_by": None,
    }
    assert {line["exercise"] for line in answer["coverage"]["missing"]} == {"never matches"}


def test_the_answer_as_junit(folder: Path, scopegate: Run) -> None:
    edit(folder / "policy.csv", READER, "p, role:nobody")
    root = ET.fromstring(scopegate("test", folder, "--format", "junit", expect=1).stdout)
    assert (root.get("tests"), root.get("failures")) == ("21", "1")
    assert [suite.get("name") for suite in root.iter("testsuite")] == ["tests/pii.yaml", "tests/policy.yaml"]
    [failure] = root.iter("failure")
    assert "read in q3: expected allowed; is denied" in failure.get("message")


def test_junit_holds_nothing_that_xml_cannot() -> None:
    text = 'tests: [{name: "a\\a<b>", principal: agent:x, roles: [role:y]}]'
    root = ET.fromstring(junit(outcomes(text), covered(text)))
    assert [case.get("name") for case in root.iter("testcase")] == ["a?<b>"]
    assert ET.fromstring(refused([Problem("f", 1, 1, "\0")])).find(".//error").get("message") == "?"


def test_too_little_coverage_fails(folder: Path, scopegate: Run) -> None:
    (folder / "tests" / "pii.yaml").unlink()
    scopegate("test", folder, "--coverage-min", "50")
    result = scopegate("test", folder, expect=1, SCOPEGATE_COVERAGE_MIN="100")
    assert "coverage is 78.5 %, less than the 100 % that are asked for" in result.stderr
    assert (
        json.loads(scopegate("test", folder, "--coverage-min", "100", "--format", "json", expect=1).stdout)["ok"]
        is False
    )


def test_no_test_at_all_fails_with_a_hint(folder: Path, scopegate: Run) -> None:
    shutil.rmtree(folder / "tests")
    result = scopegate("test", folder, expect=1)
    assert "there is no test in" in result.stderr
    assert "write one in tests/policy.yaml" in result.stderr


@pytest.mark.parametrize("output", ["text", "json", "junit"])
def test_files_with_a_mistake_are_refused_with_3(folder: Path, scopegate: Run, output: str) -> None:
    edit(folder / "tests" / "pii.yaml", "verdict: hold", "verdict: hodl")
    edit(folder / "policy.csv", "deny", "Deny")
    result = scopegate("test", folder, "--format", output, expect=3)
    for place in ("policy.csv:", "tests/pii.yaml:"):
        assert place in result.output.replace('"source": "', "").replace('",', ":")
