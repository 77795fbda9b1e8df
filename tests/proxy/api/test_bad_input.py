"""What is not spelled exactly is refused, by the same kind of answer that names the field, and nothing is stored."""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import httpx
import pytest

from proxy.audit.log import AuditQuery, Recorded, find
from proxy.authenticate.keyring import KeyRing
from proxy.database import Database
from tests.proxy.api.rig import Rig, refused
from tests.world import NOTES, SHARED, World, open_world

pytestmark = pytest.mark.anyio

ID = "0199aaaa-0000-7000-8000-000000000000"
OTHER_ID = "0199aaaa-0000-7000-8000-000000000001"
NOTE = {"scope": NOTES, "content": "a note"}
QUERY = {"scope": NOTES, "query": "notes"}
PUBLISH = {"memory_ids": [ID], "to": SHARED}
CONTENT_LIMIT, METADATA_LIMIT, BODY_LIMIT = 64 * 1024, 16 * 1024, 4 * 1024 * 1024
NINE = dict.fromkeys("abcdefghi", "x")


@dataclass
class Desk:
    """One gateway for the whole table: nothing that the table sends may change it."""

    world: World
    rig: Rig
    agent: httpx.AsyncClient
    ops: httpx.AsyncClient
    database: Database

    def audited(self, limit: int) -> list[Recorded]:
        return self.database.run_here(lambda connection: find(connection, AuditQuery(limit=limit)))


@pytest.fixture(scope="module")
async def desk(tmp_path_factory) -> AsyncIterator[Desk]:
    rig = Rig()
    async with open_world(tmp_path_factory.mktemp("world"), rig.parts) as world:
        database = Database.open(world.data)
        yield Desk(world, rig, await world.agent("agent:researcher"), await world.agent("human:ops"), database)
        database.close()


@pytest.fixture(autouse=True)
async def _nothing_stored(desk: Desk) -> AsyncIterator[None]:
    before = {entry.sequence for entry in desk.audited(1)}
    yield
    assert await desk.rig.scopes() == frozenset()
    listed = await desk.agent.get("/v1/memories", params={"scope": NOTES})
    assert (listed.status_code, listed.json()["items"]) == (200, [])
    # The listing above aside: what is malformed is no decision, and nothing was allowed.
    new = [entry.as_dict() for entry in desk.audited(50) if entry.sequence > max(before, default=0)]
    assert [entry["operation"] for entry in new if entry["outcome"] == "allow"] == ["list"]


# Bodies

BAD_SCOPES = {
    "a number": 5,
    "a list": ["org", "acme"],
    "a boolean": True,
    "an empty path": "",
    "a path with half a term": "org/acme/project",
    "a path with an empty value": "org//project/q3",
    "a path that begins with a slash": "/org/acme",
    "a path that ends with a slash": "org/acme/",
    "a path with a blank": "org/acme /project/q3",
    "a path with dots": "org/../project/q3",
    "a path with a pattern": "org/*",
    "a path with self": "org/acme/agent/{self}",
    "a path with a dimension twice": "org/acme/org/other",
    "a path in capitals": "Org/acme",
    "a path with a look-alike dimension": "оrg/acme",
    "a path with a look-alike value": "org/аcme",
    "a path with full-width letters": "org/ａｃｍｅ",
    "a path with a line break": "org/acme\n",
    "a path of nine terms": "/".join(f"{dimension}/x" for dimension in NINE),
    "a path with a long value": "org/" + "x" * 129,
    "a path with a long dimension": "o" * 33 + "/x",
    "an object with an empty value": {"org": ""},
    "an object with an empty dimension": {"": "acme"},
    "an object with a number": {"org": 5},
    "an object with null": {"org": None},
    "an object in an object": {"org": {"name": "acme"}},
    "an object with a slash": {"org": "acme/project/q3"},
    "an object with a look-alike dimension": {"оrg": "acme"},
    "an object with a look-alike value": {"org": "аcme"},
    "an object of nine terms": NINE,
}

BAD_MOMENTS = {
    "naive": "2026-11-22T10:00:00",
    "a date": "2026-11-22",
    "without T": "2026-11-22 10:00:00Z",
    "without seconds": "2026-11-22T10:00Z",
    "a number": 1795341600,
    "a number as text": "1795341600",
    "a fraction": 1795341600.5,
    "a boolean": True,
    "empty": "",
    "words": "yesterday",
    "month 13": "2026-13-01T00:00:00Z",
    "30 February": "2026-02-30T00:00:00Z",
    "hour 25": "2026-11-22T25:00:00Z",
    "year 10000": "10000-01-01T00:00:00Z",
    "before the first year": "0001-01-01T00:00:00+14:00",
    "after the last year": "9999-12-31T23:59:59-14:00",
    "an offset of days": "2026-11-22T10:00:00+99:00",
    "other digits": "２０２６-11-22T10:00:00Z",
}


