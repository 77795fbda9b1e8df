"""Holds: who sees what, who decides, and that a decision has one effect whatever fails around it."""

from __future__ import annotations

import asyncio
import json
import sqlite3

import httpx
import pytest

from proxy.app import Parts
from proxy.database import FILE_NAME
from store.errors import StoreUnavailable
from store.memory import Memory, Selection
from store.permit import ReadPermit
from store.scope import Scope
from tests.world import DRAFT, FINDING, PERSON_NOTE, SHARED, World, open_quick_store, open_world

NAME = "Maria Gonzalez"
NOBODY = "01890000-0000-7000-8000-000000000000"


class FallibleStore:
    """A real store that fails when told to, before or after it stored, and can be made to wait."""

    def __init__(self, store) -> None:
        self._store = store
        self.failure: BaseException | None = None
        self.fails_after = False

    def __getattr__(self, name: str):
        return getattr(self._store, name)

    async def remember(self, *arguments, **options) -> None:
        if self.failure and not self.fails_after:
            raise self.failure
        await self._store.remember(*arguments, **options)
        if self.failure:
            raise self.failure


@pytest.fixture
async def failing(tmp_path, detector):
    """A world, and its store."""
    made: list[FallibleStore] = []

    async def open_store(folder, config) -> FallibleStore:
        made.append(FallibleStore(await open_quick_store(folder, config)))
        return made[0]

    async with open_world(tmp_path, Parts(lambda: detector, open_store)) as world:
        yield world, made[0]


async def hold(agent: httpx.AsyncClient, content: str = PERSON_NOTE, **more) -> str:
    answer = await agent.post("/v1/memories", json={"scope": SHARED, "content": content, **more})
    assert answer.status_code == 202, answer.text
    return answer.json()["hold_id"]


async def decide(agent: httpx.AsyncClient, hold_id: str, deed: str, **body) -> httpx.Response:
    return await agent.post(f"/v1/holds/{hold_id}/{deed}", json=body)


async def in_shared(world: World) -> list[Memory]:
    permit = ReadPermit("test", frozenset({Scope.parse(SHARED)}), "")
    return list(await world.app.gateway.store.list(permit, Selection(), 1_000))


async def change_files(world: World, **changes: tuple[str, str]) -> None:
    """Replace text in policy files, by name without its ending, and put them in force."""
    for name, (old, new) in changes.items():
        [path] = world.policies.glob(f"{name}.*")
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
    await world.app.policies.reload()


def row(world: World, hold_id: str) -> dict:
    """The hold as it lies in the database."""
    with sqlite3.connect(world.data / FILE_NAME) as connection:
        connection.row_factory = sqlite3.Row
        found = dict(connection.execute("SELECT * FROM holds WHERE id = ?", (hold_id,)).fetchone())
    connection.close()
    return found


def set_state(world: World, hold_id: str, state: str) -> None:
    with sqlite3.connect(world.data / FILE_NAME) as connection:
        connection.execute("UPDATE holds SET state = ? WHERE id = ?", (state, hold_id))
    connection.close()


async def test_who_sees_what_of_a_hold(world) -> None:
    researcher, ana = await world.agent("agent:researcher"), await world.agent("human:ana")
    hold_id = await hold(researcher, metadata={"k": "v"})

    for path in ("/v1/holds", f"/v1/holds/{hold_id}"):
        answers = [(await agent.get(path)).json() for agent in (ana, researcher)]
        reviewed, own = [answer["items"][0] if "items" in answer else answer for answer in answers]
        assert (reviewed["content"], reviewed["metadata"]) == (PERSON_NOTE, {"k": "v"})
        assert reviewed["submitter"] == "agent:researcher"
        assert [finding["entity"] for finding in own["findings"]] == ["PERSON"]
        assert reviewed == own | {"content": PERSON_NOTE, "metadata": {"k": "v"}}
        assert NAME not in json.dumps(own)
    for principal in ("agent:writer", "agent:reviewer", "human:ops", "supervisor:lead"):
        other = await world.agent(principal)
        assert (await other.get("/v1/holds")).json()["items"] == []
        assert (await other.get(f"/v1/holds/{hold_id}")).status_code == 404
    assert await in_shared(world) == []


