"""What nobody foresaw: the caller learns that it failed, the operator where, and nobody reads any text."""

import asyncio

import pytest

from proxy.audit.log import AuditLog
from tests.proxy.api.rig import Rig, refused, stored
from tests.world import NOTES, PERSON_NOTE, SHARED, World

pytestmark = pytest.mark.anyio

SECRET_TEXT = "SSN 123-45-6789 of Jane"
NOTE = {"scope": NOTES, "content": SECRET_TEXT}


class StrangeError(Exception):
    """An exception that carries what a client sent, as those of libraries do."""


@pytest.mark.parametrize(
    "failure",
    [
        StrangeError(SECRET_TEXT),
        KeyError(SECRET_TEXT),
        RecursionError(SECRET_TEXT),
        ExceptionGroup(SECRET_TEXT, [StrangeError(SECRET_TEXT)]),
    ],
    ids=lambda failure: type(failure).__name__,
)
async def test_the_answer_says_no_more_than_that_it_failed(
    world: World, rig: Rig, caplog, capsys, failure: Exception
) -> None:
    agent = await world.agent("agent:researcher")
    capsys.readouterr()
    rig.store.failure = failure
    answer = await agent.post("/v1/memories", json=NOTE, headers={"X-Request-Id": "failed-1"})
    problem = refused(answer, 500, "internal")
    assert problem["detail"] == "the gateway failed; the operator finds the place under this request id"
    rig.store.failure = None
    assert await rig.scopes() == frozenset()

    logged = capsys.readouterr().out + caplog.text
    assert SECRET_TEXT not in answer.text + logged
    (line,) = [line for line in logged.splitlines() if "request failed" in line]
    assert "failed-1" in line
    assert type(failure).__name__ in line
    assert "rig.py" in line
    assert "entrance.py" in line
    assert 'code="internal"' in (await world.client().get("/metrics")).text
    assert [entry["outcome"] for entry in await world.audit()] == ["allow", "failed"]
    assert SECRET_TEXT not in str(await world.audit())

    assert (await agent.post("/v1/memories", json=NOTE)).status_code == 201
    assert len(await stored(world, NOTES)) == 1


async def test_what_was_to_be_held_is_not_when_the_rest_fails(world: World, rig: Rig) -> None:
    agent = await world.agent("agent:researcher")
    ids = [
        (await agent.post("/v1/memories", json={"scope": NOTES, "content": text})).json()["id"]
        for text in ("a finding", PERSON_NOTE)
    ]
    rig.store.after = StrangeError(SECRET_TEXT)
    refused(await agent.post("/v1/publish", json={"memory_ids": ids, "to": SHARED}), 500, "internal")
    assert (await agent.get("/v1/holds")).json()["items"] == []


async def test_a_failure_after_the_answer_has_begun_is_not_answered_twice(world: World, capsys) -> None:
    sent = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b""}

    async def send(message: dict[str, object]) -> None:
        sent.append(message["type"])
        if message["type"] == "http.response.body":
            raise StrangeError(SECRET_TEXT)

    scope = {"type": "http", "method": "GET", "path": "/healthz", "query_string": b"", "headers": []}
    with pytest.raises(StrangeError):
        await world.app.asgi(scope, receive, send)
    assert sent == ["http.response.start", "http.response.body"]
    assert SECRET_TEXT not in capsys.readouterr().out


async def test_a_request_in_flight_when_the_gateway_closes_is_answered(world: World, monkeypatch) -> None:
    agent = await world.agent("agent:researcher")
    audit: AuditLog = world.app.gateway.audit
    begun = asyncio.Event()

    async def stuck(_work: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    waiting_database = audit._database
    monkeypatch.setattr(audit, "_database", type("Stuck", (), {"run": staticmethod(stuck)})())
    request = asyncio.create_task(agent.post("/v1/memories", json=NOTE))
    await asyncio.wait_for(begun.wait(), 10)
    monkeypatch.setattr(audit, "_database", waiting_database)
    await audit.close()
    refused(await asyncio.wait_for(request, 10), 503, "audit-unavailable")
