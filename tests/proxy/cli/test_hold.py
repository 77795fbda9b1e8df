"""``scopegate hold``, against a gateway that runs."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.world import SHARED, LiveGateway

# Text that would like to be more than text: markup, a cleared screen, a new line that looks like another hold.
UNRULY = "Interview with Maria Gonzalez [/] [red]went[/red] well\x1b[2J\x9b2J\u202e\n0199 agent:ceo"


@pytest.fixture
def env(gateway: LiveGateway) -> dict[str, str]:
    """The environment of a reviewer."""
    return {"SCOPEGATE_URL": gateway.url, "SCOPEGATE_KEY": gateway.issue_many(["human:ana"])["human:ana"]}


@pytest.fixture
def researcher(gateway: LiveGateway):
    key = gateway.issue_many(["agent:researcher"])["agent:researcher"]
    with httpx.Client(base_url=gateway.url, headers={"Authorization": f"Bearer {key}"}) as client:
        yield client


def held(researcher: httpx.Client, content: str = UNRULY) -> str:
    answer = researcher.post("/v1/memories", json={"scope": SHARED, "content": content, "metadata": {"k": ["v"]}})
    assert answer.status_code == 202, answer.text
    return answer.json()["hold_id"]


def test_list_and_show_tell_a_reviewer_the_text_and_do_not_obey_it(scopegate, env, researcher) -> None:
    hold_id = held(researcher)

    listed, shown = scopegate("hold", "list", **env), scopegate("hold", "show", hold_id, **env)
    as_json = [scopegate("hold", *words, "--format", "json", **env) for words in (["list"], ["show", hold_id])]

    for told in (listed, shown, *as_json):
        assert told.code == 0, told.err
        assert "Maria Gonzalez [/] [red]went[/red] well" in told.out
        assert not {"\x1b", "\x9b", "\u202e"} & set(told.out)
    [line] = [line for line in listed.out.splitlines() if hold_id in line]
    assert "agent:ceo" in line
    assert "PERSON" in line
    assert "['v']" in shown.out
    one = json.loads(as_json[1].out)
    assert one["content"] == UNRULY
    assert one in json.loads(as_json[0].out)["items"]


def test_approve_lets_in_and_says_where(scopegate, env, researcher) -> None:
    whole, redacted = held(researcher), held(researcher)

    as_it_was = scopegate("hold", "approve", whole, **env)
    without = scopegate("hold", "approve", redacted, **env, SCOPEGATE_HOLD_APPROVE_REDACT="1")
    twice = scopegate("hold", "approve", whole, **env)

    assert as_it_was.out == f"stored as it was as memory {whole} in {SHARED}\n"
    assert without.out == f"stored redacted as memory {redacted} in {SHARED}\n"
    assert (twice.code, "decided" in twice.err) == (1, True)
    assert researcher.get(f"/v1/memories/{whole}").json()["content"] == UNRULY
    assert "Gonzalez" not in researcher.get(f"/v1/memories/{redacted}").json()["content"]


def test_reject_deletes_and_says_why(scopegate, env, researcher) -> None:
    hold_id = held(researcher)

    told = scopegate("hold", "reject", hold_id, "--reason", "no names", **env)

    assert told.code == 0
    assert "rejected" in told.out
    assert researcher.get(f"/v1/holds/{hold_id}").json()["reason"] == "no names"
    assert researcher.get(f"/v1/memories/{hold_id}").status_code == 404
    assert hold_id not in scopegate("hold", "list", **env).out
    assert hold_id in scopegate("hold", "list", "--state", "rejected", **env).out


@pytest.mark.parametrize("deed", ["show", "approve", "reject"])
@pytest.mark.parametrize(
    "hold_id", ["01890000-0000-7000-8000-000000000000", "nonsense", "../admin/keys", "a?b#c", ".."]
)
def test_a_hold_that_is_not_there_is_told_in_one_line(scopegate, env, deed, hold_id) -> None:
    told = scopegate("hold", deed, hold_id, **env)

    assert told.code == 1
    assert told.err.startswith(("error Not found", "error Method not allowed"))
    assert len(told.err.strip().splitlines()) == 1
