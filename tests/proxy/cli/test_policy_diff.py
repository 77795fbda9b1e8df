"""``scopegate policy diff`` as its users call it: on folders, on git revisions, on stored data, on the audit log."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from proxy.app import Parts
from proxy.cli.main import app
from proxy.cli.policy import diff as diff_command
from tests.world import DRAFT, DRAFTS, FINDING, NOTES, POLICIES, SHARED, SSN_NOTE, open_quick_store, open_world

READER = "p, role:reader, org/acme/project/q3, read, allow"
WRITER = "p, role:writer, org/acme/project/q3, read|write, allow"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return Path(shutil.copytree(POLICIES, tmp_path / "old"))


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return Path(shutil.copytree(POLICIES, tmp_path / "new"))


def edit(folder: Path, before: str, after: str, file: str = "policy.csv") -> None:
    text = (folder / file).read_text()
    assert before in text
    (folder / file).write_text(text.replace(before, after))


@pytest.fixture(autouse=True)
def loaded(detector, monkeypatch: pytest.MonkeyPatch) -> None:
    """The detector, loaded once for all commands of this module."""
    monkeypatch.setattr(diff_command, "_detector", lambda: detector)


def diff(*words: object, expect: int = 0) -> str:
    """What the command prints, and on a refusal what it says on standard error."""
    done = CliRunner().invoke(app, ["policy", "diff", *map(str, words)], auto_envvar_prefix="SCOPEGATE")
    assert done.exit_code == expect, done.output
    return done.stdout or done.stderr


def test_equal_files_differ_in_nothing(old: Path, new: Path) -> None:
    edit(new, "# The researcher/writer flow", "# Comments say nothing")
    assert "no difference in what anybody may do" in diff(old, new)


def test_a_gain_ends_with_2_and_names_pattern_and_line(old: Path, new: Path) -> None:
    edit(new, READER, READER.replace("q3,", "*,"))
    shown = diff(old, new, expect=2)
    assert "1 principal gains, nobody loses" in shown
    assert "  agent:reviewer\n+   read  org/acme/project/*-{q3}\n      allowed by policy.csv:13\n" in shown
    assert "*-{a} is any value but a" in shown


def test_a_loss_alone_ends_with_0(old: Path, new: Path) -> None:
    edit(new, READER, READER.replace("read,", "write,").replace("allow", "deny"))
    shown = diff(old, new)
    assert "nobody gains, 1 principal loses" in shown
    assert "was allowed by old policy.csv:13" in shown


def test_a_weaker_publish_gate_ends_with_2(old: Path, new: Path) -> None:
    edit(new, "[agent, user, session]", "[agent, user, session, team]", "gateway.yaml")
    shown = diff(old, new, expect=2)
    assert "the publish gate lets more through" in shown
    assert "! dimension team becomes private" in shown
    assert "team/*/!user/!agent/!session/**: block becomes not inspected" in shown


def test_json_holds_what_the_text_says(old: Path, new: Path) -> None:
    edit(new, READER, READER.replace("q3,", "q3/**,"))
    found = json.loads(diff(old, new, "--format", "json", expect=2))
    assert found["risky"]
    assert found["stored"] is None
    assert found["groups"] == [
        {
            "principals": ["agent:reviewer"],
            "changes": [
                {
                    "way": "gains",
                    "actions": ["read"],
                    "patterns": ["org/acme/project/q3/+"],
                    "allowed_by": ["policy.csv:13"],
                    "denied_by": [],
                    "private": True,
                }
            ],
        }
    ]


def test_markdown_is_the_body_of_a_comment(old: Path, new: Path) -> None:
    edit(new, READER, READER.replace("q3,", "q3/**,"))
    shown = diff(old, new, "--format", "markdown", expect=2)
    assert shown.startswith("### :warning: Policy impact: 1 principal gains, nobody loses\n")
    assert "```diff\n  agent:reviewer\n+   read  org/acme/project/q3/+\n" in shown
    assert "! reaches" not in shown
    assert "!     reaches private scopes of others" in shown
    assert shown.count("```") == 2


@pytest.mark.parametrize("side", ["old", "new"])
def test_files_with_a_mistake_are_refused_naming_the_side(old: Path, new: Path, side: str) -> None:
    edit({"old": old, "new": new}[side], "deny", "Deny")
    shown = diff(old, new, expect=3)
    assert f"/{side}/policy.csv:23:53: effect must be allow or deny" in shown


def test_a_policy_that_falls_into_too_many_parts_is_refused_by_name(old: Path, new: Path) -> None:
    with (new / "policy.csv").open("a") as file:
        file.write("p, agent:x, /**, read, allow\n")
        file.writelines(f"p, agent:x, a{number}/v/b{number}/v/**, read, deny\n" for number in range(24))
    assert "limit MAX_BOXES" in diff(old, new, expect=3)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository with the shipped policies, and a second commit that widens one line."""
    folder = tmp_path / "repository"
    shutil.copytree(POLICIES, folder / "policies")
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder)
    edit(folder / "policies", READER, READER.replace("q3,", "*,"))
    commit(folder)
    return folder


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@t", *words], cwd=folder, check=True)


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--no-gpg-sign", "-m", "a change")


def in_folder(folder: Path, *words: str, monkeypatch: pytest.MonkeyPatch, expect: int) -> str:
    monkeypatch.chdir(folder)
    return diff(*words, expect=expect)


