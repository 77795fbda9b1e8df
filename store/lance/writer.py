"""The one writer: it commits what many callers want written in one go, since a commit costs the same for each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Generic, TypeVar

import pyarrow as pa
from lancedb.table import AsyncTable

from store.errors import StoreBusy, StoreError, StoreUnavailable
from store.lance.columns import in_scope
from store.lance.engine import answering
from store.lance.filters import with_ids, within_scopes
from store.lance.registry import Registry
from store.lance.upkeep import Upkeep
from store.scope import Scope

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class _Task(Generic[T]):
    """Something to write, and the caller who waits for it."""

    scope: Scope
    ids: tuple[str, ...]
    caller: asyncio.Future[T]

    def succeed(self, result: T) -> None:
        if not self.caller.done():
            self.caller.set_result(result)

    def fail(self, failure: StoreError) -> None:
        # One exception object per caller: each gets a traceback of its own.
        if not self.caller.done():
            self.caller.set_exception(type(failure)(*failure.args))


@dataclass(frozen=True, slots=True, eq=False)
class _Addition(_Task[None]):
    rows: pa.Table
    retry: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Removal(_Task[list[str]]):
    pass


class Writer:
    """Serialises all writes of a dataset. At most ``queue_max_calls`` callers wait; the next is refused."""

    def __init__(self, memories: AsyncTable, registry: Registry, upkeep: Upkeep, queue_max_calls: int) -> None:
        self._memories = memories
        self._registry = registry
        self._upkeep = upkeep
        self._queue: asyncio.Queue[_Addition | _Removal | None] = asyncio.Queue(queue_max_calls)
        self._closing = False
        self._loop = asyncio.create_task(self._run())

    def check_open(self) -> None:
        """Return when a write would be taken.

        Raises:
            StoreBusy: too many callers wait.
            StoreUnavailable: the writer is closed.
        """
        if self._closing:
            raise StoreUnavailable("the store is closed")
        if self._queue.full():
            raise StoreBusy("too many writes are waiting; try again later")

    async def add(self, scope: Scope, ids: Sequence[str], rows: pa.Table, *, retry: bool) -> None:
        """Add encoded ``rows``, which have these ``ids``, to ``scope``; returns after the commit."""
        caller: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._enqueue(_Addition(scope, tuple(ids), caller, rows, retry))
        await caller

    async def remove(self, scope: Scope, ids: Sequence[str]) -> list[str]:
        """Remove those of ``ids`` that lie in ``scope``; which these were, in the order of ``ids``."""
        caller: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        self._enqueue(_Removal(scope, tuple(dict.fromkeys(ids)), caller))
        return await caller

    async def close(self) -> None:
        """Finish what was accepted; take nothing more."""
        if not self._closing:
            self._closing = True
            await self._queue.put(None)
        await asyncio.shield(self._loop)

    def _enqueue(self, task: _Addition | _Removal) -> None:
        self.check_open()
        self._queue.put_nowait(task)

    async def _run(self) -> None:
        last = False
        while not last:
            tasks = [await self._queue.get()]
            while not self._queue.empty():
                tasks.append(self._queue.get_nowait())
            last = None in tasks
            await self._write(task for task in tasks if task is not None and not task.caller.done())

    async def _write(self, tasks: Iterable[_Addition | _Removal]) -> None:
        """Neighbouring additions go into one commit; the order of additions and removals is kept."""
        for _, group in groupby(tasks, key=type):
            neighbours = list(group)
            await self._add([task for task in neighbours if isinstance(task, _Addition)])
            for removal in (task for task in neighbours if isinstance(task, _Removal)):
                await self._remove(removal)

    async def _add(self, additions: Sequence[_Addition]) -> None:
        try:
            with answering("remember"):
                await self._commit(await self._without_stored(additions))
        except StoreError as failure:
            for addition in additions:
                addition.fail(failure)
        else:
            for addition in additions:
                addition.succeed(None)

    async def _commit(self, additions: Sequence[tuple[Scope, pa.Table]]) -> None:
        if not additions:
            return
        await self._registry.register(scope for scope, _ in additions)
        rows = [in_scope(rows, self._registry.id_of(scope)) for scope, rows in additions]
        await self._memories.add(pa.concat_tables(rows))
        self._upkeep.committed()

    async def _without_stored(self, additions: Sequence[_Addition]) -> list[tuple[Scope, pa.Table]]:
        """What is left to add when retried memories that are already stored are left as they are."""
        seen = await self._stored({wanted for addition in additions if addition.retry for wanted in addition.ids})
        left = []
        for addition in additions:
            new = [_first_sight(wanted, seen) or not addition.retry for wanted in addition.ids]
            if any(new):
                left.append((addition.scope, addition.rows.filter(pa.array(new))))
        return left

    async def _stored(self, ids: set[str]) -> set[str]:
        if not ids:
            return set()
        rows = await self._memories.query().where(with_ids(ids)).select(["id"]).to_arrow()
        return set(rows["id"].to_pylist())

    async def _remove(self, removal: _Removal) -> None:
        try:
            with answering("forget"):
                removed = await self._delete(removal)
        except StoreError as failure:
            removal.fail(failure)
        else:
            removal.succeed(removed)

    async def _delete(self, removal: _Removal) -> list[str]:
        scope_ids = self._registry.ids_of([removal.scope])
        if not scope_ids or not removal.ids:
            return []
        doomed = with_ids(removal.ids) & within_scopes(scope_ids)
        rows = await self._memories.query().where(doomed).select(["id"]).to_arrow()
        found = set(rows["id"].to_pylist())
        if found:
            async with self._upkeep.paused():
                await self._memories.delete(doomed)
            self._upkeep.committed()
        return [wanted for wanted in removal.ids if wanted in found]


def _first_sight(wanted: str, seen: set[str]) -> bool:
    """Whether ``wanted`` was not ``seen`` before; now it was."""
    if wanted in seen:
        return False
    seen.add(wanted)
    return True
