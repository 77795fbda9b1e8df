"""Administration over HTTP: keys, policies and the audit log."""

from __future__ import annotations

import json
from datetime import timedelta

import httpx
import pytest

from store.scope import Scope
from tests.world import DRAFT, DRAFTS, FINDING, NOTES, SHARED, World

NO_KEY = "abcdefghijkl"
Q3 = Scope.parse(SHARED)


@pytest.fixture
async def ops(world) -> httpx.AsyncClient:
    """The operator, who administers ``/``."""
    return await world.agent("human:ops")


@pytest.fixture
async def lead(world) -> httpx.AsyncClient:
    """Someone who administers the project and what lies below it, and nothing else."""
    path = world.policies / "policy.csv"
    path.write_text(
        path.read_text() + f"p, role:q3_admin, {SHARED}/**, administer, allow\ng, human:lead, role:q3_admin\n"
    )
    await world.app.policies.reload()
    return await world.agent("human:lead")


async def create(admin: httpx.AsyncClient, **terms) -> dict:
    answer = await admin.post("/v1/admin/keys", json={"principal": "agent:writer", **terms})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def works(world: World, key: str) -> bool:
    return (await world.client(key).get("/v1/whoami")).status_code == 200


async def key_ids(admin: httpx.AsyncClient) -> list[str]:
    return [item["id"] for item in (await admin.get("/v1/admin/keys")).json()["items"]]


def alike(answer: httpx.Response, key_id: str) -> tuple[int, str]:
    return answer.status_code, answer.text.replace(answer.headers["x-request-id"], "REQUEST").replace(key_id, "KEY")


# Keys


async def test_a_created_key_is_shown_once_and_says_its_terms(world, ops) -> None:
    shown = await create(ops, floor=SHARED, read_only=True, expires_in_s=60, note="for a test")

    listed = (await ops.get("/v1/admin/keys")).json()["items"]
    [found] = [item for item in listed if item["id"] == shown["id"]]
    secret = shown["key"].split("_", 2)[2]
    assert shown["key"].startswith(f"sg_{shown['id']}_")
    assert {name: shown[name] for name in ("principal", "floor", "read_only", "note")} == {
        "principal": "agent:writer", "floor": SHARED, "read_only": True, "note": "for a test",
    }  # fmt: skip
    assert found == {name: value for name, value in shown.items() if name != "key"} | {
        "last_used_at": None,
        "revoked_at": None,
    }
    assert secret not in json.dumps(listed)
    assert not any(secret.encode() in path.read_bytes() for path in world.data.rglob("*") if path.is_file())
    assert secret not in json.dumps(await world.audit())
    whoami = (await world.client(shown["key"]).get("/v1/whoami")).json()
    assert (whoami["principal"], whoami["floor"], whoami["read_only"]) == ("agent:writer", SHARED, True)


async def test_a_key_ends_when_it_expires(world, ops) -> None:
    key = (await create(ops, expires_in_s=60))["key"]

    world.clock.pass_by(timedelta(seconds=58))
    before = await works(world, key)
    world.clock.pass_by(timedelta(seconds=2))
    after = await works(world, key)

    assert (before, after) == (True, False)


async def test_a_rotated_key_lives_on_for_the_overlap_and_the_new_one_has_its_terms(world, ops) -> None:
    old = await create(ops, floor=SHARED, read_only=True, note="for a test")

    new = (await ops.post(f"/v1/admin/keys/{old['id']}/rotate", json={"overlap_s": 120})).json()
    both = [await works(world, key["key"]) for key in (old, new)]
    world.clock.pass_by(timedelta(seconds=120))
    one = [await works(world, key["key"]) for key in (old, new)]

    assert (both, one) == ([True, True], [False, True])
    assert new["replaces"] == old["id"]
    assert all(new[name] == old[name] for name in ("principal", "floor", "read_only", "note"))


async def test_without_overlap_a_rotated_key_ends_at_once(world, ops) -> None:
    old = await create(ops)

    await ops.post(f"/v1/admin/keys/{old['id']}/rotate", json={"overlap_s": 0})

    assert not await works(world, old["key"])
    assert (await ops.post(f"/v1/admin/keys/{old['id']}/rotate")).status_code == 409


async def test_rotation_gives_no_key_a_longer_life(world, ops) -> None:
    old = await create(ops, expires_in_s=60)

    new = (await ops.post(f"/v1/admin/keys/{old['id']}/rotate", json={"overlap_s": 3600})).json()
    world.clock.pass_by(timedelta(seconds=61))

    assert [await works(world, key["key"]) for key in (old, new)] == [False, False]