async def test_a_held_text_is_in_no_answer_to_any_agent(world) -> None:
    researcher = await world.agent("agent:researcher")
    hold_id = await hold(researcher)

    found = await researcher.post("/v1/recall", json={"scope": SHARED, "query": PERSON_NOTE})
    listed = await researcher.get("/v1/memories", params={"scope": SHARED})

    assert found.json()["items"] == listed.json()["items"] == []
    assert (await researcher.get(f"/v1/memories/{hold_id}")).status_code == 404
    assert (await researcher.delete(f"/v1/memories/{hold_id}")).status_code == 404


async def test_a_floor_hides_holds_outside_it_from_reviewer_and_submitter(world) -> None:
    researcher = await world.agent("agent:researcher")
    hold_id = await hold(researcher)
    floor = Scope.parse("org/acme/project/q3/agent/researcher")

    for principal in ("human:ana", "agent:researcher"):
        floored = await world.agent(principal, floor=floor)
        answers = [
            await floored.get(f"/v1/holds/{hold_id}"),
            *[await decide(floored, hold_id, deed) for deed in ("approve", "reject")],
        ]
        assert [answer.status_code for answer in answers] == [404] * 3, principal
        assert (await floored.get("/v1/holds")).json()["items"] == []
    assert row(world, hold_id)["state"] == "pending"


async def test_holds_are_listed_in_pages_and_by_state(world) -> None:
    researcher, ana = await world.agent("agent:researcher"), await world.agent("human:ana")
    ids = [await hold(researcher, f"{PERSON_NOTE} {number}") for number in range(5)]

    first = (await ana.get("/v1/holds", params={"limit": 3})).json()
    second = (await ana.get("/v1/holds", params={"limit": 3, "cursor": first["next_cursor"]})).json()
    await decide(ana, ids[0], "approve")
    await decide(ana, ids[1], "reject")

    assert [item["id"] for item in first["items"] + second["items"]] == ids
    assert second["next_cursor"] is None
    for state, expected in (("pending", ids[2:]), ("approved", ids[:1]), ("rejected", ids[1:2])):
        answer = await ana.get("/v1/holds", params={"state": state})
        assert [item["id"] for item in answer.json()["items"]] == expected


@pytest.mark.parametrize("redact", [False, True])
async def test_what_is_approved_is_stored_once_and_says_by_whom(world, redact) -> None:
    researcher, ana = await world.agent("agent:researcher"), await world.agent("human:ana")
    hold_id = await hold(researcher, metadata={"met": NAME, "n": 1})

    answer = await decide(ana, hold_id, "approve", redact=redact)
    again = await decide(ana, hold_id, "approve", redact=redact)
    late = await decide(ana, hold_id, "reject")

    [memory] = await in_shared(world)
    assert (answer.status_code, again.status_code, late.status_code) == (200, 409, 409)
    assert answer.json()["id"] == memory.id == hold_id
    assert memory.provenance.principal == "agent:researcher"
    assert memory.provenance.approved_by == "human:ana"
    assert memory.provenance.verdict == ("redact" if redact else "pass")
    assert memory.metadata["n"] == 1
    assert (NAME in f"{memory.content} {memory.metadata}") is not redact
    shown = (await researcher.get(f"/v1/holds/{hold_id}")).json()
    assert (shown["state"], shown["decided_by"], shown["memory_id"]) == ("approved", "human:ana", hold_id)
    assert row(world, hold_id)["memory"] is None


async def test_what_is_rejected_is_deleted_and_the_submitter_hears_why(world) -> None:
    researcher, ana = await world.agent("agent:researcher"), await world.agent("human:ana")
    hold_id = await hold(researcher, metadata={"met": NAME})
    assert NAME in row(world, hold_id)["memory"]

    answer = await decide(ana, hold_id, "reject", reason="name nobody")
    again = await decide(ana, hold_id, "reject")
    late = await decide(ana, hold_id, "approve")

    assert (answer.status_code, again.status_code, late.status_code) == (200, 409, 409)
    assert NAME not in json.dumps(row(world, hold_id))
    assert "content" not in (await ana.get(f"/v1/holds/{hold_id}")).json()
    own = (await researcher.get(f"/v1/holds/{hold_id}")).json()
    assert (own["state"], own["reason"], own["memory_id"]) == ("rejected", "name nobody", None)
    assert await in_shared(world) == []


