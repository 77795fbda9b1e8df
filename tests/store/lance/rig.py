"""What tests of the Lance store do to it: open it, hold its writer up, make its engine fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from store.embed.hashing import HashingEmbedder
from store.lance import LanceStore
from tests.store.builders import may_write, memory


@asynccontextmanager
async def opened(folder: Path, *, dimension: int = 256, **options: int) -> AsyncIterator[LanceStore]:
    store = await LanceStore.open(folder, HashingEmbedder(dimension), **options)
    try:
        yield store
    finally:
        await store.close()


async def versions(store: LanceStore) -> int:
    return await store._dataset.memories.version()


class Table:
    """A table with ``before`` awaited ahead of every call of the method ``name``."""

    def __init__(self, table: Any, name: str, before: Callable[[], Awaitable[None]]) -> None:
        self._table, self._name, self._before = table, name, before

    def __getattr__(self, name: str) -> Any:
        return self._instead if name == self._name else getattr(self._table, name)

    async def _instead(self, *args: Any, **kwargs: Any) -> Any:
        await self._before()
        return await getattr(self._table, self._name)(*args, **kwargs)


@contextmanager
def intercepted(store: LanceStore, name: str, before: Callable[[], Awaitable[None]]) -> Iterator[None]:
    """Within, every call of the method ``name`` that the writer makes on the memories awaits ``before``."""
    real = store._writer._memories
    store._writer._memories = Table(real, name, before)  # type: ignore[assignment] # stands in
    try:
        yield
    finally:
        store._writer._memories = real


class Panic(BaseException):
    """What a panic of the engine looks like: not an ``Exception``."""


async def disk_full() -> None:
    raise OSError("No space left on device while writing 'the rocket flies on Monday'")


async def panic() -> None:
    raise Panic("index out of bounds at 'the rocket flies on Monday'")


class HeldUp:
    """A store whose writer is stuck in a commit until ``release``."""

    def __init__(self) -> None:
        self._entered = asyncio.Event()
        self._released = asyncio.Event()
        self._queued = asyncio.Semaphore(0)

    async def hold(self) -> None:
        self._entered.set()
        await self._released.wait()

    async def stuck(self) -> None:
        await self._entered.wait()

    async def queued(self, calls: int) -> None:
        """Return when ``calls`` more calls wait for the writer."""
        for _ in range(calls):
            await self._queued.acquire()

    def count(self) -> None:
        self._queued.release()

    def release(self) -> None:
        self._released.set()


@asynccontextmanager
async def held_up(store: LanceStore) -> AsyncIterator[HeldUp]:
    """Within, the writer is busy with a memory of ``org/elsewhere`` until it is released."""
    rig = HeldUp()
    enqueue = store._writer._enqueue

    def counted(task: Any) -> None:
        enqueue(task)
        rig.count()

    with intercepted(store, "add", rig.hold):
        occupying = asyncio.create_task(store.remember(may_write("org/elsewhere"), [memory("", "org/elsewhere")]))
        await rig.stuck()
        store._writer._enqueue = counted  # type: ignore[method-assign] # stands in
        yield rig
        rig.release()
        await occupying
