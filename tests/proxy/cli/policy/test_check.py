"""``scopegate policy check``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from proxy.authorise.lint import LintRule
from tests.proxy.cli.policy.conftest import Run, edit

SIX_MISTAKES = """\
# six mistakes
p, role:researcher, org/acme/project/q3/agent/{self}, read|wirte, allow
p, role:researcher, org/acme/project/q3/**, read|write, allow
p, role:intern, org/acme/project/q3/user/ceo/**, *, Deny
p, rol:reader, org/acme/project/q3, read, allow
p, role:writer, org/acme/project/q3/agent, read, allow
p, role:writer, org/acme/project/q3, read, allow # for now
p, role:r\u0435ader, org/acme, read, allow
g, agent:researcher, role:researchers
"""


def add_warning(folder: Path) -> None:
    policy = folder / "policy.csv"
    policy.write_text(f"{policy.read_text()}\np, role:worker, org/other/**, read, allow\n")


def test_the_shipped_policies_hold_no_mistake_and_nothing_that_looks_like_one(folder: Path, scopegate: Run) -> None:
    output = scopegate("check", folder, "--strict").stdout
    assert output.startswith(f"{folder}: no mistakes; policy version ")


def test_six_mistakes_are_told_at_once_each_where_it_stands(folder: Path, scopegate: Run) -> None:
    (folder / "policy.csv").write_text(SIX_MISTAKES, encoding="utf-8")
    lines = scopegate("check", folder, expect=3).stdout.splitlines()
    assert [line.partition(": error: ")[0] for line in lines[:-1]] == [
        "policy.csv:2:60",
        "policy.csv:4:53",
        "policy.csv:5:4",
        "policy.csv:6:17",
        "policy.csv:7:50",
        "policy.csv:8:10",
    ]
    assert [line for line in lines if "did you mean write?" in line]
    assert lines[-1] == f"{folder}: 6 mistakes; a gateway refuses these files"


def test_a_warning_fails_only_if_asked_to(folder: Path, scopegate: Run) -> None:
    add_warning(folder)
    lines = scopegate("check", folder).stdout.splitlines()
    assert lines[0].endswith("session/*, user/* [wide-reach]")
    assert ": warning: /** also lets role:worker read" in lines[0]
    assert lines[-1].startswith(f"{folder}: no mistakes, 1 warning; policy version ")
    scopegate("check", folder, "--strict", expect=1)
    scopegate("check", folder, expect=1, SCOPEGATE_STRICT="1")


def test_warnings_are_told_beside_the_mistakes_of_other_files(folder: Path, scopegate: Run) -> None:
    add_warning(folder)
    edit(folder / "pii.yaml", "verdict: hold", "verdict: hodl")
    output = scopegate("check", folder, expect=3).stdout
    assert ": error: rules.2.verdict" in output
    assert "[wide-reach]" in output
    assert output.splitlines()[-1].endswith("1 mistake, 1 warning; a gateway refuses these files")


def test_private_dimensions_are_those_of_the_gateway(folder: Path, scopegate: Run) -> None:
    add_warning(folder)
    edit(folder / "gateway.yaml", "private_dimensions: [agent, user, session]", "private_dimensions: [desk]")
    assert "in the private scopes below: desk/* [wide-reach]" in scopegate("check", folder, expect=3).stdout


def test_failing_policy_tests_are_mistakes(folder: Path, scopegate: Run) -> None:
    edit(folder / "policy.csv", "p, role:reader", "p, role:nobody")
    output = scopegate("check", folder, expect=3).stdout
    assert "error: test 'the reviewer only reads, and only what is shared': read in q3" in output


def test_the_answer_as_json(folder: Path, scopegate: Run) -> None:
    add_warning(folder)
    answer = json.loads(scopegate("check", folder, "--format", "json").stdout)
    [warning] = answer.pop("warnings")
    assert (answer["ok"], answer["problems"], len(answer["version"])) == (True, [], 12)
    assert (warning["rule"], warning["source"], warning["column"]) == ("wide-reach", "policy.csv", 17)
    (folder / "policy.csv").write_text(SIX_MISTAKES, encoding="utf-8")
    answer = json.loads(scopegate("check", folder, "--format", "json", expect=3).stdout)
    assert (answer["ok"], answer["version"], len(answer["problems"])) == (False, None, 6)
    assert set(answer["problems"][0]) == {"source", "line", "column", "message"}


@pytest.mark.parametrize("broken", [False, True])
def test_the_answer_as_sarif(folder: Path, scopegate: Run, monkeypatch: pytest.MonkeyPatch, broken: bool) -> None:
    monkeypatch.chdir(folder.parent)
    add_warning(folder)
    if broken:
        (folder / "policy.csv").write_text(SIX_MISTAKES, encoding="utf-8")
    log = json.loads(scopegate("check", "policies", "--format", "sarif", expect=3 if broken else 0).stdout)
    results = results_of(log)
    assert [result["level"] for result in results] == (["error"] * 6 if broken else ["warning"])
    place = results[0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "policies/policy.csv"
    assert place["region"] == ({"startLine": 2, "startColumn": 60} if broken else place["region"])


def test_sarif_of_a_folder_elsewhere_and_of_a_whole_file(folder: Path, scopegate: Run) -> None:
    (folder / "pii.yaml").unlink()
    [result] = results_of(json.loads(scopegate("check", folder, "--format", "sarif", expect=3).stdout))
    place = result["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": (folder / "pii.yaml").as_uri()}}


def results_of(log: dict[str, Any]) -> list[dict[str, Any]]:
    """The results of a log that has what SARIF 2.1.0 requires: sections 3.13, 3.14, 3.19, 3.27 and 3.49."""
    assert (log["version"], log["$schema"]) == ("2.1.0", "https://json.schemastore.org/sarif-2.1.0.json")
    [run] = log["runs"]
    assert run["columnKind"] in {"utf16CodeUnits", "unicodeCodePoints"}
    driver = run["tool"]["driver"]
    rules = {rule["id"] for rule in driver["rules"]}
    assert (driver["name"], rules) == ("scopegate", {"refused", *LintRule})
    assert all(rule["shortDescription"]["text"] for rule in driver["rules"])
    for result in run["results"]:
        assert result["ruleId"] in rules
        assert result["level"] in {"error", "warning"}
        assert result["message"]["text"]
        for location in result["locations"]:
            region = location["physicalLocation"].get("region", {"startLine": 1, "startColumn": 1})
            assert min(region.values()) >= 1
    return run["results"]
