"""``Idempotency-Key``: the same write, however often it comes, is done once and answered alike."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from proxy.database import Database
from store.errors import StoreUnavailable
from tests.proxy.api.rig import Rig, eventually, refused, stored
from tests.world import DRAFTS, NOTES, PERSON_NOTE, SHARED, SSN_NOTE, World, open_world

pytestmark = pytest.mark.anyio

KEY = {"Idempotency-Key": "once"}
NOTE = {"scope": NOTES, "content": "a note"}
OTHER = {"scope": NOTES, "content": "another note"}


async def test_the_same_write_gets_the_same_answer_and_is_done_once(world: World) -> None:
    agent = await world.agent("agent:researcher")
    first = await agent.post("/v1/memories", json=NOTE, headers=KEY)
    world.clock.pass_by(timedelta(hours=3))
    again = await agent.post("/v1/memories", json=NOTE, headers=KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["content-type"] == first.headers["content-type"]
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert [memory["id"] for memory in await stored(world, NOTES)] == [first.json()["id"]]


async def test_without_a_key_the_same_write_is_another_write(world: World) -> None:
    agent = await world.agent("agent:researcher")
    ids = {(await agent.post("/v1/memories", json=NOTE)).json()["id"] for _ in range(3)}
    assert {memory["id"] for memory in await stored(world, NOTES)} == ids
    assert len(ids) == 3


WRITES = {
    "remember": ("/v1/memories", NOTE, 201),
    "remember, held": ("/v1/memories", {"scope": SHARED, "content": PERSON_NOTE}, 202),
    "batch": ("/v1/memories/batch", {"memories": [NOTE, OTHER, {"scope": DRAFTS, "content": "not mine"}]}, 200),
    "session": ("/v1/sessions", {"scope": NOTES, "metadata": {"k": 1}}, 201),
}


@pytest.mark.parametrize(("path", "body", "status"), WRITES.values(), ids=WRITES)
async def test_every_write_takes_a_key(world: World, path: str, body: dict, status: int) -> None:
    agent = await world.agent("agent:researcher")
    answers = [await agent.post(path, json=body, headers=KEY) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [status] * 3
    assert len({answer.content for answer in answers}) == 1
    assert [answer.headers.get("idempotent-replayed") for answer in answers] == [None, "true", "true"]


async def test_decisions_on_holds_and_publications_take_a_key(world: World) -> None:
    agent, ana = await world.agent("agent:researcher"), await world.agent("human:ana")
    note = (await agent.post("/v1/memories", json=NOTE)).json()["id"]
    publish = {"memory_ids": [note], "to": SHARED}
    one, two = [await agent.post("/v1/publish", json=publish, headers=KEY) for _ in range(2)]
    assert (one.status_code, one.content) == (201, two.content)
    held = [
        (await agent.post("/v1/memories", json={"scope": SHARED, "content": f"{PERSON_NOTE} {n}"})).json()["hold_id"]
        for n in range(2)
    ]
    for hold_id, decision in zip(held, ("approve", "reject"), strict=True):
        one, two = [await ana.post(f"/v1/holds/{hold_id}/{decision}", json={}, headers=KEY) for _ in range(2)]
        assert (one.status_code, one.content) == (200, two.content)
        assert two.headers["idempotent-replayed"] == "true"
    assert len(await stored(world, SHARED)) == 3


async def test_another_body_under_the_same_key_is_a_conflict(world: World) -> None:
    agent = await world.agent("agent:researcher")
    first = await agent.post("/v1/memories", json=NOTE, headers=KEY)
    refused(await agent.post("/v1/memories", json=OTHER, headers=KEY), 409, "conflict")
    assert [memory["id"] for memory in await stored(world, NOTES)] == [first.json()["id"]]


async def test_a_key_belongs_to_its_principal_and_route(world: World) -> None:
    researcher, writer = await world.agent("agent:researcher"), await world.agent("agent:writer")
    note = {"scope": SHARED, "content": "a finding"}
    answers = [await agent.post("/v1/memories", json=note, headers=KEY) for agent in (researcher, writer)]
    session = await researcher.post("/v1/sessions", json={"scope": NOTES}, headers=KEY)
    assert [answer.status_code for answer in (*answers, session)] == [201] * 3
    assert all("idempotent-replayed" not in answer.headers for answer in (*answers, session))
    assert len({answer.json()["id"] for answer in answers}) == 2
    assert {memory["provenance"]["principal"] for memory in await stored(world, SHARED)} == {
        "agent:researcher",
        "agent:writer",
    }


async def test_another_key_of_the_same_principal_gets_the_same_answer(world: World) -> None:
    one, two = await world.agent("agent:researcher"), await world.agent("agent:researcher")
    first = await one.post("/v1/memories", json=NOTE, headers=KEY)
    assert (await two.post("/v1/memories", json=NOTE, headers=KEY)).content == first.content


async def test_of_duplicates_at_the_same_time_one_is_stored(world: World, rig: Rig) -> None:
    agent = await world.agent("agent:researcher")
    rig.store.pause = asyncio.Event()
    waiting = [asyncio.create_task(agent.post("/v1/memories", json=NOTE, headers=KEY)) for _ in range(10)]
    await eventually(lambda: sum(task.done() for task in waiting) == 9)
    rig.store.pause.set()
    answers = await asyncio.gather(*waiting)
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 9
    for answer in answers:
        if answer.status_code == 409:
            refused(answer, 409, "conflict")
    assert len(await stored(world, NOTES)) == 1
    assert (await agent.post("/v1/memories", json=NOTE, headers=KEY)).headers["idempotent-replayed"] == "true"


REFUSALS = {
    "a malformed body": ({"scope": NOTES}, 422, "invalid"),
    "a denial": ({"scope": DRAFTS, "content": "x"}, 403, "forbidden"),
    "the publish gate": ({"scope": SHARED, "content": SSN_NOTE}, 422, "blocked-by-publish-gate"),
}


@pytest.mark.parametrize(("bad", "status", "code"), REFUSALS.values(), ids=REFUSALS)
async def test_after_a_refusal_the_key_is_free_for_a_better_body(
    world: World, bad: dict, status: int, code: str
) -> None:
    agent = await world.agent("agent:researcher")
    for _ in range(2):
        answer = await agent.post("/v1/memories", json=bad, headers=KEY)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert "idempotent-replayed" not in answer.headers
    assert (await agent.post("/v1/memories", json=NOTE, headers=KEY)).status_code == 201
    assert len(await stored(world, NOTES)) == 1


@pytest.mark.parametrize("failure", [StoreUnavailable("lost"), RuntimeError("lost"), asyncio.CancelledError()])
async def test_after_a_failure_between_store_and_answer_a_retry_stores_nothing_twice(
    world: World, rig: Rig, failure: BaseException
) -> None:
    agent = await world.agent("agent:researcher")
    rig.store.after = failure
    if isinstance(failure, asyncio.CancelledError):
        with pytest.raises(asyncio.CancelledError):
            await agent.post("/v1/memories", json=NOTE, headers=KEY)
    else:
        assert (await agent.post("/v1/memories", json=NOTE, headers=KEY)).status_code >= 500
    rig.store.after = None
    refused(await agent.post("/v1/memories", json=OTHER, headers=KEY), 409, "conflict")
    world.clock.pass_by(timedelta(hours=1))
    answer = await agent.post("/v1/memories", json=NOTE, headers=KEY)
    assert answer.status_code == 201
    assert [memory["id"] for memory in await stored(world, NOTES)] == [answer.json()["id"]]
    assert (await agent.post("/v1/memories", json=NOTE, headers=KEY)).headers["idempotent-replayed"] == "true"


async def test_a_retry_after_the_gateway_died_stores_nothing_twice(tmp_path) -> None:
    rig = Rig()
    async with open_world(tmp_path, rig.parts) as world:
        agent = await world.agent("agent:researcher")
        key = agent.headers["Authorization"].removeprefix("Bearer ")
        rig.store.after = RuntimeError("the process died here")
        for path, body in (("/v1/memories", NOTE), ("/v1/memories/batch", {"memories": [NOTE, OTHER]})):
            refused(await agent.post(path, json=body, headers=KEY), 500, "internal")
    async with open_world(tmp_path, rig.parts) as world:
        agent = world.client(key)
        one = await agent.post("/v1/memories", json=NOTE, headers=KEY)
        many = await agent.post("/v1/memories/batch", json={"memories": [NOTE, OTHER]}, headers=KEY)
        ids = {one.json()["id"], *(result["id"] for result in many.json()["results"])}
        assert {memory["id"] for memory in await stored(world, NOTES)} == ids
        assert len(ids) == 3


async def test_a_batch_that_the_store_could_not_take_is_done_again(world: World, rig: Rig) -> None:
    agent = await world.agent("agent:researcher")
    rig.store.failure = StoreUnavailable("gone")
    batch = {"memories": [NOTE, OTHER]}
    first = (await agent.post("/v1/memories/batch", json=batch, headers=KEY)).json()["results"]
    assert [result["problem"]["code"] for result in first] == ["store-unavailable"] * 2
    rig.store.failure = None
    again = (await agent.post("/v1/memories/batch", json=batch, headers=KEY)).json()["results"]
    assert [result["status"] for result in again] == ["stored"] * 2
    assert {memory["id"] for memory in await stored(world, NOTES)} == {result["id"] for result in again}


async def test_a_session_whose_answer_was_lost_is_opened_once(world: World) -> None:
    agent = await world.agent("agent:researcher")
    await _without_answers(world, agent.post("/v1/sessions", json={"scope": NOTES}, headers=KEY))
    world.clock.pass_by(timedelta(hours=1))
    first = await agent.post("/v1/sessions", json={"scope": NOTES}, headers=KEY)
    assert first.status_code == 201
    session = {"session_id": first.json()["id"], "content": "x"}
    assert (await agent.post("/v1/memories", json=session)).status_code == 201


async def test_an_answer_that_cannot_be_kept_is_still_given_and_a_retry_stores_nothing_twice(world: World) -> None:
    agent = await world.agent("agent:researcher")
    first = await _without_answers(world, agent.post("/v1/memories", json=NOTE, headers=KEY))
    assert first.status_code == 201
    again = await agent.post("/v1/memories", json=NOTE, headers=KEY)
    assert (again.status_code, again.json()["id"]) == (201, first.json()["id"])
    assert [memory["id"] for memory in await stored(world, NOTES)] == [first.json()["id"]]


async def _without_answers(world: World, request):
    """Send ``request`` while no answer can be kept."""
    database = Database.open(world.data)
    refuse = "create trigger lost before update on idempotency begin select * from nowhere; end"
    database.run_here(lambda connection: connection.execute(sa.text(refuse)))
    try:
        return await request
    finally:
        database.run_here(lambda connection: connection.execute(sa.text("drop trigger lost")))
        database.close()


async def test_each_item_of_a_repeated_batch_keeps_its_id(world: World, rig: Rig) -> None:
    agent = await world.agent("agent:researcher")
    session = (await agent.post("/v1/sessions", json={"scope": NOTES})).json()["id"]
    batch = {"memories": [{"session_id": session, "content": "by session"}, {"scope": NOTES, "content": "by scope"}]}
    rig.store.after = RuntimeError("the answer was lost")
    refused(await agent.post("/v1/memories/batch", json=batch, headers=KEY), 500, "internal")
    rig.store.after = None
    await agent.delete(f"/v1/sessions/{session}")
    gone, kept = (await agent.post("/v1/memories/batch", json=batch, headers=KEY)).json()["results"]
    assert (gone["status"], kept["status"]) == ("refused", "stored")
    contents = {memory["id"]: memory["content"] for memory in await stored(world, NOTES)}
    assert contents[kept["id"]] == "by scope"
    assert sorted(contents.values()) == ["by scope", "by session"]


async def test_a_key_is_remembered_for_a_day(world: World) -> None:
    agent = await world.agent("agent:researcher")
    first = await agent.post("/v1/memories", json=NOTE, headers=KEY)
    world.clock.pass_by(timedelta(hours=24) - timedelta(seconds=1))
    assert (await agent.post("/v1/memories", json=NOTE, headers=KEY)).content == first.content
    world.clock.pass_by(timedelta(seconds=2))
    later = await agent.post("/v1/memories", json=OTHER, headers=KEY)
    assert (later.status_code, later.headers.get("idempotent-replayed")) == (201, None)
    assert len(await stored(world, NOTES)) == 2


async def test_a_revoked_key_gets_no_kept_answer(world: World) -> None:
    agent, ops = await world.agent("agent:researcher"), await world.agent("human:ops")
    await agent.post("/v1/memories", json=NOTE, headers=KEY)
    await ops.delete(f"/v1/admin/keys/{agent.headers['Authorization'].split('_')[1]}")
    refused(await agent.post("/v1/memories", json=NOTE, headers=KEY), 401, "unauthenticated")
