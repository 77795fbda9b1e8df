"""A gateway of quick parts, and parts that fail when a test says so."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import httpx

from proxy.app import Parts
from proxy.inspection.detector import Span
from proxy.settings import GatewayConfig
from store.memory import Hit, Memory, Selection
from store.permit import ForgetPermit, ReadPermit, WritePermit
from store.protocol import MemoryStore
from store.scope import Scope
from tests.proxy.inspection.doubles import CanaryDetector
from tests.world import ManualClock, World, open_quick_store

ENTITIES = CanaryDetector.supported | {"CREDIT_CARD", "IBAN_CODE"}
CANARIES = {"123-45-6789": "US_SSN", "Maria Gonzalez": "PERSON", "jane.doe@example.com": "EMAIL_ADDRESS"}
PROBLEM = "application/problem+json"
POLL_S = 0.02


class QuickDetector(CanaryDetector):
    """Finds a few texts, and fails while ``failure`` is set."""

    supported = ENTITIES

    def __init__(self) -> None:
        super().__init__(CANARIES)
        self.failure: Exception | None = None

    def detect(self, text: str, entities: frozenset[str], language: str, context: str = "") -> list[Span]:
        if self.failure is not None:
            raise self.failure
        return super().detect(text, entities, language, context)


class FragileStore:
    """The real store, that fails while ``failure`` is set; and with ``after``, once it has stored."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.failure: Exception | None = None
        self.after: BaseException | None = None
        self.pause: asyncio.Event | None = None
        self.written = 0

    async def scopes(self) -> frozenset[Scope]:
        self._check()
        return await self.store.scopes()

    async def locate(self, ids: Sequence[str]) -> dict[str, Scope]:
        self._check()
        return await self.store.locate(ids)

    async def remember(self, permit: WritePermit, memories: Sequence[Memory], *, retry: bool = False) -> None:
        self._check()
        if self.pause is not None:
            await self.pause.wait()
        await self.store.remember(permit, memories, retry=retry)
        self.written += len(memories)
        if self.after is not None:
            raise self.after

    async def recall(self, permit: ReadPermit, query: str, selection: Selection, top_k: int) -> list[Hit]:
        self._check()
        return await self.store.recall(permit, query, selection, top_k)

    async def get(self, permit: ReadPermit, ids: Sequence[str]) -> list[Memory]:
        self._check()
        return await self.store.get(permit, ids)

    async def forget(self, permit: ForgetPermit, ids: Sequence[str]) -> list[str]:
        self._check()
        return await self.store.forget(permit, ids)

    async def check(self) -> None:
        self._check()
        await self.store.check()

    async def close(self) -> None:
        await self.store.close()

    async def list(
        self, permit: ReadPermit, selection: Selection, limit: int, before: str | None = None
    ) -> Sequence[Memory]:
        self._check()
        return await self.store.list(permit, selection, limit, before)

    def _check(self) -> None:
        if self.failure is not None:
            raise self.failure


class Rig:
    """Parts for one world, within reach of its test."""

    def __init__(self) -> None:
        self.detector = QuickDetector()
        self.store: FragileStore
        self.parts = Parts(detector=lambda: self.detector, store=self._open, clock=ManualClock())

    async def _open(self, folder: Path, config: GatewayConfig) -> FragileStore:
        self.store = FragileStore(await open_quick_store(folder, config))
        return self.store

    async def scopes(self) -> frozenset[Scope]:
        """Every scope that something was ever stored in, whatever is broken now."""
        return await self.store.store.scopes()


async def stored(world: World, scope: str, principal: str = "agent:researcher") -> list[dict]:
    """What ``principal`` finds in ``scope``."""
    client = await world.agent(principal)
    answer = await client.get("/v1/memories", params={"scope": scope, "limit": 100})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


def refused(answer: httpx.Response, status: int, code: str, fields: Collection[str] = ()) -> dict:
    """The problem document of ``answer``, which must be this refusal, and whole."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    problem = answer.json()
    assert {"type", "code", "title", "status", "detail", "instance", "request_id"} <= problem.keys()
    assert (problem["code"], problem["status"], problem["type"]) == (code, status, f"urn:scopegate:error:{code}")
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["cache-control"] == "no-store"
    assert {error["field"] for error in problem.get("errors", [])} == set(fields), problem
    return problem


async def eventually(holds: Callable[[], bool], deadline_s: float = 20) -> None:
    """Return as soon as ``holds()``; it must within the deadline."""
    async with asyncio.timeout(deadline_s):
        while not holds():  # noqa: ASYNC110 - a file system or a server sets no event
            await asyncio.sleep(POLL_S)
