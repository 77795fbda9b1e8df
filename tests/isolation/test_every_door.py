"""No door into a shared scope is without the publish gate: invariant 2, for every route and every field of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import httpx
import pytest

from proxy.api.endpoints import Endpoints
from proxy.api.routes import Operation, operations
from store.memory import Selection
from store.permit import ReadPermit
from store.scope import Scope
from tests.world import FINDING, NOTES, PERSON_NOTE, SHARED, World

SSN = "123-45-6789"
CANARY = f"user SSN {SSN}"
NUMBER = 123456789

# Where in a submission a text can hide; the names are for the reports.
CONTENT_FIELDS = {
    "alone": CANARY,
    "among other text": f"{FINDING}\n{'More. ' * 50}\n{CANARY}, and more.",
    "wide digits": "user SSN １２３-４５-６７８９",
    "nothing to see between the groups": "user SSN 123-\u200b45-6789",
    "nothing to see within the groups": "user SSN 1\u00ad23-4\u200b5-67\ufeff89",
    "dashes of another kind": "user SSN 123\u201145\u22126789",
}
METADATA_FIELDS = {
    "value": {"note": CANARY},
    "key": {CANARY: 1},
    "nested value": {"a": {"b": {"c": CANARY}}},
    "nested key": {"a": {"b": {CANARY: None}}},
    "list item": {"tags": ["fine", CANARY]},
    "nested list": {"a": [["fine"], [CANARY]]},
    "object in a list": {"a": [{"b": CANARY}]},
    "number": {"ssn": NUMBER},
    "float": {"ssn": float(NUMBER)},
    "number in a list": {"ssn": [1, NUMBER]},
    "bare digits under a telling key": {"social security number": SSN},
}

Act = Callable[[httpx.AsyncClient, dict], Awaitable[httpx.Response]]


class Door(NamedTuple):
    """One way for a draft into the shared scope: ``act`` carries ``content`` and ``metadata`` through it."""

    fields: tuple[str, ...]
    act: Act
    blocked: int = 422


async def _remember(agent: httpx.AsyncClient, draft: dict) -> httpx.Response:
    return await agent.post("/v1/memories", json={"scope": SHARED, **draft})


async def _remember_by_session(agent: httpx.AsyncClient, draft: dict) -> httpx.Response:
    opened = await agent.post("/v1/sessions", json={"scope": SHARED})
    return await agent.post("/v1/memories", json={"session_id": opened.json()["id"], **draft})


async def _remember_many(agent: httpx.AsyncClient, draft: dict) -> httpx.Response:
    answer = await agent.post("/v1/memories/batch", json={"memories": [{"scope": SHARED, **draft}] * 2})
    assert {result["problem"]["code"] for result in answer.json()["results"]} == {"blocked-by-publish-gate"}
    return answer


async def _publish(agent: httpx.AsyncClient, draft: dict) -> httpx.Response:
    note = await agent.post("/v1/memories", json={"scope": NOTES, **draft})
    return await agent.post("/v1/publish", json={"memory_ids": [note.json()["id"]], "to": SHARED})


async def _publish_other_text(agent: httpx.AsyncClient, draft: dict) -> httpx.Response:
    note = await agent.post("/v1/memories", json={"scope": NOTES, "content": FINDING})
    return await agent.post("/v1/publish", json={"memory_ids": [note.json()["id"]], "to": SHARED, **draft})


DOORS = {
    "remember": [Door(("content", "metadata"), _remember), Door(("content", "metadata"), _remember_by_session)],
    "remember_many": [Door(("content", "metadata"), _remember_many, blocked=200)],
    "publish": [Door(("content", "metadata"), _publish), Door(("content", "metadata"), _publish_other_text)],
}
# Approving lets in what was held before a rule began to block it: its own test is below.
APPROVAL = "approve_hold"
# What these write is no memory, and nobody but the caller, a reviewer or an administrator is ever shown it.
NO_MEMORY = {
    "open_session",
    "close_session",
    "forget",
    "reject_hold",
    "create_key",
    "rotate_key",
    "revoke_key",
    "reload_policy",
    "start_shadow",
    "stop_shadow",
}
READS = {"check", "recall"}


def _operations() -> list[Operation]:
    return list(operations(Endpoints(None, None, None, None)))


def test_every_operation_that_changes_something_has_its_canary_or_its_reason() -> None:
    changing = {operation.name for operation in _operations() if operation.method != "GET" or operation.writes}

    assert changing == set(DOORS) | {APPROVAL} | NO_MEMORY | READS


def test_every_field_of_a_door_has_its_canary() -> None:
    placed = {"scope", "session_id", "category", "valid_from", "memory_ids", "to", "memories"}
    for operation in _operations():
        if operation.name in DOORS:
            texts = set(operation.body.model_fields) - placed
            assert texts <= {field for door in DOORS[operation.name] for field in door.fields}, operation.name


async def in_shared(world: World) -> list[str]:
    permit = ReadPermit("test", frozenset({Scope.parse(SHARED)}), "")
    memories = await world.app.gateway.store.list(permit, Selection(), 1_000)
    return [f"{memory.content} {memory.metadata}" for memory in memories]


@pytest.mark.parametrize(
    "door", [door for doors in DOORS.values() for door in doors], ids=lambda door: door.act.__name__
)
async def test_a_canary_is_blocked_wherever_it_hides_and_nothing_is_stored(world, door) -> None:
    researcher = await world.agent("agent:researcher")
    drafts = [{"content": content} for content in CONTENT_FIELDS.values()]
    drafts += [{"content": FINDING, "metadata": metadata} for metadata in METADATA_FIELDS.values()]

    for draft in drafts:
        answer = await door.act(researcher, draft)

        assert answer.status_code == door.blocked, (draft, answer.text)
        assert "US_SSN" in answer.text
        assert SSN not in answer.text
        assert str(NUMBER) not in answer.text
        assert await in_shared(world) == [], draft
    assert (await (await world.agent("human:ana")).get("/v1/holds")).json()["items"] == []
    reader = await world.agent("agent:reviewer")
    found = await reader.post("/v1/recall", json={"scope": SHARED, "query": CANARY})
    assert found.json() == {"items": [], "formatted": ""}


@pytest.mark.parametrize("redact", [False, True])
async def test_approving_passes_the_gate_again(world, redact) -> None:
    pii = world.policies / "pii.yaml"
    strict = pii.read_text()
    pii.write_text(strict.replace("US_SSN, ", ""))
    await world.app.policies.reload()
    researcher, ana = await world.agent("agent:researcher"), await world.agent("human:ana")
    body = {"scope": SHARED, "content": PERSON_NOTE, "metadata": {"note": CANARY}}
    held = await researcher.post("/v1/memories", json=body)
    pii.write_text(strict)
    await world.app.policies.reload()

    answer = await ana.post(f"/v1/holds/{held.json()['hold_id']}/approve", json={"redact": redact})

    assert (held.status_code, answer.status_code) == (202, 422)
    assert SSN not in answer.text
    assert await in_shared(world) == []
    assert (await ana.get("/v1/holds")).json()["items"][0]["state"] == "pending"


async def test_reasons_and_notes_never_become_memories(world) -> None:
    researcher, ana, ops = [await world.agent(name) for name in ("agent:researcher", "human:ana", "human:ops")]
    held = await researcher.post("/v1/memories", json={"scope": SHARED, "content": PERSON_NOTE})

    await ana.post(f"/v1/holds/{held.json()['hold_id']}/reject", json={"reason": CANARY})
    await ops.post("/v1/admin/keys", json={"principal": "agent:new", "note": CANARY})
    await researcher.post("/v1/sessions", json={"scope": SHARED, "metadata": {"note": CANARY}})

    assert await in_shared(world) == []