async def test_a_key_is_rotated_once_and_its_successor_keeps_its_life(world, ops) -> None:
    old = await create(ops)

    first = await ops.post(f"/v1/admin/keys/{old['id']}/rotate", json={"overlap_s": 60})
    second = await ops.post(f"/v1/admin/keys/{old['id']}/rotate", json={"overlap_s": 60})
    world.clock.pass_by(timedelta(days=30))

    assert (second.status_code, second.json()["code"]) == (409, "conflict")
    assert [await works(world, key["key"]) for key in (old, first.json())] == [False, True]


async def test_a_revoked_key_ends_at_once(world, ops) -> None:
    key = await create(ops)

    revoked = await ops.delete(f"/v1/admin/keys/{key['id']}")

    assert revoked.status_code == 204
    assert not await works(world, key["key"])
    assert (await ops.delete(f"/v1/admin/keys/{key['id']}")).status_code == 409
    assert (await ops.post(f"/v1/admin/keys/{key['id']}/rotate")).status_code == 409


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"principal": "role:operator"}, "principal"),
        ({"principal": "writer"}, "principal"),
        ({"floor": "org/acme/org/acme"}, "floor"),
        ({"expires_in_s": 0}, "expires_in_s"),
        ({"expires_in_s": 10**12}, "expires_in_s"),
        ({"read_only": "yes"}, "read_only"),
        ({"secret": "mine"}, "secret"),
        ({"note": "x" * 501}, "note"),
    ],
)
async def test_impossible_terms_are_refused_and_no_key_is_issued(ops, terms, field) -> None:
    before = await key_ids(ops)

    answer = await ops.post("/v1/admin/keys", json={"principal": "agent:writer", **terms})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field
    assert await key_ids(ops) == before


# Someone who administers a scope


async def test_a_scoped_administrator_manages_exactly_the_keys_whose_floor_lies_there(world, ops, lead) -> None:
    elsewhere = [await create(ops, floor=floor) for floor in (None, "org/acme", "org/acme/project/alpha", "project/q3")]
    inside = [await create(ops, floor=floor) for floor in (SHARED, NOTES)]
    own = await create(lead, floor=NOTES, principal="agent:researcher")

    seen = await key_ids(lead)

    assert seen == [key["id"] for key in (*inside, own)]
    for key in elsewhere:
        for method, path in (("POST", "/v1/admin/keys/{}/rotate"), ("DELETE", "/v1/admin/keys/{}")):
            answers = [await lead.request(method, path.format(key_id)) for key_id in (key["id"], NO_KEY)]
            assert answers[0].status_code == 404
            assert alike(answers[0], key["id"]) == alike(answers[1], NO_KEY)
        assert await works(world, key["key"])
    rotated = await lead.post(f"/v1/admin/keys/{inside[0]['id']}/rotate")
    assert rotated.status_code == 201
    assert (await lead.delete(f"/v1/admin/keys/{inside[1]['id']}")).status_code == 204
    assert not await works(world, inside[1]["key"])


async def test_it_hears_alike_of_keys_that_are_not_its_own_when_the_audit_log_is_dead(world, ops, lead) -> None:
    key = await create(ops)
    await world.app.gateway.audit.close()

    answers = [await lead.delete(f"/v1/admin/keys/{key_id}") for key_id in (key["id"], NO_KEY)]

    assert answers[0].status_code == 503
    assert alike(answers[0], key["id"]) == alike(answers[1], NO_KEY)
    assert await works(world, key["key"])


async def test_it_may_list_its_keys_before_there_is_any(lead) -> None:
    answer = await lead.get("/v1/admin/keys")

    assert (answer.status_code, answer.json()) == (200, {"items": []})


@pytest.mark.parametrize("floor", [None, "/", "org/acme", "org/acme/project/alpha", "project/q3"])
async def test_it_cannot_escalate(ops, lead, floor) -> None:
    before = await key_ids(ops)

    answers = [
        await lead.post("/v1/admin/keys", json={"principal": principal, "floor": floor})
        for principal in ("human:lead", "human:ops", "agent:writer")
    ]

    assert [answer.status_code for answer in answers] == [403] * 3
    assert await key_ids(ops) == before


async def test_a_key_that_it_issues_to_an_operator_reaches_no_further_than_its_floor(world, lead) -> None:
    key = await create(lead, principal="human:ops", floor=SHARED)
    borrowed = world.client(key["key"])

    answers = [
        await borrowed.get("/v1/admin/audit"),
        await borrowed.get("/v1/admin/policy"),
        await borrowed.post("/v1/admin/policy/reload"),
        await borrowed.post("/v1/admin/keys", json={"principal": "human:lead"}),
        await borrowed.get("/v1/admin/keys"),
    ]

    assert [answer.status_code for answer in answers] == [403] * 5