def bodies() -> dict[str, tuple[str, object, set[str]]]:
    """What is wrong: the path, the body, the fields that the answer must name."""
    remember, batch, recall, publish = "/v1/memories", "/v1/memories/batch", "/v1/recall", "/v1/publish"
    sessions, check, keys = "/v1/sessions", "/v1/check", "/v1/admin/keys"
    deep = {"a": {"b": {"c": {"d": {"e": 1}}}}}
    table: dict[str, tuple[str, object, set[str]]] = {
        "remember: nothing": (remember, {}, {"content"}),
        "remember: no place": (remember, {"content": "x"}, {"scope"}),
        "remember: two places": (remember, {**NOTE, "session_id": ID}, {"scope"}),
        "remember: null for a scope": (remember, {**NOTE, "scope": None}, {"scope"}),
        "remember: no content": (remember, {"scope": NOTES}, {"content"}),
        "remember: null content": (remember, {**NOTE, "content": None}, {"content"}),
        "remember: a number as content": (remember, {**NOTE, "content": 5}, {"content"}),
        "remember: a list as content": (remember, {**NOTE, "content": ["x"]}, {"content"}),
        "remember: empty content": (remember, {**NOTE, "content": ""}, {"content"}),
        "remember: blank content": (remember, {**NOTE, "content": " \n\u2003"}, {"content"}),
        "remember: content over the limit": (
            remember,
            {**NOTE, "content": "ü" * (CONTENT_LIMIT // 2 + 1)},
            {"content"},
        ),
        "remember: an unknown field": (remember, {**NOTE, "contnet": "x"}, {"contnet"}),
        "remember: provenance": (remember, {**NOTE, "provenance": {"principal": "human:ceo"}}, {"provenance"}),
        "remember: an id of its own": (
            remember,
            {**NOTE, "id": ID, "created_at": "2026-11-22T10:00:00Z"},
            {"id", "created_at"},
        ),
        "remember: several mistakes": (
            remember,
            {"scope": 5, "content": 5, "category": 5, "x": 5},
            {"scope", "content", "category", "x"},
        ),
        "remember: an unknown category": (remember, {**NOTE, "category": "Episodic"}, {"category"}),
        "remember: null for a category": (remember, {**NOTE, "category": None}, {"category"}),
        "remember: a bad session": (remember, {"session_id": "me", "content": "x"}, {"session_id"}),
        "remember: a session in capitals": (remember, {"session_id": ID.upper(), "content": "x"}, {"session_id"}),
        "remember: metadata as text": (remember, {**NOTE, "metadata": "{}"}, {"metadata"}),
        "remember: metadata as a list": (remember, {**NOTE, "metadata": [1]}, {"metadata"}),
        "remember: null metadata": (remember, {**NOTE, "metadata": None}, {"metadata"}),
        "remember: deep metadata": (remember, {**NOTE, "metadata": deep}, {"metadata"}),
        "remember: large metadata": (remember, {**NOTE, "metadata": {"k": "x" * METADATA_LIMIT}}, {"metadata"}),
        "batch: nothing": (batch, {}, {"memories"}),
        "batch: an empty list": (batch, {"memories": []}, {"memories"}),
        "batch: 1,001": (batch, {"memories": [NOTE] * 1_001}, {"memories"}),
        "batch: an object": (batch, {"memories": NOTE}, {"memories"}),
        "batch: an item that is none": (batch, {"memories": [NOTE, "x"]}, {"memories[1]"}),
        "batch: an item without a place": (batch, {"memories": [NOTE, {"content": "x"}]}, {"memories[1].scope"}),
        "batch: an item with an unknown field": (
            batch,
            {"memories": [NOTE, NOTE, {**NOTE, "x": 1}]},
            {"memories[2].x"},
        ),
        "batch: an item without content": (
            batch,
            {"memories": [NOTE, {**NOTE, "content": " "}]},
            {"memories[1].content"},
        ),
        "batch: an item over the limit": (
            batch,
            {"memories": [NOTE, {**NOTE, "content": "x" * (CONTENT_LIMIT + 1), "metadata": deep}]},
            {"memories[1].content", "memories[1].metadata"},
        ),
        "recall: no query": (recall, {"scope": NOTES}, {"query"}),
        "recall: an empty query": (recall, {**QUERY, "query": ""}, {"query"}),
        "recall: a long query": (recall, {**QUERY, "query": "x" * 8_193}, {"query"}),
        "recall: no place": (recall, {"query": "x"}, {"scope"}),
        "recall: two places": (recall, {**QUERY, "session_id": ID}, {"scope"}),
        "recall: an unknown field": (recall, {**QUERY, "limit": 5}, {"limit"}),
        "recall: an unknown direction": (recall, {**QUERY, "direction": "up"}, {"direction"}),
        "recall: an unknown category": (recall, {**QUERY, "category": "all"}, {"category"}),
        "recall: a role as author": (recall, {**QUERY, "author": "role:researcher"}, {"author"}),
        "recall: a bare name as author": (recall, {**QUERY, "author": "researcher"}, {"author"}),
        "recall: a number as author": (recall, {**QUERY, "author": 5}, {"author"}),
        "recall: a look-alike author": (recall, {**QUERY, "author": "agent:rеsearcher"}, {"author"}),
        "recall: a filter by a list": (recall, {**QUERY, "metadata": {"k": [1]}}, {"metadata.k"}),
        "recall: a filter by an object": (recall, {**QUERY, "metadata": {"a": 1, "k": {}}}, {"metadata.k"}),
        "recall: nine filters": (recall, {**QUERY, "metadata": NINE}, {"metadata"}),
        "publish: nothing": (publish, {}, {"memory_ids", "to"}),
        "publish: no ids": (publish, {**PUBLISH, "memory_ids": []}, {"memory_ids"}),
        "publish: 101 ids": (
            publish,
            {**PUBLISH, "memory_ids": [f"{ID[:-3]}{n:03}" for n in range(101)]},
            {"memory_ids"},
        ),
        "publish: an id twice": (publish, {**PUBLISH, "memory_ids": [ID, OTHER_ID, ID]}, {"memory_ids"}),
        "publish: an id that is none": (publish, {**PUBLISH, "memory_ids": [ID, "x"]}, {"memory_ids[1]"}),
        "publish: a number as id": (publish, {**PUBLISH, "memory_ids": [5]}, {"memory_ids[0]"}),
        "publish: one id as text": (publish, {**PUBLISH, "memory_ids": ID}, {"memory_ids"}),
        "publish: a session to go to": (publish, {"memory_ids": [ID], "session_id": ID}, {"to", "session_id"}),
        "sessions: no scope": (sessions, {}, {"scope"}),
        "sessions: deep metadata": (sessions, {"scope": NOTES, "metadata": deep}, {"metadata"}),
        "sessions: large metadata": (sessions, {"scope": NOTES, "metadata": {"k": "x" * METADATA_LIMIT}}, {"metadata"}),
        "check: nothing": (check, {}, {"action", "scope"}),
        "check: an unknown action": (check, {"scope": NOTES, "action": "delete"}, {"action"}),
        "check: all actions": (check, {"scope": NOTES, "action": "*"}, {"action"}),
        "check: a role": (check, {"scope": NOTES, "action": "read", "principal": "role:reader"}, {"principal"}),
        "keys: nobody": (keys, {}, {"principal"}),
        "keys: a role": (keys, {"principal": "role:operator"}, {"principal"}),
        "keys: a bad name": (keys, {"principal": "agent:a b"}, {"principal"}),
        "keys: already over": (keys, {"principal": "agent:a", "expires_in_s": 0}, {"expires_in_s"}),
        "keys: for ever and a day": (keys, {"principal": "agent:a", "expires_in_s": 10**30}, {"expires_in_s"}),
        "keys: a life as text": (keys, {"principal": "agent:a", "expires_in_s": "60"}, {"expires_in_s"}),
        "keys: a flag as text": (keys, {"principal": "agent:a", "read_only": "true"}, {"read_only"}),
        "keys: a flag as a number": (keys, {"principal": "agent:a", "read_only": 1}, {"read_only"}),
        "keys: a long note": (keys, {"principal": "agent:a", "note": "x" * 501}, {"note"}),
        "keys: a key of its own": (keys, {"principal": "agent:a", "key": "sg_x"}, {"key"}),
        "keys: a negative overlap": (f"{keys}/abcdefghij12/rotate", {"overlap_s": -1}, {"overlap_s"}),
        "holds: a word for redact": (f"/v1/holds/{ID}/approve", {"redact": "yes"}, {"redact"}),
        "holds: a long reason": (f"/v1/holds/{ID}/reject", {"reason": "x" * 501}, {"reason"}),
        "holds: an unknown field": (f"/v1/holds/{ID}/approve", {"content": "mine"}, {"content"}),
        "reload: a wish": ("/v1/admin/policy/reload", {"folder": "/etc"}, {"folder"}),
    }
    top_ks: Sequence[object] = (0, -1, 101, 10**30, "5", True, 1.5, 5.0, None, [5])
    table |= {f"recall: top_k {top_k!r}": (recall, {**QUERY, "top_k": top_k}, {"top_k"}) for top_k in top_ks}
    for what, moment in BAD_MOMENTS.items():
        table[f"remember: a time {what}"] = (remember, {**NOTE, "valid_from": moment}, {"valid_from"})
        table[f"recall: a time {what}"] = (recall, {**QUERY, "since": moment, "until": moment}, {"since", "until"})
    for what, scope in BAD_SCOPES.items():
        table[f"remember: {what}"] = (remember, {**NOTE, "scope": scope}, {"scope"})
        table[f"publish: {what}"] = (publish, {**PUBLISH, "to": scope}, {"to"})
        table[f"keys: {what}"] = (keys, {"principal": "agent:a", "floor": scope}, {"floor"})
    return table


BODIES = bodies()


@pytest.mark.parametrize(("path", "body", "fields"), BODIES.values(), ids=BODIES)
async def test_a_bad_body_is_refused_by_field(desk: Desk, path: str, body: object, fields: set[str]) -> None:
    client = desk.ops if path.startswith("/v1/admin") else desk.agent
    problem = refused(await client.post(path, json=body), 422, "invalid", fields)
    assert problem["instance"] == path
    assert all(message["message"] for message in problem["errors"])


NOTE_TEXT = json.dumps(NOTE)

TEXTS: dict[str, tuple[bytes, set[str]]] = {
    "no JSON": (b"{", {"body"}),
    "a word": (b"remember", {"body"}),
    "two values": (b"{} {}", {"body"}),
    "a comment": (b"{} // note", {"body"}),
    "a comma at the end": (b'{"content": "x",}', {"body"}),
    "single quotes": (b"{'content': 'x'}", {"body"}),
    "a list": (b"[]", {"body"}),
    "a string": (b'"x"', {"body"}),
    "a number": (b"5", {"body"}),
    "null": (b"null", {"body"}),
    "white space": (b"  ", {"body"}),
    "bytes that are not UTF-8": (b'{"content": "caf\xe9"}', {"body"}),
    "UTF-16": (NOTE_TEXT.encode("utf-16"), {"body"}),
    "a byte order mark": (b"\xef\xbb\xbf" + NOTE_TEXT.encode(), {"body"}),
    "an overlong NUL": (b'{"content": "\xc0\x80"}', {"body"}),
    "a surrogate in UTF-8": (b'{"content": "\xed\xa0\x80"}', {"body"}),
    "a bare control character": (b'{"content": "a\x01"}', {"body"}),
    "a form": (b"scope=org/acme&content=x", {"body"}),
    "NaN": (b'{"content": NaN}', {"body"}),
    "Infinity": (b'{"metadata": {"k": Infinity}}', {"body"}),
    "a key twice": (b'{"content": "a", "content": "b"}', {"body"}),
    "a key twice, once escaped": (b'{"content": "a", "c\\u006fntent": "b"}', {"body"}),
    "a dimension twice": (b'{"content": "a", "scope": {"org": "acme", "org": "other"}}', {"body"}),
    "a deep key twice": (b'{"content": "a", "metadata": {"k": [{"a": 1, "a": 2}]}}', {"body"}),
    "a number of 5,000 digits": (b'{"content": ' + b"9" * 5_000 + b"}", {"body"}),
    "a nesting of 100,000 lists": (b"[" * 100_000, {"body"}),
    "a closed nesting of 100,000 lists": (b'{"metadata": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", {"body"}),
    "a nesting of 500 objects": (b'{"a":' * 500 + b"1" + b"}" * 500, {".".join(["a"] * 33)}),
    "a number beyond all": (NOTE_TEXT[:-1].encode() + b', "metadata": {"a": [0, 1e400]}}', {"metadata.a[1]"}),
    "a number below all": (NOTE_TEXT[:-1].encode() + b', "metadata": {"a": -1e400}}', {"metadata.a"}),
    "a NUL in content": (b'{"scope": "org/acme", "content": "a\\u0000b"}', {"content"}),
    "a NUL in metadata": (NOTE_TEXT[:-1].encode() + b', "metadata": {"a": {"b": ["\\u0000"]}}}', {"metadata.a.b[0]"}),
    "a NUL in a key": (NOTE_TEXT[:-1].encode() + b', "metadata": {"ok": 1, "\\u0000": 1}}', {"metadata.#1"}),
    "half a pair in content": (b'{"scope": "org/acme", "content": "\\ud83d"}', {"content"}),
    "the other half": (b'{"scope": "org/acme", "content": "x\\ude00y"}', {"content"}),
    "the halves in wrong order": (b'{"scope": "org/acme", "content": "\\ude00\\ud83d"}', {"content"}),
    "half a pair in a key": (NOTE_TEXT[:-1].encode() + b', "metadata": {"\\ud83d": 1}}', {"metadata.#0"}),
    "half a pair in an unknown field": (NOTE_TEXT[:-1].encode() + b', "\\ud83d": 1}', {"#2"}),
    "half a pair in a scope": (b'{"scope": {"org": "\\ud83d"}, "content": "x"}', {"scope.org"}),
}


@pytest.mark.parametrize(("text", "fields"), TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("keyed", [False, True], ids=["", "with an idempotency key"])
async def test_what_is_no_strict_json_is_refused(desk: Desk, text: bytes, fields: set[str], keyed: bool) -> None:
    headers = {"Idempotency-Key": "k"} if keyed else {}
    answer = await desk.agent.post("/v1/memories", content=text, headers=headers)
    refused(answer, 422, "invalid", fields)


async def test_a_body_of_too_many_mistakes_gets_an_answer_of_bounded_size(desk: Desk) -> None:
    answer = await desk.agent.post("/v1/memories", json={**NOTE, **{f"field{n}": 1 for n in range(5_000)}})
    assert len(answer.json()["errors"]) == 50
    assert len(answer.content) < 10_000


async def test_a_mistake_repeats_no_value(desk: Desk) -> None:
    body = {"scope": NOTES, "content": 5, "metadata": "hunter2", "category": "hunter2", "valid_from": "hunter2"}
    answer = await desk.agent.post("/v1/memories", json=body)
    refused(answer, 422, "invalid", {"content", "metadata", "category", "valid_from"})
    assert "hunter2" not in answer.text


# Sizes


async def _chunks(total: int, sent: list[int] | None = None) -> AsyncIterator[bytes]:
    for start in range(0, total, 65_536):
        piece = b" " * min(65_536, total - start)
        if sent is not None:
            sent.append(len(piece))
        yield piece


@pytest.mark.parametrize("path", ["/v1/memories", "/v1/memories/batch", "/v1/recall", "/v1/check", "/v1/publish"])
@pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
async def test_a_body_over_the_limit_is_refused(desk: Desk, path: str, chunked: bool) -> None:
    content = _chunks(BODY_LIMIT + 1) if chunked else b" " * (BODY_LIMIT + 1)
    answer = await desk.agent.post(path, content=content, headers={"Idempotency-Key": "large"})
    problem = refused(answer, 413, "too-large")
    assert str(BODY_LIMIT) in problem["detail"]


async def test_a_body_that_lies_about_its_length_is_refused_all_the_same(desk: Desk) -> None:
    for declared in ("5", "0" * 30 + "5", "²"):
        request = desk.agent.build_request("POST", "/v1/memories", content=b" " * (BODY_LIMIT + 1))
        raw = [pair for pair in request.headers.raw if pair[0].lower() != b"content-length"]
        request.headers = httpx.Headers([*raw, (b"Content-Length", declared.encode("latin-1"))])
        refused(await desk.agent.send(request), 413, "too-large")


async def test_a_declared_length_over_the_limit_is_refused_unread(desk: Desk) -> None:
    sent: list[int] = []
    request = desk.agent.build_request("POST", "/v1/memories", content=_chunks(BODY_LIMIT, sent))
    request.headers["Content-Length"] = "9" * 40
    refused(await desk.agent.send(request), 413, "too-large")
    assert sent == []


async def test_a_body_at_the_limit_is_read(desk: Desk) -> None:
    answer = await desk.agent.post("/v1/memories", content=b"{}" + b" " * (BODY_LIMIT - 2))
    refused(answer, 422, "invalid", {"content"})


async def test_a_client_that_leaves_amid_its_body_is_no_failure_of_the_gateway(desk: Desk, capsys) -> None:
    messages = [{"type": "http.request", "body": b'{"content": ', "more_body": True}, {"type": "http.disconnect"}]
    answers = []

    async def receive() -> dict[str, object]:
        return messages.pop(0)

    async def send(message: dict[str, object]) -> None:
        answers.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/memories",
        "query_string": b"",
        "headers": [(b"authorization", desk.agent.headers["Authorization"].encode())],
    }
    await desk.world.app.asgi(scope, receive, send)
    assert answers[0]["status"] == 422
    assert "request failed" not in capsys.readouterr().out


# Parameters

QUERIES: dict[str, tuple[str, str, set[str]]] = {
    "no place": ("/v1/memories", "", {"scope"}),
    "two places": ("/v1/memories", f"scope={NOTES}&session_id={ID}", {"scope"}),
    "an unknown parameter": ("/v1/memories", f"scope={NOTES}&top_k=5", {"top_k"}),
    "a parameter twice": ("/v1/memories", f"scope={NOTES}&scope={SHARED}", {"scope"}),
    "a parameter twice alike": ("/v1/memories", f"scope={NOTES}&limit=5&limit=5", {"limit"}),
    "a bad scope": ("/v1/memories", "scope=org", {"scope"}),
    "an object as scope": ("/v1/memories", "scope=%7B%22org%22%3A%22acme%22%7D", {"scope"}),
    "an empty scope": ("/v1/memories", "scope=", {"scope"}),
    "a limit of 0": ("/v1/memories", f"scope={NOTES}&limit=0", {"limit"}),
    "a limit of 101": ("/v1/memories", f"scope={NOTES}&limit=101", {"limit"}),
    "a limit in words": ("/v1/memories", f"scope={NOTES}&limit=ten", {"limit"}),
    "a limit with a fraction": ("/v1/memories", f"scope={NOTES}&limit=1.5", {"limit"}),
    "a limit without end": ("/v1/memories", f"scope={NOTES}&limit={'9' * 5000}", {"limit"}),
    "a bad cursor": ("/v1/memories", f"scope={NOTES}&cursor=5", {"cursor"}),
    "a bad direction": ("/v1/memories", f"scope={NOTES}&direction=down", {"direction"}),
    "a bad category": ("/v1/memories", f"scope={NOTES}&category=x", {"category"}),
    "a naive time": ("/v1/memories", f"scope={NOTES}&since=2026-11-22T10:00:00", {"since"}),
    "a time as a number": ("/v1/memories", f"scope={NOTES}&until=1795341600", {"until"}),
    "a time whose plus was not escaped": ("/v1/memories", f"scope={NOTES}&since=2026-11-22T10:00:00+00:00", {"since"}),
    "metadata that is no JSON": ("/v1/memories", f"scope={NOTES}&metadata=x", {"metadata"}),
    "metadata that is no object": ("/v1/memories", f"scope={NOTES}&metadata=5", {"metadata"}),
    "metadata with a key twice": ("/v1/memories", f'scope={NOTES}&metadata={{"a":1,"a":2}}', {"metadata"}),
    "metadata by a list": ("/v1/memories", f'scope={NOTES}&metadata={{"a":[1]}}', {"metadata.a"}),
    "metadata with a NUL": ("/v1/memories", f'scope={NOTES}&metadata={{"a":"\\u0000"}}', {"metadata.a"}),
    "metadata beyond all": ("/v1/memories", f'scope={NOTES}&metadata={{"a":1e999}}', {"metadata.a"}),
    "a NUL": ("/v1/memories", f"scope={NOTES}%00", {"scope"}),
    "bytes that are not UTF-8": ("/v1/memories", f"scope={NOTES}&author=%ff", {"author"}),
    "a name that is not UTF-8": ("/v1/memories", f"scope={NOTES}&%ff=1", {"\\ufffd"}),
    "whoami: a parameter": ("/v1/whoami", "principal=human:ops", {"principal"}),
    "get: a parameter": (f"/v1/memories/{ID}", "scope=/", {"scope"}),
    "holds: an unknown state": ("/v1/holds", "state=open", {"state"}),
    "holds: a bad cursor": ("/v1/holds", "cursor=x", {"cursor"}),
    "holds: an unknown parameter": ("/v1/holds", "scope=/", {"scope"}),
    "keys: a parameter": ("/v1/admin/keys", "principal=agent:a", {"principal"}),
    "audit: an unknown outcome": ("/v1/admin/audit", "outcome=denied", {"outcome"}),
    "audit: a role": ("/v1/admin/audit", "principal=role:x", {"principal"}),
    "audit: a cursor of 0": ("/v1/admin/audit", "cursor=0", {"cursor"}),
    "audit: a cursor beyond all": ("/v1/admin/audit", f"cursor={'9' * 25}", {"cursor"}),
    "audit: a cursor that is an id": ("/v1/admin/audit", f"cursor={ID}", {"cursor"}),
    "audit: a naive time": ("/v1/admin/audit", "since=2026-11-22", {"since"}),
    "audit: an unknown parameter": ("/v1/admin/audit", "key_id=x", {"key_id"}),
}


@pytest.mark.parametrize(("path", "query", "fields"), QUERIES.values(), ids=QUERIES)
async def test_a_bad_parameter_is_refused_by_name(desk: Desk, path: str, query: str, fields: set[str]) -> None:
    client = desk.ops if path.startswith("/v1/admin") else desk.agent
    refused(await client.get(f"{path}?{query}"), 422, "invalid", fields)


@pytest.mark.parametrize(
    "path", ["/v1/memories", "/v1/memories/batch", "/v1/recall", "/v1/publish", "/v1/sessions", "/v1/check"]
)
async def test_a_parameter_where_a_body_is_read_is_refused(desk: Desk, path: str) -> None:
    refused(await desk.agent.post(f"{path}?dry_run=true", json=NOTE), 422, "invalid", {"dry_run"})


@pytest.mark.parametrize("path", [f"/v1/memories/{ID}", f"/v1/sessions/{ID}", "/v1/admin/keys/abcdefghij12"])
async def test_a_parameter_of_a_deletion_is_refused(desk: Desk, path: str) -> None:
    refused(await desk.ops.delete(f"{path}?purge=true"), 422, "invalid", {"purge"})


@pytest.mark.parametrize("path", ["/v1/whoami", f"/v1/memories/{ID}", "/v1/holds"])
async def test_a_body_where_none_is_read_is_refused(desk: Desk, path: str) -> None:
    refused(await desk.agent.request("GET", path, json={"scope": "/"}), 422, "invalid", {"scope"})


@pytest.mark.parametrize("key", ["", "x" * 129, "ü", "tab\there"])
async def test_a_bad_idempotency_key_is_refused(desk: Desk, key: str) -> None:
    answer = await desk.agent.post("/v1/memories", json=NOTE, headers={"Idempotency-Key": key.encode("latin-1")})
    refused(answer, 422, "invalid", {"Idempotency-Key"})


# Paths


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/memories/batch"),
        ("GET", f"/v1/memories/{ID}"),
        ("GET", f"/v1/memories/{ID.upper()}"),
        ("GET", f"/v1/memories/{ID}%00"),
        ("GET", "/v1/memories/%ff"),
        ("GET", "/v1/memories/..%2f..%2fetc"),
        ("DELETE", "/v1/memories/x"),
        ("DELETE", "/v1/sessions/x"),
        ("DELETE", f"/v1/sessions/{ID}"),
        ("GET", "/v1/holds/x"),
        ("GET", f"/v1/holds/{ID}"),
        ("POST", "/v1/holds/x/approve"),
        ("POST", f"/v1/holds/{ID}/reject"),
        ("DELETE", "/v1/admin/keys/x"),
        ("DELETE", "/v1/admin/keys/%00"),
        ("POST", "/v1/admin/keys/nosuchkey000/rotate"),
    ],
)
async def test_an_id_that_names_nothing_is_not_found(desk: Desk, method: str, path: str) -> None:
    client = desk.ops if "/admin/" in path else desk.agent
    refused(await client.request(method, path), 404, "not-found")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v2/memories",
        "/v1/memories/",
        "/v1/Memories",
        "//v1/memories",
        "/v1/recall/x",
        "/metrics/",
        "/\u00e9",
        "/%ff",
        "/%00",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "BREW"])
