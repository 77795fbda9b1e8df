"""What the gateway promises, asked over HTTP in this process."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import httpx
import pytest

from proxy.api.endpoints import Endpoints
from proxy.api.routes import operations
from proxy.app import Parts
from proxy.telemetry import configure_logging
from store.errors import StoreUnavailable
from store.memory import Memory, Selection
from store.permit import ReadPermit
from store.scope import Scope
from tests.logs import restored_logging
from tests.world import (
    ALPHA,
    DRAFT,
    DRAFTS,
    EMAIL_NOTE,
    FINDING,
    NOTES,
    PERSON_NOTE,
    POLICIES,
    SHARED,
    SSN_NOTE,
    World,
    open_quick_store,
    open_world,
)

NOBODY = "01890000-0000-7000-8000-000000000000"
WORKER = f"{ALPHA}/agent/worker-1"


class FallibleStore:
    """A real store that fails to remember when told to."""

    def __init__(self, store) -> None:
        self._store = store
        self.failure: Exception | None = None

    def __getattr__(self, name: str):
        return getattr(self._store, name)

    async def remember(self, *arguments, **options) -> None:
        if self.failure:
            raise self.failure
        await self._store.remember(*arguments, **options)


class FallibleDetector:
    """A real detector that fails when told to."""

    def __init__(self, detector) -> None:
        self._detector = detector
        self.supported = detector.supported
        self.failure: Exception | None = None

    def detect(self, *arguments):
        if self.failure:
            raise self.failure
        return self._detector.detect(*arguments)


@dataclass
class Fallible:
    """A world whose parts fail when told to."""

    world: World
    store: FallibleStore
    detector: FallibleDetector


@pytest.fixture
async def fallible(tmp_path, detector) -> Fallible:
    made: list[FallibleStore] = []

    async def open_store(folder, config) -> FallibleStore:
        made.append(FallibleStore(await open_quick_store(folder, config)))
        return made[0]

    wrapped = FallibleDetector(detector)
    async with open_world(tmp_path, Parts(lambda: wrapped, open_store)) as world:
        yield Fallible(world, made[0], wrapped)


async def stored(world: World) -> list[Memory]:
    """Everything that the store holds, whoever may read it, newest first."""
    store = world.app.gateway.store
    return list(await store.list(ReadPermit("test", await store.scopes(), ""), Selection(), 10_000))


async def contents(world: World) -> list[str]:
    return [memory.content for memory in await stored(world)]


async def remember(agent: httpx.AsyncClient, scope: str, content: str, **more) -> str:
    answer = await agent.post("/v1/memories", json={"scope": scope, "content": content, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def publish(agent: httpx.AsyncClient, *ids: str, to: str = SHARED, **more) -> httpx.Response:
    return await agent.post("/v1/publish", json={"memory_ids": list(ids), "to": to, **more})


async def page(agent: httpx.AsyncClient, scope: str = SHARED, **parameters) -> list[dict]:
    answer = await agent.get("/v1/memories", params={"scope": scope, **parameters})
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def change_policy(world: World, *lines: str) -> None:
    """Add lines to the policy and put them in force."""
    path = world.policies / "policy.csv"
    path.write_text(path.read_text() + "\n" + "\n".join(lines) + "\n")
    await world.app.policies.reload()


async def drop_policy(world: World, *parts: str) -> None:
    """Remove the lines that contain one of ``parts`` and put the rest in force."""
    path = world.policies / "policy.csv"
    kept = [line for line in path.read_text().splitlines() if not any(part in line for part in parts)]
    path.write_text("\n".join(kept) + "\n")
    await world.app.policies.reload()


def alike(answer: httpx.Response, *names: str) -> tuple[int, dict, str]:
    """All of an answer but its request id and the ``names`` that the request itself gave."""
    headers = {name: value for name, value in answer.headers.items() if name != "x-request-id"}
    text = answer.text.replace(answer.headers["x-request-id"], "REQUEST")
    for name in names:
        text = text.replace(name, "NAME")
    return answer.status_code, headers, text


# Who may do what: every operation of the table, with one who may and one who may not.


@dataclass
class Stage:
    """What the rows below act on."""

    world: World
    note: str
    found: str
    hold: str
    session: str
    key: str


Act = Callable[[httpx.AsyncClient, Stage], Awaitable[httpx.Response]]


CANDIDATE = {name: (POLICIES / name).read_text(encoding="utf-8") for name in ("model.conf", "policy.csv")}


def _get(path: str, **parameters) -> Act:
    return lambda agent, stage: agent.get(path.format(**vars(stage)), params=parameters)


def _post(path: str, **body) -> Act:
    def filled(value, stage):
        if isinstance(value, list):
            return [filled(item, stage) for item in value]
        return value.format(**vars(stage)) if isinstance(value, str) else value

    return lambda agent, stage: agent.post(
        path.format(**vars(stage)), json={name: filled(value, stage) for name, value in body.items()}
    )


def _delete(path: str) -> Act:
    return lambda agent, stage: agent.delete(path.format(**vars(stage)))


READ, WRITE, OPEN = "reads", "changes", "any key"
#        operation        kind   act                                                                     may, status               may not, status
ROWS = [
    ("whoami", OPEN, _get("/v1/whoami"), "agent:intern", 200, None, None),
    ("check", OPEN, _post("/v1/check", action="read", scope=NOTES), "agent:intern", 200, None, None),
    ("check", WRITE, _post("/v1/check", action="read", scope=NOTES, principal="agent:researcher"), "human:ops", 200, "agent:writer", 403),
    ("open_session", READ, _post("/v1/sessions", scope=SHARED), "agent:reviewer", 201, "agent:worker-1", 403),
    ("close_session", OPEN, _delete("/v1/sessions/{session}"), "agent:researcher", 204, "agent:writer", 404),
    ("remember", WRITE, _post("/v1/memories", scope=SHARED, content=DRAFT), "agent:writer", 201, "agent:reviewer", 403),
    ("remember", WRITE, _post("/v1/memories", scope=NOTES, content=DRAFT), "agent:researcher", 201, "agent:writer", 403),
    ("list_memories", READ, _get("/v1/memories", scope=SHARED), "agent:reviewer", 200, "agent:worker-1", 403),
    ("list_memories", READ, _get("/v1/memories", scope=NOTES), "agent:researcher", 200, "agent:reviewer", 403),
    ("get_memory", READ, _get("/v1/memories/{found}"), "agent:reviewer", 200, "agent:worker-1", 404),
    ("get_memory", READ, _get("/v1/memories/{note}"), "agent:researcher", 200, "agent:writer", 404),
    ("forget", WRITE, _delete("/v1/memories/{note}"), "agent:researcher", 204, "agent:writer", 404),
    ("forget", WRITE, _delete("/v1/memories/{found}"), None, None, "agent:reviewer", 403),
    ("recall", READ, _post("/v1/recall", scope=SHARED, query="articles"), "agent:reviewer", 200, "agent:worker-1", 403),
    ("recall", READ, _post("/v1/recall", scope=NOTES, query="articles"), "agent:researcher", 200, "agent:writer", 403),
    ("publish", WRITE, _post("/v1/publish", memory_ids=["{note}"], to=SHARED), "agent:researcher", 201, "agent:writer", 404),
    ("publish", WRITE, _post("/v1/publish", memory_ids=["{found}"], to=NOTES), None, None, "agent:researcher", 403),
    ("publish", WRITE, _post("/v1/publish", memory_ids=["{note}"], to=ALPHA), None, None, "agent:researcher", 403),
    ("get_hold", WRITE, _get("/v1/holds/{hold}"), "human:ana", 200, "agent:writer", 404),
    ("approve_hold", WRITE, _post("/v1/holds/{hold}/approve"), "human:ana", 200, "agent:writer", 404),
    ("approve_hold", WRITE, _post("/v1/holds/{hold}/approve"), None, None, "agent:researcher", 403),
    ("reject_hold", WRITE, _post("/v1/holds/{hold}/reject"), "human:ana", 200, "agent:writer", 404),
    ("create_key", WRITE, _post("/v1/admin/keys", principal="agent:new"), "human:ops", 201, "human:ana", 403),
    ("list_keys", WRITE, _get("/v1/admin/keys"), "human:ops", 200, "human:ana", 403),
    ("rotate_key", WRITE, _post("/v1/admin/keys/{key}/rotate"), "human:ops", 201, "human:ana", 404),
    ("revoke_key", WRITE, _delete("/v1/admin/keys/{key}"), "human:ops", 204, "human:ana", 404),
    ("policy_status", WRITE, _get("/v1/admin/policy"), "human:ops", 200, "human:ana", 403),
    ("reload_policy", WRITE, _post("/v1/admin/policy/reload"), "human:ops", 200, "human:ana", 403),
    ("start_shadow", WRITE, _post("/v1/admin/policy/shadow", files=CANDIDATE), "human:ops", 201, "human:ana", 403),
    ("shadow_status", WRITE, _get("/v1/admin/policy/shadow"), None, None, "human:ana", 403),
    ("stop_shadow", WRITE, _delete("/v1/admin/policy/shadow"), None, None, "human:ana", 403),
    ("query_audit", WRITE, _get("/v1/admin/audit"), "human:ops", 200, "human:ana", 403),
]  # fmt: skip
# These have tests of their own: a batch is refused item by item, and a list of holds is empty rather than refused.
ELSEWHERE = {"remember_many", "list_holds"}

_rows = pytest.mark.parametrize(
    ("kind", "act", "may", "done", "may_not", "refused"),
    [pytest.param(*row[1:], id=f"{row[0]}-{number}") for number, row in enumerate(ROWS)],
)


@pytest.fixture
async def stage(world) -> Stage:
    researcher = await world.agent("agent:researcher")
    note = await remember(researcher, NOTES, "articles seen today")
    found = await remember(researcher, SHARED, FINDING)
    held = await researcher.post("/v1/memories", json={"scope": SHARED, "content": PERSON_NOTE})
    opened = await researcher.post("/v1/sessions", json={"scope": SHARED})
    key = await world.issue("agent:writer")
    return Stage(world, note, found, held.json()["hold_id"], opened.json()["id"], key.id)


def test_every_operation_is_in_the_table() -> None:
    named = {operation.name for operation in operations(Endpoints(None, None, None, None))}

    assert named == {row[0] for row in ROWS} | ELSEWHERE


@_rows
async def test_who_may_does(stage, kind, act, may, done, may_not, refused) -> None:
    if may is None:
        return
    agent = await stage.world.agent(may)

    answer = await act(agent, stage)

    assert answer.status_code == done, answer.text
    assert answer.headers["x-request-id"]


def _refusals(kind: str, may: str | None, may_not: str | None, refused: int | None) -> Iterator[tuple]:
    """Who is refused what the row is about: principal, what its key adds, statuses, and what the reason says."""
    if may_not:
        yield may_not, {}, {refused}, ""
    if may and kind == WRITE:
        yield may, {"read_only": True}, {403, 404}, "this key is read-only"
    if may and kind != OPEN:
        yield may, {"floor": Scope.parse("org/acme/project/other")}, {403, 404}, "org/acme/project/other"


@_rows
async def test_who_may_not_changes_nothing(stage, kind, act, may, done, may_not, refused) -> None:
    for principal, terms, statuses, reason in _refusals(kind, may, may_not, refused):
        agent = await stage.world.agent(principal, **terms)
        before = await stored(stage.world)

        answer = await act(agent, stage)

        assert answer.status_code in statuses, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert await stored(stage.world) == before
        assert (await stage.world.app.gateway.entrance.holds.find(stage.hold)).state == "pending"
        entry = (await stage.world.audit())[-1]
        assert (entry["outcome"], entry["principal"]) == ("deny", principal)
        assert entry["request_id"] == answer.headers["x-request-id"]
        assert reason in entry["reason"]


async def test_a_read_only_key_reads(stage) -> None:
    for name, kind, act, may, done, *_ in ROWS:
        if may is not None and kind in {READ, OPEN}:
            answer = await act(await stage.world.agent(may, read_only=True), stage)
            assert answer.status_code == done, f"{name}: {answer.text}"


async def test_a_floor_narrows_what_a_key_names_and_still_shows_what_is_shared_above(stage) -> None:
    agent = await stage.world.agent("agent:researcher", floor=Scope.parse(NOTES))

    seen = await page(agent, NOTES)
    there = await agent.post("/v1/memories", json={"scope": NOTES, "content": DRAFT})
    above = await agent.post("/v1/memories", json={"scope": SHARED, "content": DRAFT})
    through = await agent.post("/v1/recall", json={"scope": SHARED, "query": "articles"})
    out = await publish(agent, stage.note)
    one = await agent.get(f"/v1/memories/{stage.found}")
    by_session = await agent.post("/v1/recall", json={"session_id": stage.session, "query": "articles"})
    opened = await agent.post("/v1/sessions", json={"scope": SHARED})
    asked = await agent.post("/v1/check", json={"action": "write", "scope": SHARED})

    assert [item["id"] for item in seen] == [stage.found, stage.note]
    assert there.status_code == 201
    assert [answer.status_code for answer in (above, through, out, by_session, opened)] == [403] * 5
    assert one.status_code == 200
    assert asked.json()["allowed"] is False
    assert DRAFT not in [memory.content for memory in await stored(stage.world) if memory.scope == Scope.parse(SHARED)]


async def test_a_list_of_holds_is_empty_for_those_whom_none_concerns(stage) -> None:
    for principal in ("agent:writer", "agent:reviewer", "human:ops"):
        answer = await (await stage.world.agent(principal)).get("/v1/holds")
        assert answer.json() == {"items": [], "next_cursor": None}


# Nobody learns what exists.


def _unreadable(kind: str, stage: Stage) -> str:
    return {"memory": stage.note, "session": stage.session, "hold": stage.hold}[kind]


UNKNOWN = {
    "get": ("memory", "GET", "/v1/memories/{}", None),
    "forget": ("memory", "DELETE", "/v1/memories/{}", None),
    "publish": ("memory", "POST", "/v1/publish", {"memory_ids": ["{}"], "to": SHARED}),
    "publish two": ("memory", "POST", "/v1/publish", {"memory_ids": ["OWN", "{}"], "to": SHARED}),
    "close session": ("session", "DELETE", "/v1/sessions/{}", None),
    "remember by session": ("session", "POST", "/v1/memories", {"session_id": "{}", "content": DRAFT}),
    "recall by session": ("session", "POST", "/v1/recall", {"session_id": "{}", "query": "articles"}),
    "list by session": ("session", "GET", "/v1/memories?session_id={}", None),
    "batch by session": ("session", "POST", "/v1/memories/batch", {"memories": [{"session_id": "{}", "content": DRAFT}]}),
    "get hold": ("hold", "GET", "/v1/holds/{}", None),
    "approve hold": ("hold", "POST", "/v1/holds/{}/approve", {}),
    "reject hold": ("hold", "POST", "/v1/holds/{}/reject", {}),
}  # fmt: skip


async def _ask_for(agent: httpx.AsyncClient, door: str, wanted: str, own: str) -> httpx.Response:
    _, method, path, body = UNKNOWN[door]
    filled = None if body is None else json.dumps(body).replace('"{}"', f'"{wanted}"').replace("OWN", own)
    headers = {} if filled is None else {"Content-Type": "application/json"}
    return await agent.request(method, path.format(wanted), content=filled, headers=headers)


@pytest.mark.parametrize("door", UNKNOWN)
async def test_what_one_may_not_know_answers_like_what_never_was(stage, door) -> None:
    writer = await stage.world.agent("agent:writer")
    own = await remember(writer, DRAFTS, DRAFT)
    hidden = _unreadable(UNKNOWN[door][0], stage)
    before = await stored(stage.world)

    answers = [await _ask_for(writer, door, wanted, own) for wanted in (hidden, NOBODY)]

    assert answers[0].status_code == (200 if door.startswith("batch") else 404)
    assert alike(answers[0], hidden) == alike(answers[1], NOBODY)
    assert await stored(stage.world) == before
    written = [[entry["outcome"] for entry in await stage.world.audit() if entry["request_id"] == answer.headers["x-request-id"]] for answer in answers]  # fmt: skip
    assert written[0] == written[1]
    assert written[0][-1] == "deny"


async def test_a_dead_audit_log_does_not_tell_them_apart_either(stage) -> None:
    writer = await stage.world.agent("agent:writer")
    own = await remember(writer, DRAFTS, DRAFT)
    before = await stored(stage.world)
    await stage.world.app.gateway.audit.close()

    for door, (kind, *_) in UNKNOWN.items():
        hidden = _unreadable(kind, stage)
        answers = [await _ask_for(writer, door, wanted, own) for wanted in (hidden, NOBODY)]

        assert answers[0].status_code == 503, door
        assert alike(answers[0], hidden) == alike(answers[1], NOBODY), door
    assert await stored(stage.world) == before


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/v1/recall"), ("GET", "/v1/memories"), ("POST", "/v1/sessions")]
)
async def test_a_refused_lens_answers_alike_whether_or_not_the_scope_exists(world, method, path) -> None:
    await remember(await world.agent("agent:worker-1"), WORKER, DRAFT)
    lenses = (WORKER, f"{ALPHA}/agent/worker-x")
    worker_2 = await world.agent("agent:worker-2")
    more = {"query": "draft"} if path == "/v1/recall" else {}

    answers = []
    for lens in lenses:
        asked = {"scope": lens, **more}
        answers.append(
            await worker_2.request(method, path, **({"params": asked} if method == "GET" else {"json": asked}))
        )

    assert answers[0].status_code == 403
    assert alike(answers[0], lenses[0]) == alike(answers[1], lenses[1])


async def test_through_the_bare_project_a_worker_sees_no_other_worker_and_the_supervisor_sees_all(world) -> None:
    names = ("worker-1", "worker-2", "worker-3")
    for name in names:
        await remember(await world.agent(f"agent:{name}"), f"{ALPHA}/agent/{name}", f"status of {name}")

    worker = await world.agent("agent:worker-2")
    lead = await world.agent("supervisor:lead")

    assert [item["content"] for item in await page(worker, ALPHA)] == ["status of worker-2"]
    assert {item["content"] for item in await page(lead, ALPHA)} == {f"status of {name}" for name in names}


# Sessions


async def test_a_session_stands_for_its_scope_until_it_is_closed(world) -> None:
    researcher = await world.agent("agent:researcher")
    opened = await researcher.post("/v1/sessions", json={"scope": NOTES, "metadata": {"task": 7}})
    session = opened.json()["id"]

    by_session = await researcher.post("/v1/memories", json={"session_id": session, "content": DRAFT})
    both = await researcher.post("/v1/memories", json={"session_id": session, "scope": NOTES, "content": DRAFT})
    closed = await researcher.delete(f"/v1/sessions/{session}")
    again = await researcher.delete(f"/v1/sessions/{session}")
    late = await researcher.post("/v1/memories", json={"session_id": session, "content": DRAFT})

    assert opened.json()["metadata"] == {"task": 7}
    assert by_session.json()["scope"] == NOTES
    assert (await stored(world))[0].provenance.session_id == session
    assert [answer.status_code for answer in (both, closed, again, late)] == [422, 204, 404, 409]
    assert len(await stored(world)) == 1


async def test_a_session_expires(world) -> None:
    researcher = await world.agent("agent:researcher")
    opened = (await researcher.post("/v1/sessions", json={"scope": NOTES})).json()
    world.clock.pass_by(timedelta(hours=24))

    late = await researcher.post("/v1/memories", json={"session_id": opened["id"], "content": DRAFT})
    read = await researcher.post("/v1/recall", json={"session_id": opened["id"], "query": DRAFT})

    assert [late.status_code, read.status_code] == [409, 409]
    assert await stored(world) == []


async def test_a_session_opens_nothing_that_the_policy_closed_meanwhile(world) -> None:
    researcher = await world.agent("agent:researcher")
    session = (await researcher.post("/v1/sessions", json={"scope": NOTES})).json()["id"]
    await drop_policy(world, "role:researcher, org/acme/project/q3/agent/{self}")

    late = await researcher.post("/v1/memories", json={"session_id": session, "content": DRAFT})

    assert late.status_code == 403
    assert await stored(world) == []


# Publish


async def test_publish_copies_and_says_from_where(world) -> None:
    researcher = await world.agent("agent:researcher")
    note = await remember(researcher, NOTES, FINDING, category="knowledge", metadata={"k": ["v"]})

    answer = await publish(researcher, note)

    copy, source = await stored(world)
    assert answer.status_code == 201
    assert (copy.content, copy.category, copy.metadata) == (FINDING, "knowledge", {"k": ["v"]})
    assert copy.provenance.derived_from == (source.id,) == (note,)
    assert copy.provenance.verdict == "pass"
    assert source.scope == Scope.parse(NOTES)


async def test_publish_of_several_is_all_or_nothing_when_one_is_blocked(world) -> None:
    researcher = await world.agent("agent:researcher")
    ids = [await remember(researcher, NOTES, text) for text in (FINDING, SSN_NOTE, PERSON_NOTE)]

    answer = await publish(researcher, *ids)

    assert answer.status_code == 422
    assert answer.json()["code"] == "blocked-by-publish-gate"
    [finding] = answer.json()["findings"]
    assert finding | {"score": 0} == {
        "entity": "US_SSN",
        "field": "content",
        "start": 32,
        "end": 43,
        "score": 0,
        "memory_id": ids[1],
    }
    assert "123-45-6789" not in answer.text
    assert len(await stored(world)) == 3
    assert (await (await world.agent("human:ana")).get("/v1/holds")).json()["items"] == []


async def test_publish_holds_redacts_and_passes_each_in_order(world) -> None:
    researcher = await world.agent("agent:researcher")
    ids = [await remember(researcher, NOTES, text) for text in (PERSON_NOTE, EMAIL_NOTE, FINDING)]

    answer = await publish(researcher, *ids)

    assert answer.status_code == 202
    assert [(result["status"], result["verdict"]) for result in answer.json()["results"]] == [("held", "hold"), ("stored", "redact"), ("stored", "pass")]  # fmt: skip
    shared = [memory for memory in await stored(world) if memory.scope == Scope.parse(SHARED)]
    assert shared[0].content == FINDING
    assert "jane.doe" not in "".join(memory.content for memory in shared)
    assert [memory.provenance.derived_from for memory in shared] == [(ids[2],), (ids[1],)]
    assert not {PERSON_NOTE, EMAIL_NOTE} & {memory.content for memory in shared}


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"content": FINDING}, 201),
        ({"content": SSN_NOTE}, 422),
        ({"content": FINDING, "metadata": {"ssn": "123-45-6789"}}, 422),
        ({"content": PERSON_NOTE}, 202),
        ({"metadata": {"note": "user SSN 123-45-6789"}}, 422),
        ({"metadata": {"k": "v"}}, 422),
    ],
)
async def test_publish_inspects_what_it_would_store_instead(world, more, status) -> None:
    researcher = await world.agent("agent:researcher")
    note = await remember(researcher, NOTES, SSN_NOTE)

    answer = await publish(researcher, note, **more)

    shared = [memory for memory in await stored(world) if memory.scope == Scope.parse(SHARED)]
    assert answer.status_code == status, answer.text
    assert [memory.content for memory in shared] == ([FINDING] if status == 201 else [])


async def test_publish_with_content_stores_one_memory_derived_from_all(world) -> None:
    researcher = await world.agent("agent:researcher")
    ids = [await remember(researcher, NOTES, text, metadata={"old": text}) for text in (SSN_NOTE, DRAFT)]

    answer = await publish(researcher, *ids, content=FINDING, metadata={"new": 1})

    assert answer.status_code == 201
    copy, *sources = await stored(world)
    assert (copy.content, copy.metadata, set(copy.provenance.derived_from)) == (FINDING, {"new": 1}, set(ids))
    assert len(sources) == 2


@pytest.mark.parametrize(
    ("ids", "to", "more", "status"),
    [
        (["found"], SHARED, {}, 422),
        (["note", "found"], SHARED, {}, 422),
        (["note", "note"], SHARED, {}, 422),
        ([], SHARED, {}, 422),
        (["note"], NOTES, {}, 422),
        (["note"], "/", {}, 403),
        (["note"], DRAFTS, {}, 403),
        (["note"], SHARED, {"content": "  "}, 422),
        (["note"], SHARED, {"provenance": {"principal": "human:ceo"}}, 422),
    ],
)
async def test_publish_refuses_and_stores_nothing(stage, ids, to, more, status) -> None:
    researcher = await stage.world.agent("agent:researcher")
    before = await stored(stage.world)

    answer = await publish(researcher, *(getattr(stage, name) for name in ids), to=to, **more)

    assert answer.status_code == status, answer.text
    assert await stored(stage.world) == before


async def test_publish_into_a_private_scope_is_not_inspected(world) -> None:
    await change_policy(world, "p, role:researcher, org/acme/project/q3/session/s1, write, allow")
    researcher = await world.agent("agent:researcher")
    note = await remember(researcher, NOTES, SSN_NOTE)

    answer = await publish(researcher, note, to=f"{SHARED}/session/s1")

    assert answer.json()["results"][0]["verdict"] == "not_inspected"


# Batch


async def test_a_batch_answers_each_in_order_and_one_refused_keeps_out_no_other(world) -> None:
    researcher = await world.agent("agent:researcher")
    memories = [
        {"scope": SHARED, "content": FINDING},
        {"scope": SHARED, "content": SSN_NOTE},
        {"scope": DRAFTS, "content": "not mine"},
        {"scope": NOTES, "content": SSN_NOTE},
        {"scope": SHARED, "content": PERSON_NOTE},
        {"session_id": NOBODY, "content": DRAFT},
        {"scope": SHARED, "content": EMAIL_NOTE},
    ]

    answer = await researcher.post("/v1/memories/batch", json={"memories": memories})

    results = answer.json()["results"]
    assert answer.status_code == 200
    assert [result.get("verdict") or result["problem"]["code"] for result in results] == [
        "pass", "blocked-by-publish-gate", "forbidden", "not_inspected", "hold", "not-found", "redact",
    ]  # fmt: skip
    assert "123-45-6789" not in answer.text
    assert {result["id"] for result in results if result["status"] == "stored"} == {
        memory.id for memory in await stored(world)
    }
    assert sorted(await contents(world))[:2] == [FINDING, SSN_NOTE]


@pytest.mark.parametrize(
    "bad", [{"content": ""}, {"metadata": {"a": {"b": {"c": {"d": {"e": 1}}}}}}, {"colour": "red"}]
)
async def test_a_batch_with_a_malformed_item_stores_nothing_and_names_it(world, bad) -> None:
    researcher = await world.agent("agent:researcher")
    memories = [{"scope": SHARED, "content": FINDING}, {"scope": SHARED, "content": FINDING, **bad}]

    answer = await researcher.post("/v1/memories/batch", json={"memories": memories})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"].startswith("memories[1].")
    assert await stored(world) == []


async def test_when_the_gate_fails_nothing_is_stored_by_any_door(fallible) -> None:
    world = fallible.world
    researcher = await world.agent("agent:researcher")
    note = await remember(researcher, NOTES, FINDING)
    fallible.detector.failure = RuntimeError(f"could not read {FINDING}")

    one = await researcher.post("/v1/memories", json={"scope": SHARED, "content": FINDING})
    many = [{"scope": NOTES, "content": DRAFT}, {"scope": SHARED, "content": FINDING}]
    batch = await researcher.post("/v1/memories/batch", json={"memories": many})
    copy = await publish(researcher, note)

    assert [answer.status_code for answer in (one, batch, copy)] == [503] * 3
    assert {answer.json()["code"] for answer in (one, batch, copy)} == {"gate-unavailable"}
    assert FINDING not in one.text + batch.text + copy.text
    assert await contents(world) == [FINDING]


@pytest.mark.parametrize("failure", [StoreUnavailable("down"), RuntimeError(FINDING)])
async def test_when_the_store_fails_nothing_is_stored_or_held_and_the_log_says_so(fallible, failure) -> None:
    world = fallible.world
    researcher = await world.agent("agent:researcher")
    ids = [await remember(researcher, NOTES, text) for text in (FINDING, PERSON_NOTE)]
    fallible.store.failure = failure

    answer = await publish(researcher, *ids)

    assert answer.status_code == (503 if isinstance(failure, StoreUnavailable) else 500)
    assert FINDING not in answer.text
    assert len(await stored(world)) == 2
    assert (await (await world.agent("human:ana")).get("/v1/holds")).json()["items"] == []
    outcomes = [entry["outcome"] for entry in await world.audit() if entry["operation"] == "publish"]
    assert outcomes[-3:] == ["allow", "held", "failed"]


async def test_when_the_hold_queue_fails_nothing_is_stored(world) -> None:
    researcher = await world.agent("agent:researcher")
    ids = [await remember(researcher, NOTES, text) for text in (FINDING, PERSON_NOTE)]
    await world.app.gateway.entrance.holds._database.run(
        lambda connection: connection.exec_driver_sql("DROP TABLE holds")
    )

    answer = await publish(researcher, *ids)

    assert (answer.status_code, answer.json()["code"]) == (503, "store-unavailable")
    assert len(await stored(world)) == 2


async def test_when_the_audit_log_fails_nothing_is_stored_read_or_forgotten(stage) -> None:
    researcher = await stage.world.agent("agent:researcher")
    before = await stored(stage.world)
    await stage.world.app.gateway.audit.close()

    answers = [
        await researcher.post("/v1/memories", json={"scope": NOTES, "content": DRAFT}),
        await researcher.post("/v1/memories/batch", json={"memories": [{"scope": NOTES, "content": DRAFT}]}),
        await publish(researcher, stage.note),
        await researcher.post("/v1/recall", json={"scope": SHARED, "query": "articles"}),
        await researcher.get(f"/v1/memories/{stage.note}"),
        await researcher.delete(f"/v1/memories/{stage.note}"),
    ]

    assert [answer.status_code for answer in answers if "results" not in answer.json()] == [503] * 5
    assert answers[1].json()["results"][0]["problem"]["code"] == "audit-unavailable"
    assert await stored(stage.world) == before


# Reading


async def test_pages_are_complete_and_stable_while_others_write(world) -> None:
    researcher = await world.agent("agent:researcher")
    writer = await world.agent("agent:writer")
    written = [await remember(researcher, SHARED, f"topic number {number}") for number in range(23)]

    seen: list[str] = []
    cursor: dict[str, str] = {}
    for number in range(10):
        answer = (await writer.get("/v1/memories", params={"scope": SHARED, "limit": 4, **cursor})).json()
        seen += [item["id"] for item in answer["items"]]
        await remember(researcher, SHARED, f"late {number}")
        await remember(researcher, NOTES, f"private {number}")
        if answer["next_cursor"] is None:
            break
        cursor = {"cursor": answer["next_cursor"]}

    assert seen == written[::-1]


async def test_a_page_that_ends_exactly_has_no_next(world) -> None:
    researcher = await world.agent("agent:researcher")
    for number in range(4):
        await remember(researcher, SHARED, f"topic number {number}")

    writer = await world.agent("agent:writer")
    answer = await writer.get("/v1/memories", params={"scope": SHARED, "limit": 4})

    assert len(answer.json()["items"]) == 4
    assert answer.json()["next_cursor"] is None


async def test_filters_select_alike_in_lists_and_searches(world) -> None:
    researcher, writer = await world.agent("agent:researcher"), await world.agent("agent:writer")
    await remember(researcher, SHARED, "one", category="knowledge", metadata={"tags": ["a", "b"], "n": 1})
    world.clock.pass_by(timedelta(minutes=1))
    middle = world.clock.now.isoformat()
    await remember(writer, SHARED, "two", metadata={"tags": "a", "n": True})
    await remember(writer, SHARED, "three", category="knowledge", metadata={"n": None})
    cases = [
        ({}, {"one", "two", "three"}),
        ({"category": "knowledge"}, {"one", "three"}),
        ({"author": "agent:writer"}, {"two", "three"}),
        ({"author": "agent:nobody"}, set()),
        ({"since": middle}, {"two", "three"}),
        ({"until": middle}, {"one"}),
        ({"metadata": {"tags": "a"}}, {"one", "two"}),
        ({"metadata": {"n": 1}}, {"one"}),
        ({"metadata": {"n": True}}, {"two"}),
        ({"metadata": {"n": None}}, {"three"}),
        ({"category": "knowledge", "author": "agent:writer"}, {"three"}),
        ({"direction": "descendants"}, {"one", "two", "three"}),
    ]

    for wanted, expected in cases:
        in_query = {name: json.dumps(value) if name == "metadata" else value for name, value in wanted.items()}
        found = await writer.post("/v1/recall", json={"scope": SHARED, "query": "one two three", **wanted})
        assert {item["content"] for item in await page(writer, SHARED, **in_query)} == expected, wanted
        assert {item["content"] for item in found.json()["items"]} == expected, wanted


async def test_sources_are_named_only_to_those_who_may_read_them_and_only_while_they_exist(world) -> None:
    researcher, writer = await world.agent("agent:researcher"), await world.agent("agent:writer")
    note = await remember(researcher, NOTES, FINDING)
    copy = (await publish(researcher, note)).json()["results"][0]["id"]

    async def named(agent: httpx.AsyncClient) -> list[list[str]]:
        recalled = await agent.post("/v1/recall", json={"scope": SHARED, "query": FINDING, "direction": "ancestors"})
        listed = await page(agent, SHARED, direction="ancestors")
        got = (await agent.get(f"/v1/memories/{copy}")).json()
        return [item["provenance"]["derived_from"] for item in (*recalled.json()["items"], *listed, got)]

    assert await named(researcher) == [[note]] * 3
    assert await named(writer) == [[]] * 3
    assert (await researcher.delete(f"/v1/memories/{note}")).status_code == 204
    assert await named(researcher) == [[]] * 3
    assert await named(writer) == [[]] * 3


async def test_what_is_forgotten_is_in_no_answer(world) -> None:
    researcher = await world.agent("agent:researcher")
    note = await remember(researcher, NOTES, FINDING)

    forgotten = [(await researcher.delete(f"/v1/memories/{note}")).status_code for _ in range(2)]

    found = await researcher.post("/v1/recall", json={"scope": NOTES, "query": FINDING})
    assert forgotten == [204, 404]
    assert found.json() == {"items": [], "formatted": ""}
    assert (await researcher.get(f"/v1/memories/{note}")).status_code == 404
    assert (await publish(researcher, note)).status_code == 404
    assert await stored(world) == []


@pytest.mark.parametrize(
    "field", ["id", "created_at", "provenance", "principal", "derived_from", "verdict", "key_id", "approved_by"]
)
async def test_no_client_stamps_its_own_provenance(world, field) -> None:
    researcher = await world.agent("agent:researcher")
    note = await remember(researcher, NOTES, DRAFT)
    forged = {field: NOBODY}

    one = await researcher.post("/v1/memories", json={"scope": NOTES, "content": "forged", **forged})
    batch = await researcher.post(
        "/v1/memories/batch", json={"memories": [{"scope": NOTES, "content": "forged", **forged}]}
    )
    copy = await publish(researcher, note, content="forged", **forged)
    tagged = await remember(researcher, NOTES, "tagged", metadata=forged)

    assert [answer.status_code for answer in (one, batch, copy)] == [422] * 3
    assert "forged" not in await contents(world)
    item = (await researcher.get(f"/v1/memories/{tagged}")).json()
    assert item["metadata"] == forged
    assert item["id"] == tagged
    assert item["provenance"]["principal"] == "agent:researcher"
    assert (item["provenance"]["derived_from"], item["provenance"]["approved_by"]) == ([], None)


# The audit log


def _line(world: World, start: str) -> str:
    """The place of the policy line that starts so."""
    lines = (world.policies / "policy.csv").read_text().splitlines()
    [number] = [number for number, line in enumerate(lines, start=1) if line.startswith(start)]
    return f"policy.csv:{number}"


NOTES_LINE, SHARED_LINE = (
    "p, role:researcher, org/acme/project/q3/agent/{self},",
    "p, role:researcher, org/acme/project/q3,",
)
REVIEW_LINE, OPERATOR_LINE = "p, role:privacy_reviewer,", "p, role:operator,"
ALLOW, DENY = "allow", "deny"
#    who, act, [(operation, action, outcome, verdict, the line that decided)]
AUDITED = {
    "remember": ("agent:researcher", _post("/v1/memories", scope=NOTES, content=SSN_NOTE), [("remember", "write", ALLOW, "not_inspected", NOTES_LINE)]),
    "remember shared": ("agent:researcher", _post("/v1/memories", scope=SHARED, content=DRAFT), [("remember", "write", ALLOW, "pass", SHARED_LINE)]),
    "redacted": ("agent:researcher", _post("/v1/memories", scope=SHARED, content=EMAIL_NOTE), [("remember", "write", ALLOW, "redact", SHARED_LINE)]),
    "held": ("agent:researcher", _post("/v1/memories", scope=SHARED, content=PERSON_NOTE), [("remember", "write", "held", "hold", SHARED_LINE)]),
    "blocked": ("agent:researcher", _post("/v1/memories", scope=SHARED, content=SSN_NOTE), [("remember", "write", "blocked", "block", SHARED_LINE)]),
    "remember denied": ("agent:writer", _post("/v1/memories", scope=NOTES, content=DRAFT), [("remember", "write", DENY, None, None)]),
    "denied by a line": ("agent:intern", _get("/v1/memories", scope=f"{SHARED}/user/ceo"), [("list", "read", DENY, None, None)]),
    "checked and denied by a line": ("agent:intern", _post("/v1/check", action="read", scope=f"{SHARED}/user/ceo"), [("check", "read", DENY, None, "p, role:intern, org/acme/project/q3/user/ceo/**,")]),
    "recall": ("agent:researcher", _post("/v1/recall", scope=SHARED, query="x", direction="ancestors"), [("recall", "read", ALLOW, None, SHARED_LINE)]),
    "recall denied": ("agent:writer", _post("/v1/recall", scope=NOTES, query="x"), [("recall", "read", DENY, None, None)]),
    "list": ("agent:researcher", _get("/v1/memories", scope=SHARED, direction="ancestors"), [("list", "read", ALLOW, None, SHARED_LINE)]),
    "get": ("agent:researcher", _get("/v1/memories/{note}"), [("get", "read", ALLOW, None, NOTES_LINE)]),
    "get denied": ("agent:writer", _get("/v1/memories/{note}"), [("get", "read", DENY, None, None)]),
    "get of nothing": ("agent:writer", _get(f"/v1/memories/{NOBODY}"), [("get", "read", DENY, None, None)]),
    "forget": ("agent:researcher", _delete("/v1/memories/{note}"), [("forget", "read", ALLOW, None, NOTES_LINE), ("forget", "forget", ALLOW, None, NOTES_LINE)]),
    "forget denied": ("agent:researcher", _delete("/v1/memories/{found}"), [("forget", "read", ALLOW, None, SHARED_LINE), ("forget", "forget", DENY, None, None)]),
    "publish": ("agent:researcher", _post("/v1/publish", memory_ids=["{note}"], to=SHARED), [("publish", "read", ALLOW, None, NOTES_LINE), ("publish", "publish", ALLOW, None, NOTES_LINE), ("publish", "write", ALLOW, "pass", SHARED_LINE)]),
    "publish denied": ("agent:researcher", _post("/v1/publish", memory_ids=["{found}"], to=NOTES), [("publish", "read", ALLOW, None, SHARED_LINE), ("publish", "publish", DENY, None, None)]),
    "publish not there": ("agent:researcher", _post("/v1/publish", memory_ids=["{note}"], to=ALPHA), [("publish", "read", ALLOW, None, NOTES_LINE), ("publish", "publish", ALLOW, None, NOTES_LINE), ("publish", "write", DENY, None, None)]),
    "check": ("agent:researcher", _post("/v1/check", action="write", scope=NOTES), [("check", "write", ALLOW, None, NOTES_LINE)]),
    "check of another": ("human:ops", _post("/v1/check", action="write", scope=NOTES, principal="agent:writer"), [("check", "administer", ALLOW, None, OPERATOR_LINE)]),
    "check of another denied": ("agent:writer", _post("/v1/check", action="write", scope=NOTES, principal="agent:reviewer"), [("check", "administer", DENY, None, None)]),
    "open session": ("agent:researcher", _post("/v1/sessions", scope=NOTES), [("open_session", "read", ALLOW, None, NOTES_LINE)]),
    "open session denied": ("agent:writer", _post("/v1/sessions", scope=NOTES), [("open_session", "read", DENY, None, None)]),
    "close session": ("agent:researcher", _delete("/v1/sessions/{session}"), [("close_session", "read", ALLOW, None, None)]),
    "close session denied": ("agent:writer", _delete("/v1/sessions/{session}"), [("close_session", "read", DENY, None, None)]),
    "session of another": ("agent:writer", _post("/v1/memories", session_id="{session}", content=DRAFT), [("remember", "write", DENY, None, None)]),
    "list holds": ("human:ana", _get("/v1/holds"), [("list_holds", "review", ALLOW, None, REVIEW_LINE)]),
    "get hold": ("human:ana", _get("/v1/holds/{hold}"), [("get_hold", "review", ALLOW, None, REVIEW_LINE)]),
    "get hold denied": ("agent:writer", _get("/v1/holds/{hold}"), [("get_hold", "review", DENY, None, None)]),
    "approve": ("human:ana", _post("/v1/holds/{hold}/approve"), [("approve", "review", ALLOW, "pass", REVIEW_LINE)]),
    "approve redacted": ("human:ana", _post("/v1/holds/{hold}/approve", redact=True), [("approve", "review", ALLOW, "redact", REVIEW_LINE)]),
    "approve denied": ("agent:researcher", _post("/v1/holds/{hold}/approve"), [("approve", "review", DENY, None, None)]),
    "reject": ("human:ana", _post("/v1/holds/{hold}/reject"), [("reject", "review", ALLOW, None, REVIEW_LINE)]),
    "create key": ("human:ops", _post("/v1/admin/keys", principal="agent:new"), [("create_key", "administer", ALLOW, None, OPERATOR_LINE)]),
    "create key denied": ("human:ana", _post("/v1/admin/keys", principal="agent:new"), [("create_key", "administer", DENY, None, None)]),
    "list keys": ("human:ops", _get("/v1/admin/keys"), [("list_keys", "administer", ALLOW, None, OPERATOR_LINE)]),
    "rotate key": ("human:ops", _post("/v1/admin/keys/{key}/rotate"), [("rotate_key", "administer", ALLOW, None, OPERATOR_LINE)]),
    "revoke key": ("human:ops", _delete("/v1/admin/keys/{key}"), [("revoke_key", "administer", ALLOW, None, OPERATOR_LINE)]),
    "revoke key denied": ("human:ana", _delete("/v1/admin/keys/{key}"), [("revoke_key", "administer", DENY, None, None)]),
    "policy": ("human:ops", _get("/v1/admin/policy"), [("policy_status", "administer", ALLOW, None, OPERATOR_LINE)]),
    "reload": ("human:ops", _post("/v1/admin/policy/reload"), [("policy_reload", "administer", ALLOW, None, OPERATOR_LINE)]),
    "audit": ("human:ops", _get("/v1/admin/audit"), [("query_audit", "administer", ALLOW, None, OPERATOR_LINE)]),
    "audit denied": ("human:ana", _get("/v1/admin/audit"), [("query_audit", "administer", DENY, None, None)]),
}  # fmt: skip


@pytest.mark.parametrize("case", AUDITED)
async def test_every_decision_is_in_the_audit_log_with_the_line_that_decided(stage, case) -> None:
    who, act, expected = AUDITED[case]
    agent = await stage.world.agent(who)

    answer = await act(agent, stage)

    entries = [entry for entry in await stage.world.audit() if entry["request_id"] == answer.headers["x-request-id"]]
    lines = [[] if start is None else [_line(stage.world, start)] for *_, start in expected]
    shown = [tuple(entry[name] for name in ("operation", "action", "outcome", "verdict")) for entry in entries]
    assert shown == [row[:4] for row in expected]
    assert [entry["lines"] for entry in entries] == lines
    assert {entry["principal"] for entry in entries} == {who}
    assert {entry["policy_version"] for entry in entries} == {stage.world.app.policies.in_force.version}
    assert all(entry["reason"] for entry in entries if entry["outcome"] == "deny")


# No text leaves by a side door.

# Strings of their own, found only where they were put. The numbers are findings of the publish gate.
CANARIES = [
    "canarycontent",
    "canarykey",
    "canaryvalue",
    "canaryquery",
    "canaryfilter",
    "canarysession",
    "123-45-6789",
    "jane.doe",
    "Gonzalez",
]


@pytest.fixture
def debug_log(caplog):
    """Everything that would be logged at DEBUG by a gateway that was started as users start it."""
    with restored_logging():
        configure_logging("json", "DEBUG")
        logging.getLogger().addHandler(caplog.handler)
        yield caplog


async def test_no_log_metric_audit_row_or_error_holds_a_text_or_a_key(fallible, debug_log, capfd) -> None:
    world = fallible.world
    keys = {name: await world.issue(name) for name in ("agent:researcher", "agent:writer", "human:ana", "human:ops")}
    researcher, writer, ana, ops = (world.client(key.text) for key in keys.values())
    text = {"content": "canarycontent of the day", "metadata": {"canarykey": ["canaryvalue", {"canarykey": 1}]}}
    blocked = {
        "content": f"canarycontent {SSN_NOTE}",
        "metadata": {"canarykey 123-45-6789": "canaryvalue jane.doe@example.com"},
    }
    held = {"content": f"canarycontent {PERSON_NOTE}", "metadata": {"canarykey": "canaryvalue"}}
    problems: list[str] = []

    async def ask(agent: httpx.AsyncClient, method: str, path: str, **more) -> httpx.Response:
        answer = await agent.request(method, path, **more)
        if answer.headers.get("content-type") == "application/problem+json":
            problems.append(answer.text)
        return answer

    async def every_operation() -> None:
        notes = [
            await ask(researcher, "POST", "/v1/memories", json={"scope": NOTES, **one}) for one in (text, blocked, held)
        ]
        ids = [answer.json().get("id", NOBODY) for answer in notes]
        for body in (text, blocked, held):
            await ask(
                researcher,
                "POST",
                "/v1/memories",
                json={"scope": SHARED, **body},
                headers={"Idempotency-Key": f"k{len(problems)}"},
            )
            await ask(writer, "POST", "/v1/memories", json={"scope": NOTES, **body})
            await ask(
                researcher,
                "POST",
                "/v1/memories/batch",
                json={"memories": [{"scope": scope, **body} for scope in (SHARED, DRAFTS, NOTES)]},
            )
            await ask(researcher, "POST", "/v1/publish", json={"memory_ids": [ids[0]], "to": SHARED, **body})
            await ask(researcher, "POST", "/v1/memories", json={"scope": SHARED, **body, "canaryfield": 1})
            await ask(researcher, "POST", "/v1/memories", json={"scope": SHARED, **body, "valid_from": "canaryvalue"})
        for memory_id in ids:
            await ask(researcher, "POST", "/v1/publish", json={"memory_ids": [memory_id], "to": SHARED})
            await ask(writer, "GET", f"/v1/memories/{memory_id}")
            await ask(researcher, "GET", f"/v1/memories/{memory_id}")
        for agent in (researcher, writer):
            await ask(
                agent,
                "POST",
                "/v1/recall",
                json={"scope": NOTES, "query": "canaryquery 123-45-6789", "metadata": {"canaryfilter": "canaryvalue"}},
            )
            await ask(
                agent, "GET", "/v1/memories", params={"scope": NOTES, "metadata": '{"canaryfilter": "canaryvalue"}'}
            )
        await ask(
            researcher, "POST", "/v1/sessions", json={"scope": NOTES, "metadata": {"canarysession": "canaryvalue"}}
        )
        await ask(writer, "POST", "/v1/sessions", json={"scope": NOTES, "metadata": {"canarysession": "canaryvalue"}})
        for number, hold in enumerate((await ask(ana, "GET", "/v1/holds")).json().get("items", [])):
            await ask(writer, "GET", f"/v1/holds/{hold['id']}")
            await ask(ana, "GET", f"/v1/holds/{hold['id']}")
            doors = [("approve", {}), ("approve", {"redact": True}), ("reject", {"reason": "canaryvalue"})]
            deed, body = doors[number % len(doors)]
            await ask(ana, "POST", f"/v1/holds/{hold['id']}/{deed}", json=body)
            await ask(ana, "POST", f"/v1/holds/{hold['id']}/{deed}", json=body)
        issued = (
            await ask(ops, "POST", "/v1/admin/keys", json={"principal": "agent:new", "note": "canaryvalue"})
        ).json()
        if "key" in issued:
            secrets.append(issued["key"])
            rotated = (await ask(ops, "POST", f"/v1/admin/keys/{issued['id']}/rotate")).json()
            secrets.append(rotated["key"])
            await ask(ops, "DELETE", f"/v1/admin/keys/{rotated['id']}")
        await ask(ops, "GET", "/v1/admin/keys")
        await ask(ops, "POST", "/v1/admin/policy/reload")
        await ask(world.client(keys["human:ops"].text[:-1] + "x"), "GET", "/v1/whoami")
        await ask(researcher, "DELETE", f"/v1/memories/{ids[0]}")

    secrets = [key.text for key in keys.values()]
    await every_operation()
    for part, failure in (
        (fallible.store, StoreUnavailable("canarycontent")),
        (fallible.store, RuntimeError("canarycontent 123-45-6789")),
        (fallible.detector, RuntimeError("canarycontent 123-45-6789")),
    ):
        part.failure = failure
        await every_operation()
        part.failure = None

    out, err = capfd.readouterr()
    places = {
        "log": debug_log.text + out + err,
        "log arguments": "\n".join(f"{record.msg!r} {record.args!r} {record.exc_info!r}" for record in debug_log.records),
        "audit": json.dumps(await world.audit()),
        "metrics": (await world.client().get("/metrics")).text,
        "problems": "\n".join(problems),
    }  # fmt: skip
    assert all(len(text) > 1_000 for text in places.values())
    forbidden = CANARIES + secrets + [secret.split("_", 2)[2] for secret in secrets]
    leaks = [(name, word) for name, text in places.items() for word in forbidden if word in text]
    assert leaks == []


async def test_a_request_id_of_the_client_is_the_one_in_answer_and_log(world) -> None:
    wanted = f"trace-{uuid.uuid4().hex}"
    writer = await world.agent("agent:writer")

    answer = await writer.post(
        "/v1/memories", json={"scope": DRAFTS, "content": DRAFT}, headers={"X-Request-Id": wanted}
    )

    assert answer.headers["x-request-id"] == wanted
    assert [entry["request_id"] for entry in await world.audit()] == [wanted]
    assert (await stored(world))[0].provenance.request_id == wanted
