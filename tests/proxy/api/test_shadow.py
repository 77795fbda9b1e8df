"""A simulated policy is asked everything, tells where it differs, and changes no answer."""

from __future__ import annotations

from datetime import timedelta

import pytest

from proxy.authorise.policyset import PolicySet
from proxy.shadow import DIFFERENCES_KEPT
from tests.world import DRAFT, FINDING, NOTES, POLICIES, SHARED, World

PATH = "/v1/admin/policy/shadow"
MODEL = (POLICIES / "model.conf").read_text()
SHIPPED = (POLICIES / "policy.csv").read_text()
WRITER = "p, role:writer, org/acme/project/q3, read|write, allow"
READER = "p, role:reader, org/acme/project/q3, read, allow"


def candidate(*edits: tuple[str, str], **more) -> dict:
    policy = SHIPPED
    for before, after in edits:
        assert before in policy
        policy = policy.replace(before, after)
    return {"files": {"model.conf": MODEL, "policy.csv": policy}, **more}


async def test_differences_name_the_request_and_the_lines_and_hold_no_content(world: World) -> None:
    operator, writer = await world.agent("human:ops"), await world.agent("agent:writer")
    reader, researcher = await world.agent("agent:reviewer"), await world.agent("agent:researcher")
    edits = (WRITER, WRITER.replace("read|write", "read")), (READER, READER.replace("q3,", "q3/**,"))
    started = await operator.post(PATH, json=candidate(*edits))
    assert started.status_code == 201
    await researcher.post("/v1/memories", json={"scope": NOTES, "content": FINDING})
    wrote = await writer.post("/v1/memories", json={"scope": SHARED, "content": DRAFT}, headers={"X-Request-Id": "one"})
    looked = await reader.post("/v1/recall", json={"scope": SHARED, "query": "x"}, headers={"X-Request-Id": "two"})
    peeked = await reader.post("/v1/recall", json={"scope": NOTES, "query": "x"}, headers={"X-Request-Id": "three"})
    assert (wrote.status_code, peeked.status_code) == (201, 403)
    assert [item["scope"] for item in looked.json()["items"]] == [SHARED]

    answer = (await operator.get(PATH)).json()
    assert answer["running"]
    shown = [
        (found["request_id"], found["operation"], found["outcome"], found["enforced_lines"], found["candidate_lines"])
        for found in answer["differences"]
    ]
    assert shown == [
        ("three", "recall", "would_allow", [], ["policy.csv:13"]),
        ("two", "recall", "other_scopes", ["policy.csv:13"], ["policy.csv:13"]),
        ("one", "remember", "would_deny", ["policy.csv:12"], []),
    ]
    assert (answer["differences"][1]["scopes_gained"], answer["differences"][1]["scopes_lost"]) == (1, 0)
    assert answer["compared"] == sum(answer["counts"].values())
    assert not any(text in str(answer) for text in (DRAFT, FINDING))


async def test_a_candidate_that_fails_affects_no_request(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    operator, writer = await world.agent("human:ops"), await world.agent("agent:writer")
    await operator.post(PATH, json=candidate((WRITER, WRITER.replace("read|write", "read"))))
    decide, version = PolicySet.decide, world.app.policies.in_force.authoriser.policy.version

    def fails(policy: PolicySet, *asked):
        if policy.version != version:
            raise RuntimeError("a candidate gone wrong")
        return decide(policy, *asked)

    monkeypatch.setattr(PolicySet, "decide", fails)
    assert (await writer.post("/v1/memories", json={"scope": SHARED, "content": DRAFT})).status_code == 201
    counts = (await operator.get(PATH)).json()["counts"]
    assert counts["failed"] >= 1
    assert counts["would_deny"] == 0


async def test_it_ends_by_itself_and_can_still_be_read(world: World) -> None:
    operator, writer = await world.agent("human:ops"), await world.agent("agent:writer")
    await operator.post(PATH, json=candidate((WRITER, WRITER.replace("write,", "forget,")), lasts_s=60))
    world.clock.pass_by(timedelta(seconds=61))
    await writer.post("/v1/memories", json={"scope": SHARED, "content": DRAFT})
    answer = (await operator.get(PATH)).json()
    assert (answer["running"], answer["differences"]) == (False, [])
    assert (await operator.delete(PATH)).status_code == 204
    assert (await operator.get(PATH)).status_code == 404
    assert (await operator.delete(PATH)).status_code == 404


async def test_only_so_many_differences_are_kept(world: World) -> None:
    operator, writer = await world.agent("human:ops"), await world.agent("agent:writer")
    await operator.post(PATH, json=candidate((WRITER, WRITER.replace("read|write", "read"))))
    for _ in range(DIFFERENCES_KEPT + 3):
        await writer.delete("/v1/memories/01990000-0000-7000-8000-000000000000")
    for _ in range(2):
        many = [{"scope": SHARED, "content": f"{DRAFT} {number}"} for number in range(60)]
        await writer.post("/v1/memories/batch", json={"memories": many})
    answer = (await operator.get(PATH)).json()
    assert answer["counts"]["would_deny"] == 120
    assert len(answer["differences"]) == DIFFERENCES_KEPT


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_it_needs_administer_on_everything_and_is_audited(world: World, method: str) -> None:
    body = candidate() if method == "POST" else None
    writer = await world.agent("agent:writer")
    assert (await writer.request(method, PATH, json=body)).status_code == 403
    operator = await world.agent("human:ops")
    await operator.request(method, PATH, json=body)
    operation = {"GET": "shadow_status", "POST": "shadow_start", "DELETE": "shadow_stop"}[method]
    entries = [
        (entry["principal"], entry["outcome"]) for entry in await world.audit() if entry["operation"] == operation
    ]
    assert entries == [("agent:writer", "deny"), ("human:ops", "allow")]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "files"),
        ({"files": {"policy.csv": SHIPPED}}, "files"),
        ({"files": {"model.conf": MODEL, "policy.csv": SHIPPED, "pii.yaml": ""}}, "files"),
        (candidate(lasts_s=0), "lasts_s"),
        (candidate(lasts_s=10**9), "lasts_s"),
        (candidate((READER, READER.replace("allow", "alow"))), "policy.csv:13:44"),
        ({"files": {"model.conf": "[matchers]", "policy.csv": SHIPPED}}, "model.conf"),
        ({"files": {"model.conf": MODEL, "policy.csv": "#" * (1024 * 1024 + 1)}}, "files.policy.csv"),
    ],
)
async def test_a_candidate_with_a_mistake_is_refused_and_the_former_goes_on(world: World, body, field) -> None:
    operator = await world.agent("human:ops")
    await operator.post(PATH, json=candidate(lasts_s=50))
    before = (await operator.get(PATH)).json()["started_at"]
    refused = await operator.post(PATH, json=body)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"].startswith(field)
    assert (await operator.get(PATH)).json()["started_at"] == before
