"""``scopegate policy simulate`` against a gateway as users run it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import httpx
import pytest

from tests.world import DRAFT, POLICIES, SHARED, LiveGateway, run_cli


@pytest.fixture
def candidate(tmp_path: Path) -> Path:
    folder = Path(shutil.copytree(POLICIES, tmp_path / "candidate"))
    line = "p, role:writer, org/acme/project/q3, read|write, allow"
    text = (folder / "policy.csv").read_text()
    assert line in text
    (folder / "policy.csv").write_text(text.replace(line, line.replace("read|write", "read")))
    return folder


def test_a_candidate_is_simulated_shown_and_stopped(gateway: LiveGateway, candidate: Path) -> None:
    env = os.environ | {"SCOPEGATE_URL": gateway.url, "SCOPEGATE_KEY": gateway.key("human:ops")}

    def simulate(*words: object, expect: int = 0) -> str:
        return run_cli("policy", "simulate", *map(str, words), env=env, expect=expect)

    assert "state         running" in simulate(candidate, "--for", "5m")
    writer = {"Authorization": f"Bearer {gateway.key('agent:writer')}", "X-Request-Id": "mine"}
    body = {"scope": SHARED, "content": DRAFT}
    assert httpx.post(f"{gateway.url}/v1/memories", json=body, headers=writer).status_code == 201
    told = "agent:writer remember: write in org/acme/project/q3  allowed by policy.csv:12, would be denied by no line"
    assert f"- mine  {told}\n" in simulate("--status")
    assert json.loads(simulate("--stop", "--format", "json"))["counts"]["would_deny"] == 1
    assert "no candidate policy is simulated" in simulate("--status", expect=1)
    (candidate / "policy.csv").write_text("p, role:writer, org/acme, read, alow\n")
    assert "effect must be allow or deny" in simulate(candidate, expect=1)
    assert "give one of NEW, --status and --stop" in simulate(expect=2)
