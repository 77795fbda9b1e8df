"""Whatever body comes to whatever route: never a failure of the gateway, and never anything stored by a refusal."""

import asyncio
import copy
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.database import Database
from tests.proxy.api.rig import Rig
from tests.world import NOTES, PERSON_NOTE, SHARED, open_world

ID = "0199aaaa-0000-7000-8000-000000000000"
MOMENT = "2026-11-22T10:00:00Z"
NOTE = {"scope": NOTES, "content": "a note", "category": "knowledge", "metadata": {"k": ["v", 1]}, "valid_from": MOMENT}
VALID: dict[str, dict[str, Any]] = {
    "/v1/check": {"action": "read", "scope": {"org": "acme"}, "principal": "agent:researcher"},
    "/v1/sessions": {"scope": NOTES, "metadata": {"k": {"deep": None}}},
    "/v1/memories": NOTE,
    "/v1/memories/batch": {"memories": [NOTE, {"scope": {"org": "acme", "project": "q3"}, "content": PERSON_NOTE}]},
    "/v1/recall": {
        "query": "note",
        "scope": SHARED,
        "top_k": 5,
        "direction": "both",
        "category": "episodic",
        "metadata": {"k": 1},
        "author": "agent:researcher",
        "since": MOMENT,
        "until": MOMENT,
    },
    "/v1/publish": {"memory_ids": [ID], "to": SHARED, "content": "x", "metadata": {"k": "v"}},
    f"/v1/holds/{ID}/approve": {"redact": True},
    f"/v1/holds/{ID}/reject": {"reason": "because"},
    "/v1/admin/keys": {"principal": "agent:new", "floor": NOTES, "read_only": True, "expires_in_s": 60, "note": "n"},
    "/v1/admin/keys/abcdefghij12/rotate": {"overlap_s": 60},
    "/v1/admin/policy/reload": {},
}
NAMES = sorted(
    {name for body in VALID.values() for name in body} | {"org", "session_id", "", "id", "\0", "\ud800", "k"}
)
WORDS = [NOTES, SHARED, "/", "", ID, MOMENT, "read", "episodic", "agent:writer", "\0", "\ud83d", "org/аcme", "x" * 200]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**30, -(10**30), 2**63, 2**64, 10**399, 0, 1, 101])
    | st.floats()
    | st.sampled_from(WORDS)
    | st.text(st.characters(), max_size=20)
)
VALUES = st.recursive(
    SCALARS,
    lambda inside: (
        st.lists(inside, max_size=4)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(st.characters(), max_size=8), inside, max_size=5)
    ),
    max_leaves=25,
)


def places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The path of every value in ``value``."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] + [place for key, item in inside for place in places(item, (*path, key))]


@st.composite
def mutations(draw: st.DrawFn, body: dict[str, Any]) -> object:
    """A valid body, of which a few values are other ones, gone, or joined by strangers."""
    changed: Any = copy.deepcopy(body)
    for _ in range(draw(st.integers(1, 3))):
        *above, last = draw(st.sampled_from(places(changed)[1:] or [("x",)]))
        parent = changed
        for key in above:
            parent = parent[key]
        match draw(st.sampled_from(["replace", "remove", "add"])):
            case "remove" if len(places(changed)) > 2:
                del parent[last]
            case "add" if isinstance(parent, dict):
                parent[draw(st.sampled_from(NAMES))] = draw(VALUES)
            case _:
                parent[last] = draw(VALUES)
    return changed


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, bytes]:
    path = draw(st.sampled_from(sorted(VALID)))
    kind = draw(st.sampled_from(["mutated", "mutated", "mutated", "any", "bytes", "cut"]))
    if kind == "bytes":
        return path, draw(st.binary(max_size=100))
    body = json.dumps(draw(VALUES if kind == "any" else mutations(VALID[path]))).encode()
    if kind == "cut":
        return path, body[: draw(st.integers(0, len(body)))]
    return path, body


@dataclass
class Target:
    loop: asyncio.AbstractEventLoop
    rig: Rig
    clients: dict[str, httpx.AsyncClient]
    database: Database

    def send(self, path: str, body: bytes) -> tuple[httpx.Response, bool]:
        """The answer, and whether it left anything behind."""
        return self.loop.run_until_complete(self._send(path, body))

    async def _send(self, path: str, body: bytes) -> tuple[httpx.Response, bool]:
        before = self._kept()
        answer = await self.clients["ops" if "/admin/" in path else "agent"].post(path, content=body)
        if "memories" in path and answer.is_success:
            await self._readable()
        return answer, self._kept() != before

    def _kept(self) -> tuple[int, ...]:
        counts = [sa.select(sa.func.count()).select_from(sa.table(name)) for name in ("sessions", "holds", "keys")]
        rows = self.database.run_here(lambda connection: [connection.scalar(count) for count in counts])
        return (self.rig.store.written, *rows)

    async def _readable(self) -> None:
        """What was stored can be shown."""
        for scope in (NOTES, SHARED):
            listed = await self.clients["agent"].get("/v1/memories", params={"scope": scope, "limit": 1})
            assert listed.status_code == 200, listed.text


@pytest.fixture(scope="module")
def target(tmp_path_factory) -> AsyncIterator[Target]:
    loop, rig = asyncio.new_event_loop(), Rig()
    opened = open_world(tmp_path_factory.mktemp("world"), rig.parts)
    world = loop.run_until_complete(opened.__aenter__())
    names = {"agent": "agent:researcher", "ops": "human:ops"}
    clients = {short: loop.run_until_complete(world.agent(principal)) for short, principal in names.items()}
    (world.policies / "gateway.yaml").write_text("limits: {requests_per_minute: 100000000}\n", "utf-8")
    loop.run_until_complete(world.app.policies.reload())
    database = Database.open(world.data)
    yield Target(loop, rig, clients, database)
    database.close()
    loop.run_until_complete(opened.__aexit__(None, None, None))
    loop.close()


@pytest.mark.parametrize("path", VALID)
def test_the_bodies_to_start_from_are_well_formed(target: Target, path: str) -> None:
    answer, _ = target.send(path, json.dumps(VALID[path]).encode())
    assert answer.status_code in {200, 201, 202} or answer.json()["code"] == "not-found", answer.text


@given(requests())
@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_body_fails_the_gateway_and_no_refusal_leaves_anything(target: Target, request: tuple[str, bytes]) -> None:
    answer, changed = target.send(*request)
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert not changed
        assert answer.json()["code"] != "invalid" or all(error["field"] for error in answer.json()["errors"])