def test_git_revisions_are_read_where_one_stands(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = in_folder(repository, "HEAD~1:policies", "HEAD:policies/", monkeypatch=monkeypatch, expect=2)
    assert "read  org/acme/project/*-{q3}" in shown
    assert "old  HEAD~1:policies" in shown
    assert "no difference" in in_folder(repository, "main:policies", "policies", monkeypatch=monkeypatch, expect=0)


@pytest.mark.parametrize(
    ("version", "says"),
    [
        ("elsewhere", "no such folder; a git revision is written REV:path, such as main:policies"),
        ("nope:policies", "git knows no revision 'nope' here"),
        ("--upload-pack=x:policies", "git knows no revision '--upload-pack=x' here"),
        ("HEAD:polices", "revision HEAD has no folder 'polices'"),
        (":policies", "no such folder"),
    ],
)
def test_a_version_that_is_not_there_is_told(
    repository: Path, version: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert says in in_folder(repository, "--", version, "policies", monkeypatch=monkeypatch, expect=1)


def test_outside_of_a_repository_git_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    shown = in_folder(tmp_path, "main:policies", str(POLICIES), monkeypatch=monkeypatch, expect=1)
    assert "not a git repository" in shown


@pytest.fixture
def data(tmp_path: Path, detector) -> Path:
    """A stopped gateway's data: five notes of the researcher, three of them with a number; a finding; a draft."""
    folder = tmp_path / "world"

    async def seed() -> None:
        async with open_world(folder, Parts(lambda: detector, open_quick_store)) as world:
            researcher, writer = await world.agent("agent:researcher"), await world.agent("agent:writer")
            reviewer = await world.agent("agent:reviewer", floor=None)
            for content in [SSN_NOTE] * 3 + [FINDING] * 2:
                await researcher.post("/v1/memories", json={"scope": NOTES, "content": content})
            await researcher.post("/v1/memories", json={"scope": SHARED, "content": FINDING})
            await writer.post("/v1/memories", json={"scope": DRAFTS, "content": DRAFT})
            await writer.post("/v1/memories", json={"scope": SHARED, "content": SSN_NOTE})
            await reviewer.post("/v1/recall", json={"scope": SHARED, "query": "q"}, headers={"X-Request-Id": "seen"})
            await reviewer.post("/v1/recall", json={"scope": NOTES, "query": "q"}, headers={"X-Request-Id": "refused"})
            read_only = await world.agent("agent:writer", read_only=True)
            await read_only.post("/v1/memories", json={"scope": SHARED, "content": "no"})
            await reviewer.get("/v1/memories/01990000-0000-7000-8000-000000000000")

    asyncio.run(seed())
    return folder / "data"


@pytest.fixture
def quick(old: Path, new: Path) -> None:
    """Both versions name the embedder that the data was written with."""
    for folder in (old, new):
        with (folder / "gateway.yaml").open("a") as file:
            file.write("embedder: {provider: hashing}\n")


@pytest.mark.usefixtures("quick")
def test_data_counts_memories_and_findings_by_scope(old: Path, new: Path, data: Path) -> None:
    edit(new, READER, READER.replace("q3,", "q3/agent/*,"))
    shown = diff(old, new, "--data", data, expect=2)
    assert "+ agent:reviewer: +6 memories, 3 with PII findings\n" in shown
    assert f"      {NOTES}  5, 3 with PII findings\n" in shown
    assert f"      {DRAFTS}      1\n" in shown
    assert f"- agent:reviewer: -1 memory, 0 with PII findings\n      {SHARED}  1\n" in shown
    assert "123-45-6789" not in shown


@pytest.mark.usefixtures("quick")
def test_data_inspects_at_most_as_many_as_told(old: Path, new: Path, data: Path) -> None:
    edit(new, READER, READER.replace("q3,", "q3/agent/*,"))
    shown = diff(old, new, "--data", data, "--inspect-at-most", "0", "--format", "json", expect=2)
    counted = json.loads(shown)["stored"][0]["scopes"]
    assert [(scope["memories"], scope["inspected"]) for scope in counted] == [(5, 0), (1, 0)]


@pytest.mark.usefixtures("quick")
def test_data_that_is_not_there_is_not_made(old: Path, new: Path, tmp_path: Path) -> None:
    assert "holds no Scopegate data" in diff(old, new, "--data", tmp_path / "nowhere", expect=1)
    assert not (tmp_path / "nowhere").exists()


async def test_data_of_a_running_gateway_is_refused(world, old: Path, new: Path) -> None:
    assert "is held by a running gateway; stop it" in await asyncio.to_thread(
        diff, old, new, "--data", world.data, expect=1
    )


def test_replay_tells_requests_that_would_be_decided_otherwise(old: Path, new: Path, data: Path) -> None:
    edit(new, READER, READER.replace("q3,", "q3/agent/*,"))
    edit(new, WRITER, WRITER.replace("read|write", "read"))
    shown = diff(old, new, "--replay", data, expect=2)
    assert "1 would be allowed, 1 denied" in shown
    assert "+ refused  agent:reviewer recall: read in org/acme/project/q3/agent/researcher  denied by no line" in shown
    assert (
        "agent:writer remember: write in org/acme/project/q3  allowed by policy.csv:12, now denied by no line" in shown
    )
    assert "2 entries were no policy decisions and were skipped" in shown