async def test_nobody_decides_on_their_own_submission(world) -> None:
    await change_files(world, policy=("read|review, allow", "read|write|review, allow"))
    ana = await world.agent("human:ana")
    hold_id = await hold(ana)

    answers = [await decide(ana, hold_id, "approve"), await decide(ana, hold_id, "reject")]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert row(world, hold_id)["state"] == "pending"
    assert await in_shared(world) == []
    denied = [entry["reason"] for entry in await world.audit() if entry["outcome"] == "deny"]
    assert denied == ["nobody decides on their own submission"] * 2


@pytest.mark.parametrize("deeds", [("approve", "approve"), ("approve", "reject"), ("reject", "reject")])
async def test_of_two_reviewers_at_once_one_wins(world, deeds) -> None:
    await change_files(world, policy=("g, human:ana, role:privacy_reviewer", "g, human:ana, role:privacy_reviewer\ng, human:ben, role:privacy_reviewer"))  # fmt: skip
    researcher = await world.agent("agent:researcher")
    reviewers = [await world.agent(name) for name in ("human:ana", "human:ben")]
    for _ in range(3):
        before = len(await in_shared(world))
        hold_id = await hold(researcher)

        answers = await asyncio.gather(
            *(decide(agent, hold_id, deed) for agent, deed in zip(reviewers, deeds, strict=True))
        )

        assert sorted(answer.status_code for answer in answers) == [200, 409]
        winner = deeds[[answer.status_code for answer in answers].index(200)]
        assert row(world, hold_id)["state"] == {"approve": "approved", "reject": "rejected"}[winner]
        assert len(await in_shared(world)) == before + (winner == "approve")


async def test_a_submitter_who_may_no_longer_write_there_gets_nothing_in(world) -> None:
    researcher, ana = await world.agent("agent:researcher"), await world.agent("human:ana")
    hold_id = await hold(researcher)
    await change_files(
        world,
        policy=(
            "p, role:researcher, org/acme/project/q3, read|write,",
            "p, role:researcher, org/acme/project/q3, read,",
        ),
    )

    answer = await decide(ana, hold_id, "approve")

    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert await in_shared(world) == []
    assert row(world, hold_id)["state"] == "pending"
    last = (await world.audit())[-1]
    assert (last["operation"], last["action"], last["outcome"]) == ("approve", "write", "deny")
    assert "agent:researcher" in last["reason"]
    assert (await decide(ana, hold_id, "reject")).status_code == 200


async def test_a_rule_that_blocks_meanwhile_keeps_it_out_and_held(world) -> None:
    researcher, ana = await world.agent("agent:researcher"), await world.agent("human:ana")
    hold_id = await hold(researcher)
    await change_files(world, pii=("verdict: hold", "verdict: block"))

    answers = [await decide(ana, hold_id, "approve", redact=redact) for redact in (False, True)]

    assert [answer.status_code for answer in answers] == [422, 422]
    assert {answer.json()["code"] for answer in answers} == {"blocked-by-publish-gate"}
    assert NAME not in answers[0].text
    assert await in_shared(world) == []
    assert row(world, hold_id)["state"] == "pending"
    assert [entry["outcome"] for entry in await world.audit()][-2:] == ["blocked", "blocked"]


@pytest.mark.parametrize("failure", [StoreUnavailable("down"), RuntimeError(PERSON_NOTE)])
@pytest.mark.parametrize("fails_after", [False, True])
async def test_when_the_store_fails_it_stays_held_and_is_then_stored_once(failing, failure, fails_after) -> None:
    world, store = failing
    researcher, ana = await world.agent("agent:researcher"), await world.agent("human:ana")
    hold_id = await hold(researcher)
    store.failure, store.fails_after = failure, fails_after

    failed = await decide(ana, hold_id, "approve")
    state = row(world, hold_id)["state"]
    store.failure = None
    answer = await decide(ana, hold_id, "approve")

    assert failed.status_code == (503 if isinstance(failure, StoreUnavailable) else 500)
    assert NAME not in failed.text
    assert state == "pending"
    assert answer.status_code == 200
    assert len(await in_shared(world)) == 1
    assert [entry["outcome"] for entry in await world.audit() if entry["operation"] == "approve"] == [
        "allow",
        "failed",
        "allow",
    ]