async def test_an_unknown_path_is_not_found(desk: Desk, method: str, path: str) -> None:
    refused(await desk.agent.request(method, path), 404, "not-found")
    refused(await desk.world.client().request(method, path), 404, "not-found")


METHODS = {
    "/v1/whoami": "GET, HEAD",
    "/v1/check": "POST",
    "/v1/sessions": "POST",
    f"/v1/sessions/{ID}": "DELETE",
    "/v1/memories": "GET, HEAD, POST",
    f"/v1/memories/{ID}": "DELETE, GET, HEAD",
    "/v1/recall": "POST",
    "/v1/publish": "POST",
    "/v1/holds": "GET, HEAD",
    f"/v1/holds/{ID}": "GET, HEAD",
    f"/v1/holds/{ID}/approve": "POST",
    f"/v1/holds/{ID}/reject": "POST",
    "/v1/admin/keys": "GET, HEAD, POST",
    "/v1/admin/keys/x": "DELETE",
    "/v1/admin/keys/x/rotate": "POST",
    "/v1/admin/policy": "GET, HEAD",
    "/v1/admin/policy/reload": "POST",
    "/v1/admin/audit": "GET, HEAD",
    "/healthz": "GET, HEAD",
    "/readyz": "GET, HEAD",
    "/metrics": "GET, HEAD",
    "/openapi.json": "GET, HEAD",
}


