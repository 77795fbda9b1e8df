"""Every answer has a request id, and the audit log speaks of the same."""

import re

import pytest

from tests.proxy.api.rig import refused
from tests.world import NOTES, World

pytestmark = pytest.mark.anyio

NOTE = {"scope": NOTES, "content": "a note"}
FRESH = re.compile(r"[0-9a-f]{32}")


@pytest.mark.parametrize("wanted", ["a", "req-1.2_3", "A" * 64, "..", "0"])
async def test_a_good_request_id_is_taken_and_recorded(world: World, wanted: str) -> None:
    agent = await world.agent("agent:researcher")
    answer = await agent.post("/v1/memories", json=NOTE, headers={"X-Request-Id": wanted})
    assert answer.headers["x-request-id"] == wanted
    assert [entry["request_id"] for entry in await world.audit()] == [wanted]
    memory = (await agent.get(f"/v1/memories/{answer.json()['id']}")).json()
    assert memory["provenance"]["request_id"] == wanted


@pytest.mark.parametrize("wanted", ["", "A" * 65, "a b", "a/b", "ü", "a\tb", "a;b", "<script>", "a%0d%0ab"])
async def test_a_bad_one_is_replaced(world: World, wanted: str) -> None:
    agent = await world.agent("agent:researcher")
    answer = await agent.post("/v1/memories", json=NOTE, headers={"X-Request-Id": wanted.encode("latin-1")})
    assert FRESH.fullmatch(answer.headers["x-request-id"])
    assert [entry["request_id"] for entry in await world.audit()] == [answer.headers["x-request-id"]]


async def test_requests_without_one_get_one_each(world: World) -> None:
    agent = await world.agent("agent:researcher")
    found = {(await agent.get("/v1/whoami")).headers["x-request-id"] for _ in range(5)}
    assert len(found) == 5
    assert all(FRESH.fullmatch(request_id) for request_id in found)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/openapi.json", "/nowhere", "/v1/whoami"])
async def test_answers_without_a_key_have_one_too(world: World, path: str) -> None:
    answer = await world.client().get(path, headers={"X-Request-Id": "mine"})
    assert answer.headers["x-request-id"] == "mine"


async def test_a_denial_is_recorded_under_its_request_id(world: World) -> None:
    agent = await world.agent("agent:reviewer")
    problem = refused(
        await agent.post("/v1/memories", json=NOTE, headers={"X-Request-Id": "denied-1"}), 403, "forbidden"
    )
    assert problem["request_id"] == "denied-1"
    (entry,) = await world.audit()
    assert (entry["request_id"], entry["outcome"], entry["operation"]) == ("denied-1", "deny", "remember")
    ops = await world.agent("human:ops")
    found = (await ops.get("/v1/admin/audit", params={"request_id": "denied-1"})).json()["items"]
    assert [item["sequence"] for item in found] == [entry["sequence"]]
