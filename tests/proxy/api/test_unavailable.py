"""When a part fails, the answer is 503 and names it, nothing is stored, and afterwards everything goes on."""

import contextlib
from collections.abc import Callable, Iterator

import pytest

from proxy.database import Database
from store.errors import StoreBusy, StoreUnavailable
from store.scope import Scope
from tests.proxy.api.rig import Rig, refused, stored
from tests.world import EMAIL_NOTE, FINDING, NOTES, PERSON_NOTE, SHARED, World

pytestmark = pytest.mark.anyio

ID = "0199aaaa-0000-7000-8000-000000000000"
NOTE = {"scope": NOTES, "content": "a note"}
SECRET_TEXT = "the text of a draft that no log may hold"


def unavailable(answer, code: str) -> None:
    problem = refused(answer, 503, code)
    assert answer.headers["retry-after"] == "1"
    assert SECRET_TEXT not in problem["detail"]


REQUESTS = {
    "remember": ("POST", "/v1/memories", NOTE),
    "remember, held": ("POST", "/v1/memories", {"scope": SHARED, "content": PERSON_NOTE}),
    "remember, redacted": ("POST", "/v1/memories", {"scope": SHARED, "content": EMAIL_NOTE}),
    "recall": ("POST", "/v1/recall", {"scope": NOTES, "query": "note"}),
    "list": ("GET", f"/v1/memories?scope={NOTES}", None),
    "get": ("GET", f"/v1/memories/{ID}", None),
    "forget": ("DELETE", f"/v1/memories/{ID}", None),
    "publish": ("POST", "/v1/publish", {"memory_ids": [ID], "to": SHARED}),
}
FROM_THE_STORE = {name: request for name, request in REQUESTS.items() if name != "remember, held"}


@pytest.mark.parametrize("failure", [StoreUnavailable(SECRET_TEXT), StoreBusy(SECRET_TEXT)], ids=["down", "busy"])
@pytest.mark.parametrize(("method", "path", "body"), FROM_THE_STORE.values(), ids=FROM_THE_STORE)
async def test_without_the_store_nothing_is_done(
    world: World, rig: Rig, method: str, path: str, body: dict | None, failure: Exception
) -> None:
    agent = await world.agent("agent:researcher")
    rig.store.failure = failure
    unavailable(await agent.request(method, path, json=body), "store-unavailable")
    rig.store.failure = None
    assert await rig.scopes() == frozenset()
    assert (await agent.get("/v1/holds")).json()["items"] == []
    assert (await agent.post("/v1/memories", json=NOTE)).status_code == 201


async def test_a_batch_says_for_each_what_the_store_did_not_take(world: World, rig: Rig) -> None:
    agent = await world.agent("agent:researcher")
    rig.store.failure = StoreUnavailable(SECRET_TEXT)
    batch = {"memories": [NOTE, {"scope": SHARED, "content": FINDING}, {"scope": SHARED, "content": PERSON_NOTE}]}
    answer = await agent.post("/v1/memories/batch", json=batch)
    assert answer.status_code == 200
    assert [result["status"] for result in answer.json()["results"]] == ["refused"] * 3
    assert {result["problem"]["code"] for result in answer.json()["results"]} == {"store-unavailable"}
    rig.store.failure = None
    assert await rig.scopes() == frozenset()
    assert (await agent.get("/v1/holds")).json()["items"] == []


INSPECTED = {
    "remember": ("/v1/memories", {"scope": SHARED, "content": FINDING}),
    "a batch of which one is shared": (
        "/v1/memories/batch",
        {"memories": [NOTE, {"scope": SHARED, "content": FINDING}]},
    ),
}


@pytest.mark.parametrize("failure", [RuntimeError(SECRET_TEXT), ValueError(SECRET_TEXT), MemoryError(SECRET_TEXT)])
@pytest.mark.parametrize(("path", "body"), INSPECTED.values(), ids=INSPECTED)
async def test_without_the_gate_nothing_enters_a_shared_scope(
    world: World, rig: Rig, caplog, capsys, path: str, body: dict, failure: Exception
) -> None:
    agent = await world.agent("agent:researcher")
    rig.detector.failure = failure
    unavailable(await agent.post(path, json=body), "gate-unavailable")
    assert await rig.scopes() == frozenset()
    assert SECRET_TEXT not in caplog.text + capsys.readouterr().out
    rig.detector.failure = None
    assert (await agent.post(path, json=body)).status_code in {200, 201}
    assert len(await stored(world, SHARED)) == (2 if path.endswith("batch") else 1)


async def test_without_the_gate_private_scopes_go_on(world: World, rig: Rig) -> None:
    agent = await world.agent("agent:researcher")
    rig.detector.failure = RuntimeError("down")
    note = await agent.post("/v1/memories", json=NOTE)
    assert note.status_code == 201
    unavailable(
        await agent.post("/v1/publish", json={"memory_ids": [note.json()["id"]], "to": SHARED}), "gate-unavailable"
    )
    assert await rig.scopes() == {Scope.parse(NOTES)}


async def test_without_the_gate_nothing_held_is_approved(world: World, rig: Rig) -> None:
    agent, ana = await world.agent("agent:researcher"), await world.agent("human:ana")
    hold = (await agent.post("/v1/memories", json={"scope": SHARED, "content": PERSON_NOTE})).json()["hold_id"]
    rig.detector.failure = RuntimeError("down")
    unavailable(await ana.post(f"/v1/holds/{hold}/approve"), "gate-unavailable")
    assert await stored(world, SHARED) == []
    rig.detector.failure = None
    assert (await ana.post(f"/v1/holds/{hold}/approve")).status_code == 200
    assert len(await stored(world, SHARED)) == 1