async def test_when_the_gate_or_the_audit_log_fails_nothing_is_stored(world) -> None:
    researcher, ana = await world.agent("agent:researcher"), await world.agent("human:ana")
    hold_id = await hold(researcher)
    await world.app.gateway.audit.close()

    answer = await decide(ana, hold_id, "approve")

    assert answer.status_code == 503
    assert await in_shared(world) == []
    assert row(world, hold_id)["state"] == "pending"


async def test_an_approval_cut_short_before_it_stored_starts_again(tmp_path, parts) -> None:
    async with open_world(tmp_path, parts) as world:
        hold_id = await hold(await world.agent("agent:researcher"))
        set_state(world, hold_id, "deciding")
        ana = await world.agent("human:ana")
        assert [(await decide(ana, hold_id, deed)).status_code for deed in ("approve", "reject")] == [409, 409]

    async with open_world(tmp_path, parts) as world:
        answer = await decide(await world.agent("human:ana"), hold_id, "approve")

        assert answer.status_code == 200
        assert [memory.id for memory in await in_shared(world)] == [hold_id]


async def test_an_approval_cut_short_after_it_stored_can_only_be_approved_again(tmp_path, parts) -> None:
    async with open_world(tmp_path, parts) as world:
        hold_id = await hold(await world.agent("agent:researcher"))
        before = row(world, hold_id)
        assert (await decide(await world.agent("human:ana"), hold_id, "approve")).status_code == 200
        with sqlite3.connect(world.data / FILE_NAME) as connection:
            connection.execute(
                "UPDATE holds SET state = 'deciding', memory = ? WHERE id = ?", (before["memory"], hold_id)
            )
        connection.close()

    async with open_world(tmp_path, parts) as world:
        ana = await world.agent("human:ana")

        rejected = await decide(ana, hold_id, "reject")
        redacted = await decide(ana, hold_id, "approve", redact=True)
        approved = await decide(ana, hold_id, "approve")

        # To reject it, or to say that it is redacted, would be a lie: it is in the scope, as it was written.
        assert (rejected.status_code, redacted.status_code, approved.status_code) == (409, 409, 200)
        assert [memory.content for memory in await in_shared(world)] == [PERSON_NOTE]
        assert row(world, hold_id)["state"] == "approved"


async def test_a_published_memory_that_was_held_keeps_its_source(world) -> None:
    researcher, ana = await world.agent("agent:researcher"), await world.agent("human:ana")
    notes = f"{SHARED}/agent/researcher"
    note = (await researcher.post("/v1/memories", json={"scope": notes, "content": PERSON_NOTE})).json()["id"]
    held = await researcher.post("/v1/publish", json={"memory_ids": [note], "to": SHARED})

    await decide(ana, held.json()["results"][0]["hold_id"], "approve", redact=True)

    [memory] = await in_shared(world)
    assert memory.provenance.derived_from == (note,)
    assert NAME not in memory.content


async def test_idempotent_approval_answers_twice_and_stores_once(world) -> None:
    researcher, ana = await world.agent("agent:researcher"), await world.agent("human:ana")
    hold_id = await hold(researcher)

    answers = [await ana.post(f"/v1/holds/{hold_id}/approve", headers={"Idempotency-Key": "one"}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert len(await in_shared(world)) == 1


@pytest.mark.parametrize("deed", ["approve", "reject"])
async def test_a_hold_that_never_was_is_not_found(world, deed) -> None:
    ana = await world.agent("human:ana")
    await hold(await world.agent("agent:researcher"), f"{PERSON_NOTE}. {FINDING} {DRAFT}")

    for wanted in (NOBODY, "nonsense", NOBODY.upper().replace("0", "A")):
        assert (await decide(ana, wanted, deed)).status_code == 404
    assert await in_shared(world) == []


async def test_no_byte_of_a_rejected_text_is_left_in_the_files(tmp_path, parts) -> None:
    async with open_world(tmp_path, parts) as world:
        hold_id = await hold(await world.agent("agent:researcher"), metadata={"met": NAME})
    assert NAME.encode() in (tmp_path / "data" / FILE_NAME).read_bytes()

    async with open_world(tmp_path, parts) as world:
        await decide(await world.agent("human:ana"), hold_id, "reject")

    files = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert [path.name for path in files if NAME.encode() in path.read_bytes()] == []
