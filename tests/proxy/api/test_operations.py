"""What operators ask without a key: alive, ready, counted; and nothing in it that is not theirs."""

import re

import pytest

from store.errors import StoreUnavailable
from tests.proxy.api.rig import Rig, refused
from tests.proxy.api.test_unavailable import table_gone, unwritable
from tests.world import EMAIL_NOTE, FINDING, NOTES, PERSON_NOTE, SHARED, SSN_NOTE, World

pytestmark = pytest.mark.anyio


async def test_a_gateway_whose_parts_all_work_is_ready(world: World) -> None:
    client = world.client()
    assert (await client.get("/healthz")).json() == {"status": "alive"}
    ready = await client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json() == {
        "status": "ready",
        "store": "ok",
        "gate": "ok",
        "audit": "ok",
        "policy": {
            "version": world.app.policies.in_force.version,
            "loaded_at": "2026-11-22T10:00:00.000001Z",
            "refused": None,
        },
    }


@pytest.mark.parametrize("part", ["store", "gate", "audit"])
async def test_a_part_that_does_not_work_is_named_until_it_does(world: World, rig: Rig, part: str) -> None:
    client = world.client()
    if part == "audit":
        with table_gone(world, "audit_head"):
            broken = await client.get("/readyz")
    else:
        broken_part = rig.store if part == "store" else rig.detector
        broken_part.failure = StoreUnavailable("the disk of agent:researcher")
        broken = await client.get("/readyz")
        broken_part.failure = None
    assert broken.status_code == 503
    states = {name: broken.json()[name] for name in ("store", "gate", "audit")}
    assert states.pop(part).startswith("unavailable (")
    assert set(states.values()) == {"ok"}
    assert broken.json()["status"] == "not ready"
    assert "researcher" not in broken.text
    assert (await client.get("/healthz")).status_code == 200
    assert (await client.get("/readyz")).status_code == 200


async def test_a_gate_that_sees_nothing_is_not_ready(world: World, rig: Rig) -> None:
    rig.detector.canaries = {}
    ready = await world.client().get("/readyz")
    assert (ready.status_code, ready.json()["gate"]) == (503, "unavailable (GateUnavailable)")


async def test_readiness_writes_no_entry(world: World) -> None:
    await world.client().get("/readyz")
    assert await world.audit() == []


def value(text: str, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


async def test_metrics_count_requests_refusals_and_verdicts(world: World) -> None:
    agent = await world.agent("agent:researcher")
    for text in (FINDING, EMAIL_NOTE, PERSON_NOTE, SSN_NOTE):
        await agent.post("/v1/memories", json={"scope": SHARED, "content": text})
    await agent.post("/v1/memories", json={"scope": NOTES, "content": SSN_NOTE})
    await agent.get("/v1/whoami")
    refused(await world.client().get("/v1/whoami"), 401, "unauthenticated")
    text = (await world.client().get("/metrics")).text
    route = 'method="POST",route="/v1/memories"'
    assert value(text, f'scopegate_requests_total{{{route},status="201"}}') == 3
    assert value(text, f'scopegate_requests_total{{{route},status="202"}}') == 1
    assert value(text, f'scopegate_requests_total{{{route},status="422"}}') == 1
    assert value(text, f"scopegate_request_duration_seconds_count{{{route}}}") == 5
    assert value(text, 'scopegate_refusals_total{code="unauthenticated"}') == 1
    assert value(text, 'scopegate_refusals_total{code="blocked-by-publish-gate"}') == 1
    for verdict in ("pass", "redact", "hold", "not_inspected"):
        assert value(text, f'scopegate_verdicts_total{{verdict="{verdict}"}}') == 1
    assert value(text, "scopegate_policy_refused") == 0
    assert value(text, "scopegate_policy_loaded_timestamp_seconds") == world.app.policies.in_force.loaded_at.timestamp()


async def test_metrics_hold_no_principal_key_scope_id_nor_content(world: World) -> None:
    agent = await world.agent("agent:researcher")
    made = await agent.post("/v1/memories", json={"scope": SHARED, "content": EMAIL_NOTE, "metadata": {"tag": "zebra"}})
    await agent.get(f"/v1/memories/{made.json()['id']}")
    await agent.get("/v1/memories", params={"scope": SHARED, "author": "agent:researcher"})
    await agent.get("/researcher/acme", headers={"X-Request-Id": "zebra-request"})
    await agent.request("ZEBRA", "/v1/memories")
    text = (await world.client().get("/metrics")).text
    key_id, secret = agent.headers["Authorization"].removeprefix("Bearer sg_").split("_", 1)
    for word in ("researcher", "agent:", "acme", "q3", "jane", "zebra", "ZEBRA", key_id, secret, made.json()["id"]):
        assert word not in text


async def test_labels_are_bounded_whatever_clients_make_up(world: World) -> None:
    client = world.client()
    for n in range(20):
        await client.get(f"/made/up/{n}")
        await client.request(f"MADEUP{n}", "/v1/memories")
        await client.request(f"MADEUP{n}", "/made/up")
    text = (await client.get("/metrics")).text
    lines = [line for line in text.splitlines() if line.startswith("scopegate_requests_total{")]
    assert sorted(lines) == [
        'scopegate_requests_total{method="any",route="/v1/memories",status="405"} 20.0',
        'scopegate_requests_total{method="any",route="unmatched",status="404"} 40.0',
    ]


async def test_the_log_has_a_line_for_each_request_with_names_and_ids_only(world: World, capsys) -> None:
    agent = await world.agent("agent:researcher")
    capsys.readouterr()
    body = {"scope": SHARED, "content": EMAIL_NOTE, "metadata": {"tag": "zebra"}}
    await agent.post("/v1/memories", json=body, headers={"X-Request-Id": "logged-1"})
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "logged-1" in line]
    for word in ("request", "route=/v1/memories", "status=201", "principal=agent:researcher"):
        assert word in line
    for word in ("jane", "zebra", "acme", agent.headers["Authorization"].split("_")[2]):
        assert word not in line


async def test_an_audit_log_that_takes_no_entry_is_not_hidden_behind_one_that_can_be_read(world: World) -> None:
    agent = await world.agent("agent:researcher")
    with unwritable(world, "audit"):
        refused(await agent.post("/v1/memories", json={"scope": NOTES, "content": "x"}), 503, "audit-unavailable")
