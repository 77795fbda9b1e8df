"""``kill -9`` in the middle of writes: what was acknowledged is there, what is tried again is there once."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.world import NOTES, POLICIES, SHARED, LiveGateway, run_cli, serving

WRITES = 500
KILLED_AFTER = (90, 170)
AT_ONCE = 8


@dataclass
class Writer:
    """Writes numbered notes until the gateway dies; remembers which were acknowledged."""

    acknowledged: dict[int, str] = field(default_factory=dict)

    async def write(self, gateway: LiveGateway, key: str, *, kill_after: int | None = None) -> None:
        waiting = [number for number in range(WRITES) if number not in self.acknowledged]
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=gateway.url, headers=headers, timeout=30) as client:
            await asyncio.gather(*(self._work(client, gateway, waiting, kill_after) for _ in range(AT_ONCE)))

    async def _work(self, client, gateway: LiveGateway, waiting: list[int], kill_after: int | None) -> None:
        started = len(self.acknowledged)
        while waiting:
            number = waiting.pop(0)
            scope = SHARED if number % 5 == 0 else NOTES
            body = {"scope": scope, "content": f"Note number {number} about caching", "metadata": {"n": number}}
            try:
                answer = await client.post("/v1/memories", json=body, headers={"Idempotency-Key": f"note-{number}"})
            except httpx.TransportError:
                return
            assert answer.status_code == 201, answer.text
            self.acknowledged[number] = answer.json()["id"]
            if kill_after is not None and len(self.acknowledged) - started >= kill_after:
                gateway.process.send_signal(signal.SIGKILL)
                return


def test_no_acknowledged_memory_is_lost_and_no_retry_stores_twice(tmp_path: Path) -> None:
    writer, key = Writer(), ""
    for kill_after in KILLED_AFTER:
        with serving(tmp_path / "data", POLICIES) as gateway:
            key = key or gateway.key("agent:researcher")
            asyncio.run(writer.write(gateway, key, kill_after=kill_after))
            assert gateway.process.wait(30) == -signal.SIGKILL
        assert "every link holds" in run_cli("audit", "verify", "--data", str(tmp_path / "data"))
    assert 0 < len(writer.acknowledged) < WRITES
    with serving(tmp_path / "data", POLICIES) as gateway:
        stored = everything(gateway, key)
        assert {number: stored.get(number) for number in writer.acknowledged} == {
            number: [memory_id] for number, memory_id in writer.acknowledged.items()
        }
        asyncio.run(writer.write(gateway, key))
        stored = everything(gateway, key)
        assert stored == {number: [memory_id] for number, memory_id in writer.acknowledged.items()}
        assert len(stored) == WRITES
    assert "every link holds" in run_cli("audit", "verify", "--data", str(tmp_path / "data"))


def everything(gateway: LiveGateway, key: str) -> dict[int, list[str]]:
    """The ids stored under each number."""
    found: dict[int, list[str]] = {}
    cursor = None
    with httpx.Client(base_url=gateway.url, headers={"Authorization": f"Bearer {key}"}, timeout=30) as client:
        while True:
            params = {"scope": NOTES, "limit": 100} | ({"cursor": cursor} if cursor else {})
            page = client.get("/v1/memories", params=params).json()
            for item in page["items"]:
                assert item["content"] == f"Note number {item['metadata']['n']} about caching"
                found.setdefault(item["metadata"]["n"], []).append(item["id"])
            cursor = page["next_cursor"]
            if cursor is None:
                return found