@contextlib.contextmanager
def table_gone(world: World, table: str) -> Iterator[None]:
    """Without one table of the gateway's own records."""
    database = Database.open(world.data)
    database.run_here(lambda connection: connection.exec_driver_sql(f"alter table {table} rename to gone"))
    try:
        yield
    finally:
        database.run_here(lambda connection: connection.exec_driver_sql(f"alter table gone rename to {table}"))
        database.close()


@contextlib.contextmanager
def unwritable(world: World, table: str) -> Iterator[None]:
    """With one table that can be read but not added to."""
    refuse = f"create trigger full before insert on {table} begin select * from nowhere; end"
    database = Database.open(world.data)
    database.run_here(lambda connection: connection.exec_driver_sql(refuse))
    try:
        yield
    finally:
        database.run_here(lambda connection: connection.exec_driver_sql("drop trigger full"))
        database.close()


@pytest.mark.parametrize("broken", [table_gone, unwritable])
@pytest.mark.parametrize(("method", "path", "body"), REQUESTS.values(), ids=REQUESTS)
async def test_without_the_audit_log_nothing_is_done(
    world: World, rig: Rig, method: str, path: str, body: dict | None, broken: Callable
) -> None:
    agent = await world.agent("agent:researcher")
    with broken(world, "audit"):
        unavailable(await agent.request(method, path, json=body), "audit-unavailable")
    assert await rig.scopes() == frozenset()
    assert (await agent.get("/v1/holds")).json()["items"] == []
    assert (await agent.post("/v1/memories", json=NOTE)).status_code == 201
    assert [entry["operation"] for entry in await world.audit()] == ["remember"]


async def test_without_the_audit_log_nothing_is_forgotten_nor_denied_nor_administered(world: World) -> None:
    agent, ops, intern = [await world.agent(name) for name in ("agent:researcher", "human:ops", "agent:reviewer")]
    note = (await agent.post("/v1/memories", json=NOTE)).json()["id"]
    key_id = intern.headers["Authorization"].split("_")[1]
    with table_gone(world, "audit"):
        unavailable(await agent.delete(f"/v1/memories/{note}"), "audit-unavailable")
        unavailable(await intern.post("/v1/memories", json=NOTE), "audit-unavailable")
        unavailable(await ops.post("/v1/admin/keys", json={"principal": "agent:new"}), "audit-unavailable")
        unavailable(await ops.delete(f"/v1/admin/keys/{key_id}"), "audit-unavailable")
        unavailable(await ops.post("/v1/admin/policy/reload"), "audit-unavailable")
    assert [memory["id"] for memory in await stored(world, NOTES)] == [note]
    assert (await intern.get("/v1/whoami")).status_code == 200
    keys = (await ops.get("/v1/admin/keys")).json()["items"]
    assert "agent:new" not in {key["principal"] for key in keys}


async def test_a_first_use_of_a_key_that_cannot_be_noted_still_finds_the_audit_log_missing(world: World) -> None:
    agent = await world.agent("agent:researcher")
    refuse = "create trigger noted before update on keys begin select * from nowhere; end"
    database = Database.open(world.data)
    database.run_here(lambda connection: connection.exec_driver_sql(refuse))
    database.close()
    with unwritable(world, "audit"):
        unavailable(await agent.post("/v1/memories", json=NOTE), "audit-unavailable")
    assert (await agent.post("/v1/memories", json=NOTE)).status_code == 201


TABLES = {
    "keys": ("GET", "/v1/whoami", None),
    "sessions": ("POST", "/v1/sessions", {"scope": NOTES}),
    "holds": ("POST", "/v1/memories", {"scope": SHARED, "content": PERSON_NOTE}),
    "idempotency": ("POST", "/v1/memories", NOTE),
}


@pytest.mark.parametrize(("table", "request_"), TABLES.items())
async def test_without_its_own_records_the_gateway_does_nothing(
    world: World, rig: Rig, table: str, request_: tuple[str, str, dict | None]
) -> None:
    agent = await world.agent("agent:researcher")
    method, path, body = request_
    headers = {"Idempotency-Key": "k"} if table == "idempotency" else {}
    with table_gone(world, table):
        unavailable(await agent.request(method, path, json=body, headers=headers), "store-unavailable")
    assert await rig.scopes() == frozenset()
    assert (await agent.request(method, path, json=body, headers=headers)).status_code in {200, 201, 202}


async def test_a_publication_of_which_one_would_be_held_leaves_no_hold_when_the_store_fails(
    world: World, rig: Rig
) -> None:
    agent = await world.agent("agent:researcher")
    ids = [
        (await agent.post("/v1/memories", json={"scope": NOTES, "content": text})).json()["id"]
        for text in (FINDING, PERSON_NOTE)
    ]
    rig.store.after = StoreUnavailable("lost")
    unavailable(await agent.post("/v1/publish", json={"memory_ids": ids, "to": SHARED}), "store-unavailable")
    rig.store.after = None
    assert (await agent.get("/v1/holds")).json()["items"] == []
    assert (await world.audit())[-1]["outcome"] == "failed"
