"""``scopegate policy who`` and ``what`` as their users call them."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.world import POLICIES, run_cli


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(POLICIES, tmp_path / "policies"))


def ask(folder: Path, *words: str, expect: int = 0) -> str:
    return run_cli("policy", *words, "--policies", str(folder), expect=expect)


def add(folder: Path, *lines: str) -> None:
    with (folder / "policy.csv").open("a") as file:
        file.writelines(f"{line}\n" for line in lines)


def test_who_names_everybody_with_the_line_and_the_role(folder: Path) -> None:
    shown = ask(folder, "who", "write", "org/acme/project/q3").splitlines()
    assert [line.split() for line in shown[1:]] == [
        ["agent:researcher", "policy.csv:10", "role:researcher"],
        ["agent:writer", "policy.csv:12", "role:writer"],
    ]


def test_who_knows_self(folder: Path) -> None:
    answer = json.loads(ask(folder, "who", "read", "org/acme/project/q3/agent/writer", "--format", "json"))
    assert [item["principal"] for item in answer["principals"]] == ["agent:writer"]


def test_who_says_when_it_is_nobody_and_which_roles_stand_empty(folder: Path) -> None:
    assert ask(folder, "who", "forget", "/") == "nobody may forget in /\n"
    add(
        folder, "p, role:auditor, /**, read, allow", "p, role:barred, /**, read, allow", "p, role:barred, /, read, deny"
    )
    assert ask(folder, "who", "read", "/").splitlines()[1:] == [
        "role:auditor could as well, but nobody in the file has that role"
    ]


def test_what_joins_roles_and_writes_self_out(folder: Path) -> None:
    shown = ask(folder, "what", "agent:writer").splitlines()
    assert shown[0] == "agent:writer is role:writer"
    assert [re.split(r"\s{2,}", line.strip()) for line in shown[2:]] == [
        ["read, write", "org/acme/project/q3"],
        ["read, write, publish, forget", "org/acme/project/q3/agent/writer"],
    ]


def test_what_takes_denied_scopes_out(folder: Path) -> None:
    add(folder, "p, role:supervisor, org/acme/project/alpha/agent/worker-1/**, *, deny")
    answer = json.loads(ask(folder, "what", "supervisor:lead", "--format", "json"))
    assert answer["may"]["read"] == ["org/acme/project/alpha/agent?/*-{worker-1}/**"]
    assert answer["may"]["forget"] == []
    assert "name?/… also means scopes without that dimension" in answer["legend"]


def test_what_of_a_stranger_is_nothing(folder: Path) -> None:
    assert "may do nothing: the policy does not name it" in ask(folder, "what", "agent:stranger")


@pytest.mark.parametrize("words", [("who", "read", "/"), ("what", "agent:writer")])
def test_files_with_a_mistake_are_refused(folder: Path, words: tuple[str, ...]) -> None:
    add(folder, "p, role:reader, org/acme, read, Deny")
    assert "did you mean deny?" in ask(folder, *words, expect=3)


def test_a_policy_that_falls_into_too_many_parts_is_refused_by_name(folder: Path) -> None:
    add(folder, "p, agent:x, /**, read, allow")
    add(folder, *(f"p, agent:x, a{number}/v/b{number}/v/**, read, deny" for number in range(24)))
    assert "limit MAX_BOXES" in ask(folder, "what", "agent:x", expect=3)