@pytest.mark.parametrize(("path", "allowed"), METHODS.items())
async def test_a_wrong_method_gets_all_the_right_ones(desk: Desk, path: str, allowed: str) -> None:
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"} - set(allowed.split(", ")):
        answer = await desk.agent.request(method, path)
        refused(answer, 405, "method-not-allowed")
        assert answer.headers["allow"] == allowed


# Keys

SECRET = "A" * 43
AUTHORIZATIONS: dict[str, list[str]] = {
    "none": [],
    "empty": [""],
    "no scheme": ["sg_abcdefghij12_" + SECRET],
    "another scheme": ["Basic c2c6c2c="],
    "a scheme alone": ["Bearer"],
    "a scheme and a blank": ["Bearer "],
    "an unknown key": ["Bearer sg_abcdefghij12_" + SECRET],
    "a key in capitals": ["Bearer SG_ABCDEFGHIJ12_" + SECRET],
    "a short key": ["Bearer sg_abcdefghij12_" + SECRET[1:]],
    "a long key": ["Bearer sg_abcdefghij12_" + SECRET * 100],
    "a key and more": ["Bearer {key} x"],
    "a key in quotes": ['Bearer "{key}"'],
    "a key after a tab": ["Bearer\t{key}"],
    "two keys in one": ["Bearer {key}, Bearer {key}"],
    "two keys in two": ["Bearer {key}", "Bearer sg_abcdefghij12_" + SECRET],
    "a key with another secret": ["Bearer {id}" + SECRET],
    "a key of other letters": ["Bearer sg_\xe0bcdefghij12_" + SECRET],
}