async def test_a_floor_narrows_an_administrator(world, lead) -> None:
    floored = await world.agent("human:lead", floor=Scope.parse(NOTES))

    there = await floored.post("/v1/admin/keys", json={"principal": "agent:researcher", "floor": NOTES})
    above = await floored.post("/v1/admin/keys", json={"principal": "agent:researcher", "floor": SHARED})
    beside = await floored.post("/v1/admin/keys", json={"principal": "agent:researcher", "floor": DRAFTS})

    assert [answer.status_code for answer in (there, above, beside)] == [201, 403, 403]


async def test_read_only_administrators_administer_nothing(world, ops) -> None:
    reading = await world.agent("human:ops", read_only=True)
    before = await key_ids(ops)

    answers = [
        await reading.get("/v1/admin/keys"),
        await reading.post("/v1/admin/keys", json={"principal": "agent:writer"}),
    ]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert {answer.json()["detail"] for answer in answers} == {"this key is read-only"}
    assert await key_ids(ops) == before


async def test_a_whole_key_given_as_an_id_is_not_in_the_log(world, ops) -> None:
    key = await create(ops)

    answer = await ops.delete(f"/v1/admin/keys/{key['key']}")

    assert answer.status_code == 404
    assert key["key"] not in json.dumps(await world.audit())
    assert await works(world, key["key"])


# Policies and the audit log


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/admin/policy"), ("POST", "/v1/admin/policy/reload"), ("GET", "/v1/admin/audit")]
)
async def test_policies_and_audit_need_administer_on_everything(world, ops, lead, method, path) -> None:
    assert (await ops.request(method, path)).status_code == 200
    for agent in (lead, await world.agent("agent:researcher"), await world.agent("human:ops", floor=Q3)):
        assert (await agent.request(method, path)).status_code == 403


async def test_a_reload_takes_effect_for_the_next_request_and_a_mistake_changes_nothing(world, ops) -> None:
    path = world.policies / "policy.csv"
    intern = await world.agent("agent:intern")
    good = path.read_text()
    before = (await ops.get("/v1/admin/policy")).json()

    path.write_text(good + f"p, role:intern, {SHARED}, write, allow\n")
    changed = await ops.post("/v1/admin/policy/reload")
    written = await intern.post("/v1/memories", json={"scope": SHARED, "content": FINDING})
    path.write_text(good + "p, role:intern, org/acme, write, Allow\n")
    refused = await ops.post("/v1/admin/policy/reload")
    after = (await ops.get("/v1/admin/policy")).json()
    still = await intern.post("/v1/memories", json={"scope": SHARED, "content": DRAFT})

    line = len(good.splitlines()) + 1
    assert changed.json()["version"] != before["version"]
    assert (written.status_code, still.status_code) == (201, 201)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"].startswith(f"policy.csv:{line}")
    assert after["version"] == changed.json()["version"]
    assert after["refused"]["problems"][0].startswith(f"policy.csv:{line}")
    path.write_text(good)
    restored = (await ops.post("/v1/admin/policy/reload")).json()
    assert (restored["version"], restored["refused"]) == (before["version"], None)


async def test_the_audit_log_is_queried_by_every_field_and_in_pages(world, ops) -> None:
    researcher, writer = await world.agent("agent:researcher"), await world.agent("agent:writer")
    await researcher.post("/v1/memories", json={"scope": SHARED, "content": FINDING}, headers={"X-Request-Id": "mine"})
    await writer.post("/v1/memories", json={"scope": NOTES, "content": DRAFT})
    world.clock.pass_by(timedelta(minutes=1))
    middle = world.clock.now.isoformat()
    await writer.post("/v1/recall", json={"scope": SHARED, "query": "x"})

    async def query(**wanted) -> list[tuple]:
        answer = await ops.get("/v1/admin/audit", params=wanted)
        items = [item for item in answer.json()["items"] if item["operation"] != "query_audit"]
        return [(item["principal"], item["operation"], item["outcome"]) for item in items]

    one, two, three = (
        ("agent:researcher", "remember", "allow"),
        ("agent:writer", "remember", "deny"),
        ("agent:writer", "recall", "allow"),
    )
    assert await query() == [three, two, one]
    assert await query(principal="agent:writer") == [three, two]
    assert await query(operation="remember") == [two, one]
    assert await query(outcome="deny") == [two]
    assert await query(request_id="mine") == [one]
    assert await query(since=middle) == [three]
    assert await query(until=middle) == [two, one]
    first = (await ops.get("/v1/admin/audit", params={"limit": 2})).json()
    second = (await ops.get("/v1/admin/audit", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    numbers = [item["sequence"] for item in first["items"] + second["items"]]
    assert numbers == sorted(numbers, reverse=True)
    assert len(set(numbers)) == 4
