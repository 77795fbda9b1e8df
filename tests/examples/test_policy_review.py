"""The review of a pull request calls commands and options that exist, and its shell does what its comments say."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
import yaml

from proxy.cli.main import app
from tests.examples.test_deploy import _resolved

ROOT = Path(__file__).parents[2]
WORKFLOW = yaml.safe_load((ROOT / "examples" / "deploy" / "policy-review.yml").read_text(encoding="utf-8"))
STEPS = {step.get("name", step.get("uses")): step for step in WORKFLOW["jobs"]["review"]["steps"]}
DIFF = STEPS["Who gains, who loses"]["run"]


def commands() -> list[list[str]]:
    """The arguments of every call of ``scopegate``, up to where the shell takes over."""
    lines = "\n".join(step.get("run", "") for step in STEPS.values())
    return [
        shlex.split(re.split(r" >|\|\|", call)[0]) for call in re.findall(r"^ *scopegate (.*)$", lines, re.MULTILINE)
    ]


def test_a_pull_request_is_checked_tested_and_compared() -> None:
    assert [words[:2] for words in commands()] == [["policy", "check"], ["policy", "test"], ["policy", "diff"]]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_and_option_exists(words: list[str]) -> None:
    command, arguments = _resolved(typer.main.get_command(app), words)
    _, left_over, _ = command.make_parser(command.context_class(command)).parse_args(list(arguments))
    assert left_over == []


def test_the_job_may_comment_and_nothing_else() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read", "pull-requests": "write"}
    # YAML 1.1 reads the key "on" as true. pull_request_target would run a stranger's change with more than that.
    assert list(WORKFLOW[True]) == ["pull_request"]


@pytest.mark.parametrize(
    ("before", "after", "code", "says"),
    [
        ("read, allow", "read|write, allow", 0, "### :warning: Policy impact"),
        ("# The researcher", "# A researcher", 0, "### Policy impact: no difference"),
        ("deny", "Deny", 3, ""),
    ],
)
def test_the_comment_is_written_and_only_refused_files_fail(
    tmp_path: Path, before: str, after: str, code: int, says: str
) -> None:
    shutil.copytree(ROOT / "policies", tmp_path / "policies")
    for words in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--no-gpg-sign", "-m", "base"]):
        subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@t", *words], cwd=tmp_path, check=True)
    path = tmp_path / "policies" / "policy.csv"
    path.write_text(path.read_text().replace(before, after))
    program = tmp_path / "scopegate"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m proxy.cli.main "$@"\n')
    program.chmod(0o700)
    env = os.environ | {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "BASE": "HEAD",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }
    done = subprocess.run(["bash", "-e", "-c", DIFF], cwd=tmp_path, env=env, capture_output=True, check=False)
    assert done.returncode == code, done.stderr
    assert (tmp_path / "summary.md").read_text().startswith(says)
    assert (tmp_path / "impact.md").read_text() == (tmp_path / "summary.md").read_text()
