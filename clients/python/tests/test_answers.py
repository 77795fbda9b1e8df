"""How answers are read."""

from datetime import UTC, datetime

import pytest
from scopegate import Conflict, Finding, Held, NewKey, Refused, Stored, UnexpectedAnswer

from .samples import (
    DECISION,
    HELD,
    HOLD,
    KEY_ANSWER,
    MEMORY,
    NEW_KEY,
    RECALL,
    STORED,
    WHOAMI,
    answer,
    page,
)

TEN = datetime(2026, 11, 22, 10, tzinfo=UTC)
PERSON = Finding("PERSON", "content", 0, 8, 0.85)


def _remember(client):
    return client.remember("a note", scope="org/acme")


async def test_a_stored_outcome(face):
    face.will(answer({**STORED, "verdict": "redact", "findings": [{**HELD["findings"][0], "new": 1}]}, 201))
    assert await face.call(_remember) == Stored("m1", "org/acme/project/q3", "redact", (PERSON,), TEN)


async def test_a_held_outcome(face):
    face.will(answer(HELD, 202))
    outcome = await face.call(_remember)
    assert outcome == Held("h1", "org/acme/project/q3", "hold", (PERSON,))
    assert outcome.held
    assert not Stored.held


async def test_a_publish_gives_one_outcome_for_each(face):
    face.will(answer({"results": [STORED, HELD]}, 202))
    outcomes = await face.call(lambda client: client.publish(["m1", "m2"], to="org/acme"))
    assert [outcome.held for outcome in outcomes] == [False, True]


async def test_a_batch_tells_what_was_refused(face):
    refused = {"status": "refused", "problem": {"code": "conflict", "status": 409, "detail": "no"}}
    face.will(answer({"results": [STORED, refused]}))
    stored, refusal = await face.call(lambda client: client.remember_many([{"content": "a"}], scope="org/acme"))
    assert isinstance(stored, Stored)
    assert isinstance(refusal, Refused)
    assert isinstance(refusal.error, Conflict)
    assert (refusal.error.status, refusal.error.detail) == (409, "no")


async def test_a_recall_is_its_items(face):
    face.will(answer(RECALL))
    recall = await face.call(lambda client: client.recall("articles", scope="org/acme"))
    [item] = recall
    assert (item.content, item.score, item.scope) == ("Found 3 relevant articles.", 0.75, "org/acme/project/q3")
    assert (item.category, item.metadata, item.created_at) == ("knowledge", {"run": "a"}, TEN)
    assert (item.provenance.principal, item.provenance.derived_from) == ("agent:researcher", ("m0",))
    assert recall.formatted == "- Found 3 relevant articles."


async def test_a_recall_without_items_is_false(face):
    face.will(answer({"items": [], "formatted": ""}))
    assert not await face.call(lambda client: client.recall("articles", scope="org/acme"))


async def test_a_page_knows_where_the_next_one_begins(face):
    face.will(answer({"items": [MEMORY], "next_cursor": "c2"}))
    memories = await face.call(lambda client: client.list(scope="org/acme"))
    assert [memory.id for memory in memories] == ["m1"]
    assert (len(memories), memories.next_cursor) == (1, "c2")


@pytest.mark.parametrize(("allowed", "expected"), [(True, True), (False, False), ("false", False)])
async def test_a_decision_is_true_only_when_allowed(face, allowed, expected):
    face.will(answer({**DECISION, "allowed": allowed}))
    decision = await face.call(lambda client: client.check("write", "org/acme"))
    assert bool(decision) is expected
    assert decision.reason == "no line allows it"
    assert decision.considered[0].line == "policy.csv:9"


@pytest.mark.parametrize("actions", [["read", "write"], "read|write"])
async def test_an_identity(face, actions):
    face.will(answer({**WHOAMI, "grants": [{**WHOAMI["grants"][0], "actions": actions}]}))
    identity = await face.call(lambda client: client.whoami())
    assert (identity.principal, identity.floor, identity.roles) == (
        "agent:researcher",
        "org/acme",
        ("role:researcher",),
    )
    assert identity.grants[0].actions == ("read", "write")


async def test_a_hold_shows_its_content_to_reviewers_only(face):
    face.will(answer(HOLD), answer({**HOLD, "content": "Ana said", "metadata": {}, "state": "approved"}))
    own = await face.call(lambda client: client.holds.get("h1"))
    reviewed = await face.call(lambda client: client.holds.get("h1"))
    assert (own.content, own.findings) == (None, (PERSON,))
    assert (reviewed.content, reviewed.state) == ("Ana said", "approved")


async def test_a_new_key_shows_its_text_to_those_who_ask_only(face):
    face.will(answer(NEW_KEY, 201), answer(page(KEY_ANSWER)))
    made = await face.call(lambda client: client.keys.create("agent:writer"))
    [listed] = await face.call(lambda client: client.keys.list())
    assert isinstance(made, NewKey)
    assert made.key == "sg_k2_anothersecret"
    assert "anothersecret" not in repr(made)
    assert (listed.id, listed.note, listed.last_used_at) == ("k2", "laptop", None)


async def test_fields_of_a_newer_gateway_are_passed_over(face):
    newer = {**MEMORY, "importance": 1, "provenance": {**MEMORY["provenance"], "model": "x"}}
    face.will(answer(newer))
    assert (await face.call(lambda client: client.get("m1"))).id == "m1"


async def test_answers_do_not_change(face):
    face.will(answer(STORED, 201))
    outcome = await face.call(_remember)
    with pytest.raises(AttributeError):
        outcome.verdict = "pass"


@pytest.mark.parametrize("body", [{}, [], "stored", None, {**STORED, "created_at": "yesterday"}])
async def test_an_answer_of_another_shape_is_not_taken_for_one(face, body):
    face.will(answer(body, 201))
    with pytest.raises(UnexpectedAnswer, match="is its URL right") as caught:
        await face.call(_remember)
    assert (caught.value.status, caught.value.request_id) == (201, "r9")
