"""What each operation sends, and that together they are the API that docs/http.md describes."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pytest

from .samples import (
    DECISION,
    HELD,
    HOLD,
    KEY_ANSWER,
    MEMORY,
    NEW_KEY,
    RECALL,
    SESSION,
    STORED,
    WHOAMI,
    answer,
    nothing,
    page,
)

Q3 = "org/acme/project/q3"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Case(NamedTuple):
    name: str
    operation: object
    reply: object
    method: str
    path: str
    body: object = None
    params: Mapping[str, str] = MappingProxyType({})


CASES = [
    Case("whoami", lambda c: c.whoami(), answer(WHOAMI), "GET", "/v1/whoami"),
    Case(
        "remember",
        lambda c: c.remember("a note", scope=Q3),
        answer(STORED, 201),
        "POST",
        "/v1/memories",
        {"scope": Q3, "content": "a note"},
    ),
    Case(
        "remember with details",
        lambda c: c.remember(
            content="a note",
            scope={"org": "acme", "project": "q3"},
            memory_category="knowledge",
            metadata={"run": "a"},
            valid_from=NOON,
        ),
        answer(HELD, 202),
        "POST",
        "/v1/memories",
        {
            "scope": Q3,
            "content": "a note",
            "category": "knowledge",
            "metadata": {"run": "a"},
            "valid_from": "2026-11-22T12:00:00+00:00",
        },
    ),
    Case(
        "remember in the empty scope",
        lambda c: c.remember("a note", scope={}),
        answer(STORED, 201),
        "POST",
        "/v1/memories",
        {"scope": "/", "content": "a note"},
    ),
    Case(
        "remember many",
        lambda c: c.remember_many(
            [{"content": "one"}, {"content": "two", "scope": "org/acme", "memory_category": "context"}], scope=Q3
        ),
        answer({"results": [STORED, HELD]}),
        "POST",
        "/v1/memories/batch",
        {
            "memories": [
                {"scope": Q3, "content": "one"},
                {"scope": "org/acme", "content": "two", "category": "context"},
            ]
        },
    ),
    Case(
        "recall",
        lambda c: c.recall("articles", scope=Q3),
        answer(RECALL),
        "POST",
        "/v1/recall",
        {"scope": Q3, "query": "articles"},
    ),
    Case(
        "recall with everything",
        lambda c: c.recall(
            query="articles",
            scope=Q3,
            top_k=3,
            direction="descendants",
            category="knowledge",
            metadata={"run": "a"},
            author="agent:writer",
            since=NOON.astimezone(timezone(timedelta(hours=1))),
            until="2026-11-23T00:00:00Z",
        ),
        answer(RECALL),
        "POST",
        "/v1/recall",
        {
            "scope": Q3,
            "query": "articles",
            "top_k": 3,
            "direction": "descendants",
            "category": "knowledge",
            "metadata": {"run": "a"},
            "author": "agent:writer",
            "since": "2026-11-22T13:00:00+01:00",
            "until": "2026-11-23T00:00:00Z",
        },
    ),
    Case(
        "list",
        lambda c: c.list(scope={"org": "acme"}, limit=2, cursor="c1", metadata={"run": "ä"}, direction="ancestors"),
        answer(page(MEMORY)),
        "GET",
        "/v1/memories",
        params={
            "scope": "org/acme",
            "limit": "2",
            "cursor": "c1",
            "metadata": '{"run": "ä"}',
            "direction": "ancestors",
        },
    ),
    Case("get", lambda c: c.get("m1"), answer(MEMORY), "GET", "/v1/memories/m1"),
    Case("get an odd id", lambda c: c.get("../holds?x"), answer(MEMORY), "GET", "/v1/memories/..%2Fholds%3Fx"),
    Case("forget", lambda c: c.forget("m1"), nothing(), "DELETE", "/v1/memories/m1"),
    Case(
        "publish",
        lambda c: c.publish(["m1", "m2"], to=Q3),
        answer({"results": [STORED, HELD]}, 202),
        "POST",
        "/v1/publish",
        {"memory_ids": ["m1", "m2"], "to": Q3},
    ),
    Case(
        "publish one as another text",
        lambda c: c.publish("m1", to={"org": "acme"}, content="short", metadata={}),
        answer({"results": [STORED]}, 201),
        "POST",
        "/v1/publish",
        {"memory_ids": ["m1"], "to": "org/acme", "content": "short", "metadata": {}},
    ),
    Case(
        "check",
        lambda c: c.check("write", Q3),
        answer(DECISION),
        "POST",
        "/v1/check",
        {"action": "write", "scope": Q3},
    ),
    Case(
        "check for another",
        lambda c: c.check("read", {"org": "acme"}, "agent:writer"),
        answer(DECISION),
        "POST",
        "/v1/check",
        {"action": "read", "scope": "org/acme", "principal": "agent:writer"},
    ),
    Case(
        "open a session",
        lambda c: c.sessions.create(scope={"org": "acme", "project": "q3"}, metadata={"run": "a"}),
        answer(SESSION, 201),
        "POST",
        "/v1/sessions",
        {"scope": Q3, "metadata": {"run": "a"}},
    ),
    Case("list holds", lambda c: c.holds.list(), answer(page(HOLD)), "GET", "/v1/holds"),
    Case(
        "list decided holds",
        lambda c: c.holds.list(state="rejected", limit=5, cursor="c"),
        answer(page(HOLD)),
        "GET",
        "/v1/holds",
        params={"state": "rejected", "limit": "5", "cursor": "c"},
    ),
    Case("get a hold", lambda c: c.holds.get("h1"), answer(HOLD), "GET", "/v1/holds/h1"),
    Case(
        "approve",
        lambda c: c.holds.approve("h1", redact=True),
        answer(STORED),
        "POST",
        "/v1/holds/h1/approve",
        {"redact": True},
    ),
    Case(
        "reject",
        lambda c: c.holds.reject("h1", reason="a name"),
        answer(HOLD),
        "POST",
        "/v1/holds/h1/reject",
        {"reason": "a name"},
    ),
    Case(
        "create a key",
        lambda c: c.keys.create("agent:writer", floor={"org": "acme"}, read_only=True, expires_in_s=60, note="laptop"),
        answer(NEW_KEY, 201),
        "POST",
        "/v1/admin/keys",
        {"principal": "agent:writer", "floor": "org/acme", "read_only": True, "expires_in_s": 60, "note": "laptop"},
    ),
    Case("list keys", lambda c: c.keys.list(), answer(page(KEY_ANSWER)), "GET", "/v1/admin/keys"),
    Case(
        "rotate a key",
        lambda c: c.keys.rotate("k2", overlap_s=0),
        answer(NEW_KEY, 201),
        "POST",
        "/v1/admin/keys/k2/rotate",
        {"overlap_s": 0},
    ),
    Case("revoke a key", lambda c: c.keys.revoke("k2"), nothing(), "DELETE", "/v1/admin/keys/k2"),
]

IN_A_SESSION = [
    Case(
        "remember",
        lambda s: s.remember(content="a note", memory_category="context", metadata={"run": "a"}),
        answer(STORED, 201),
        "POST",
        "/v1/memories",
        {"session_id": "s1", "content": "a note", "category": "context", "metadata": {"run": "a"}},
    ),
    Case(
        "remember many",
        lambda s: s.remember_many([{"content": "one"}, {"content": "two", "scope": "org/acme"}]),
        answer({"results": [STORED, STORED]}),
        "POST",
        "/v1/memories/batch",
        {"memories": [{"session_id": "s1", "content": "one"}, {"scope": "org/acme", "content": "two"}]},
    ),
    Case(
        "recall",
        lambda s: s.recall(query="articles", top_k=3, metadata={"run": "a"}),
        answer(RECALL),
        "POST",
        "/v1/recall",
        {"session_id": "s1", "query": "articles", "top_k": 3, "metadata": {"run": "a"}},
    ),
    Case(
        "list",
        lambda s: s.list(limit=2, author="agent:writer"),
        answer(page(MEMORY)),
        "GET",
        "/v1/memories",
        params={"session_id": "s1", "limit": "2", "author": "agent:writer"},
    ),
    Case("get", lambda s: s.get("m1"), answer(MEMORY), "GET", "/v1/memories/m1"),
    Case("forget", lambda s: s.forget("m1"), nothing(), "DELETE", "/v1/memories/m1"),
    Case(
        "publish",
        lambda s: s.publish(["m1"], to=Q3),
        answer({"results": [STORED]}, 201),
        "POST",
        "/v1/publish",
        {"memory_ids": ["m1"], "to": Q3},
    ),
    Case("close", lambda s: s.close(), nothing(), "DELETE", "/v1/sessions/s1"),
]

WITH_IDEMPOTENCY_KEY = {("POST", "/v1/memories"), ("POST", "/v1/memories/batch"), ("POST", "/v1/publish")}

# The security team's side: the command line has it, agents' code does not.
LEFT_TO_THE_COMMAND_LINE = {
    "GET /v1/admin/policy",
    "POST /v1/admin/policy/reload",
    "GET /v1/admin/policy/shadow",
    "POST /v1/admin/policy/shadow",
    "DELETE /v1/admin/policy/shadow",
    "GET /v1/admin/audit",
}


def _matches(request, case):
    assert request.method == case.method
    assert request.url.raw_path.decode().partition("?")[0] == case.path
    assert dict(request.url.params) == dict(case.params)
    assert (json.loads(request.content) if request.content else None) == case.body
    assert request.headers["Authorization"] == "Bearer sg_k1_topsecret"
    assert ("Idempotency-Key" in request.headers) == ((case.method, case.path) in WITH_IDEMPOTENCY_KEY)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_an_operation_sends_what_the_contract_says(face, case):
    face.will(case.reply)
    await face.call(case.operation)
    [request] = face.requests
    _matches(request, case)


@pytest.mark.parametrize("case", IN_A_SESSION, ids=lambda case: case.name)
async def test_a_session_sends_its_id_in_place_of_a_scope(face, case):
    face.will(answer(SESSION, 201), case.reply)
    session = await face.call(lambda client: client.sessions.create("org/acme/project/q3"))
    await face.settle(case.operation(session))
    _matches(face.requests[1], case)


async def test_two_writes_have_two_idempotency_keys(face):
    face.will(answer(STORED, 201), answer(STORED, 201))
    for _ in range(2):
        await face.call(lambda client: client.remember("a note", scope="org/acme"))
    first, second = (request.headers["Idempotency-Key"] for request in face.requests)
    assert first != second
    assert all(0 < len(key) <= 128 and key.isascii() and key.isprintable() for key in (first, second))


async def test_a_base_url_may_have_a_path(face):
    face.client = face.open("http://gateway.test/memory/")
    face.will(answer(WHOAMI))
    await face.call(lambda client: client.whoami())
    assert str(face.requests[0].url) == "http://gateway.test/memory/v1/whoami"


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (lambda c: c.recall("q", scope={"org": "acme/project/q3"}), "cannot be part of a scope"),
        (lambda c: c.recall("q", scope={"org": ""}), "cannot be part of a scope"),
        (lambda c: c.recall("q", scope="org/acme", since=datetime(2026, 1, 1)), "no time zone"),  # noqa: DTZ001 (the mistake)
        (lambda c: c.get(""), "not an id"),
        (lambda c: c.forget(".."), "not an id"),
        (lambda c: c.remember_many([{"content": "one"}]), "no scope"),
    ],
)
async def test_what_would_be_read_as_something_else_is_not_sent(face, operation, message):
    with pytest.raises(ValueError, match=message):
        await face.call(operation)
    assert face.requests == []


@pytest.mark.parametrize(
    "operation",
    [
        lambda c: c.remember("a", scope="org/acme", category="context"),
        lambda c: c.remember_many([{"content": "a", "tags": {}}], scope="org/acme"),
        lambda c: c.recall("a", scope="org/acme", filter={}),
        lambda c: c.list(scope="org/acme", top_k=1),
    ],
)
async def test_an_unknown_argument_is_an_error(face, operation):
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        await face.call(operation)
    assert face.requests == []


def test_every_documented_route_has_an_operation():
    text = (Path(__file__).parents[3] / "docs" / "http.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `((?:GET|POST|DELETE) /v1/[^`]*)`", text, re.MULTILINE))
    exercised = {
        f"{case.method} {re.sub(r'/(m1|h1|k2|s1)(?=/|$)', '/{id}', case.path)}"
        for case in [*CASES, *IN_A_SESSION]
        if "odd" not in case.name
    }
    assert exercised == documented - LEFT_TO_THE_COMMAND_LINE