@pytest.mark.parametrize("authorizations", AUTHORIZATIONS.values(), ids=AUTHORIZATIONS)
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/v1/memories"), ("GET", "/v1/whoami"), ("GET", "/v1/admin/audit")]
)
async def test_whatever_is_wrong_with_a_key_the_answer_is_the_same(
    desk: Desk, authorizations: list[str], method: str, path: str
) -> None:
    key = desk.agent.headers["Authorization"].removeprefix("Bearer ")
    shown = [text.replace("{key}", key).replace("{id}", key[:16]) for text in authorizations]
    request = desk.world.client().build_request(method, path, json=NOTE if method == "POST" else None)
    headers = [*request.headers.raw, *((b"Authorization", text.encode("latin-1")) for text in shown)]
    request.headers = httpx.Headers(headers)
    answer = await desk.world.client().send(request)
    problem = refused(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"] == 'Bearer realm="scopegate"'
    del problem["request_id"]
    assert problem == {
        "type": "urn:scopegate:error:unauthenticated",
        "code": "unauthenticated",
        "title": "A valid key is required",
        "status": 401,
        "detail": "send a valid key as: Authorization: Bearer sg_<id>_<secret>",
        "instance": path,
    }


async def test_an_expired_and_a_revoked_key_get_that_answer_too(desk: Desk) -> None:
    expired = await desk.world.agent("agent:researcher", expires_at=desk.world.clock())
    revoked = await desk.world.agent("agent:researcher")
    key_id = revoked.headers["Authorization"].split("_")[1]
    assert await KeyRing(desk.database).revoke(key_id, desk.world.clock())
    answers = [await client.post("/v1/memories", json=NOTE) for client in (expired, revoked, desk.world.client())]
    shapes = [{**refused(answer, 401, "unauthenticated"), "request_id": None} for answer in answers]
    assert shapes[0] == shapes[1] == shapes[2]


async def test_what_is_wrong_with_the_body_is_told_to_nobody_without_a_key(desk: Desk) -> None:
    refused(await desk.world.client().post("/v1/memories", content=b"\xff"), 401, "unauthenticated")
    refused(await desk.world.client().get("/v1/memories?x=1"), 401, "unauthenticated")
