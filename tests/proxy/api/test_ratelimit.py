"""So many requests a minute for each key, by a clock that the test moves."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.api.ratelimit import RateLimiter
from proxy.errors import RateLimited
from tests.proxy.api.rig import Rig, refused
from tests.world import NOTES, World

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


def spent(limiter: RateLimiter, key: str, per_minute: int, now: datetime) -> int | None:
    """Seconds to wait, or ``None`` when the request may go on."""
    try:
        limiter.spend(key, per_minute, now)
    except RateLimited as refusal:
        return refusal.retry_after_s
    return None


@given(per_minute=st.integers(1, 600), passed_us=st.lists(st.integers(0, 5_000_000), max_size=30))
def test_whoever_waits_as_long_as_told_gets_through(per_minute: int, passed_us: list[int]) -> None:
    limiter, now = RateLimiter(), NOW
    for _ in range(per_minute):
        assert spent(limiter, "key", per_minute, now) is None
    for microseconds in passed_us:
        now += timedelta(microseconds=microseconds)
        wait_s = spent(limiter, "key", per_minute, now)
        if wait_s is not None:
            now += timedelta(seconds=wait_s)
            assert spent(limiter, "key", per_minute, now) is None


@given(per_minute=st.integers(1, 120), steps_ms=st.lists(st.integers(0, 10_000), max_size=60))
def test_nobody_gets_more_than_a_burst_and_the_rate(per_minute: int, steps_ms: list[int]) -> None:
    limiter, now, passed = RateLimiter(), NOW, 0
    for step in steps_ms:
        now += timedelta(milliseconds=step)
        passed += spent(limiter, "key", per_minute, now) is None
    assert passed <= per_minute + (now - NOW).total_seconds() * per_minute / 60 + 1e-6


def test_keys_do_not_share() -> None:
    limiter = RateLimiter()
    assert [spent(limiter, key, 1, NOW) for key in ("a", "a", "b", "b")] == [None, 60, None, 60]


def test_a_clock_that_is_set_back_gives_nothing_away() -> None:
    limiter = RateLimiter()
    limiter.spend("key", 1, NOW)
    for _ in range(5):
        assert spent(limiter, "key", 1, NOW - timedelta(hours=1)) == 60
        assert spent(limiter, "key", 1, NOW) == 60


def test_another_limit_is_in_force_at_once() -> None:
    limiter = RateLimiter()
    limiter.spend("key", 100, NOW)
    assert [spent(limiter, "key", 2, NOW) for _ in range(3)] == [None, None, 30]


@pytest.mark.anyio
async def test_beyond_its_limit_a_key_is_told_when_to_come_back(world: World, rig: Rig) -> None:
    (world.policies / "gateway.yaml").write_text("limits: {requests_per_minute: 3}\n", "utf-8")
    await world.app.policies.reload()
    agent, other = await world.agent("agent:researcher"), await world.agent("agent:researcher")
    note = {"scope": NOTES, "content": "a note"}
    assert [(await agent.get("/v1/whoami")).status_code for _ in range(3)] == [200] * 3

    answer = await agent.post("/v1/memories", json=note)
    refused(answer, 429, "rate-limited")
    assert answer.headers["retry-after"] == "20"
    assert await rig.scopes() == frozenset()
    assert (await other.get("/v1/whoami")).status_code == 200
    assert (await agent.get("/healthz")).status_code == 200

    world.clock.pass_by(timedelta(seconds=19))
    refused(await agent.post("/v1/memories", json=note), 429, "rate-limited")
    world.clock.pass_by(timedelta(seconds=1))
    assert (await agent.post("/v1/memories", json=note)).status_code == 201
    refused(await agent.post("/v1/memories", json=note), 429, "rate-limited")
    world.clock.pass_by(timedelta(minutes=1))
    assert [(await agent.get("/v1/whoami")).status_code for _ in range(4)] == [200, 200, 200, 429]


@pytest.mark.anyio
async def test_a_wrong_key_spends_nothing_of_the_right_one(world: World) -> None:
    (world.policies / "gateway.yaml").write_text("limits: {requests_per_minute: 1}\n", "utf-8")
    await world.app.policies.reload()
    agent = await world.agent("agent:researcher")
    forged = world.client(agent.headers["Authorization"].removeprefix("Bearer ")[:16] + "A" * 43)
    for _ in range(3):
        refused(await forged.get("/v1/whoami"), 401, "unauthenticated")
    assert (await agent.get("/v1/whoami")).status_code == 200
