"""LanceStore: scoped vector memory in one folder."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from lancedb.expr import Expr

from store.admission import admit
from store.embed.protocol import Embedder, Vectors
from store.errors import StoreUnavailable
from store.lance import search
from store.lance.columns import READ, decode, encode
from store.lance.dataset import Dataset
from store.lance.engine import answering
from store.lance.filters import selected, with_ids, within_scopes
from store.lance.upkeep import Upkeep
from store.lance.writer import Writer
from store.memory import Hit, Memory, Selection
from store.permit import ForgetPermit, ReadPermit, WritePermit
from store.scope import Scope

QUEUE_MAX_CALLS = 1024
COMPACT_EVERY_COMMITS = 50


class LanceStore:
    """``MemoryStore`` in a folder on local disk, held by one store at a time. Made by ``open``; bound to its loop."""

    def __init__(self, dataset: Dataset, embedder: Embedder, writer: Writer, upkeep: Upkeep) -> None:
        self._dataset = dataset
        self._embedder = embedder
        self._writer = writer
        self._upkeep = upkeep
        self._closed = False

    @classmethod
    async def open(
        cls,
        path: Path,
        embedder: Embedder,
        *,
        queue_max_calls: int = QUEUE_MAX_CALLS,
        compact_every_commits: int = COMPACT_EVERY_COMMITS,
    ) -> LanceStore:
        """Open the dataset in the folder ``path``, or create it where there is none.

        Raises:
            DatasetLocked: another store holds the folder.
            EmbedderMismatch: it was written with another embedder.
            DatasetTooNew: it was written by a newer version.
            DatasetDamaged: part of it is missing or cannot be read.
            StoreUnavailable: the folder cannot be made or locked.
        """
        dataset = await Dataset.open(path, embedder)
        upkeep = Upkeep([dataset.memories, dataset.scopes], compact_every_commits)
        writer = Writer(dataset.memories, dataset.registry, upkeep, queue_max_calls)
        return cls(dataset, embedder, writer, upkeep)

    async def scopes(self) -> frozenset[Scope]:
        """Every scope that some memory was ever written into."""
        self._check_open()
        return self._dataset.registry.known()

    async def locate(self, ids: Sequence[str]) -> dict[str, Scope]:
        """The scope of each memory that exists among ``ids``."""
        self._check_open()
        if not ids:
            return {}
        with answering("locate"):
            rows = await self._rows(with_ids(set(ids)), ["id", "scope_id"])
            scopes = self._dataset.registry.by_id
            found = zip(rows["id"].to_pylist(), rows["scope_id"].to_pylist(), strict=True)
            return {wanted: scopes[scope_id] for wanted, scope_id in found}

    async def remember(self, permit: WritePermit, memories: Sequence[Memory], *, retry: bool = False) -> None:
        """Store ``memories``, all or none; durable against the death of the process when this returns."""
        self._writer.check_open()
        memories = tuple(memories)
        admit(permit, memories)
        if not memories:
            return
        with answering("remember"):
            rows = await asyncio.to_thread(self._encoded, memories)
        await self._writer.add(permit.scope, [memory.id for memory in memories], rows, retry=retry)

    async def recall(self, permit: ReadPermit, query: str, selection: Selection, top_k: int) -> list[Hit]:
        """The ``top_k`` selected memories nearest to ``query`` among the permitted, best first. Exact."""
        within = self._permitted(permit)
        if within is None or top_k <= 0:
            return []
        with answering("recall"):
            ranked = await self._ranked(query, selected(within, selection), selection, top_k)
            found = await self._fetch(within, [row.id for row in ranked])
        return [Hit(found[row.id], row.score) for row in ranked if row.id in found]

    async def get(self, permit: ReadPermit, ids: Sequence[str]) -> list[Memory]:
        """The permitted memories among ``ids``, in the order of ``ids``."""
        within = self._permitted(permit)
        if within is None:
            return []
        wanted = list(dict.fromkeys(ids))
        with answering("get"):
            found = await self._fetch(within, wanted)
        return [found[one] for one in wanted if one in found]

    async def forget(self, permit: ForgetPermit, ids: Sequence[str]) -> list[str]:
        """Remove the permitted memories among ``ids``; the ids that were removed, in the order of ``ids``."""
        return await self._writer.remove(permit.scope, ids)

    async def check(self) -> None:
        """Return when the engine answers a query."""
        self._check_open()
        with answering("answer"):
            await self._dataset.memories.query().select(["id"]).limit(1).to_arrow()

    async def close(self) -> None:
        """Finish what was accepted, then release files and the lock. Calling it twice is harmless."""
        await self._writer.close()
        await self._upkeep.close()
        if not self._closed:
            self._closed = True
            self._dataset.close()

    async def list(
        self, permit: ReadPermit, selection: Selection, limit: int, before: str | None = None
    ) -> list[Memory]:
        """Up to ``limit`` selected and permitted memories, newest first, with ids less than ``before``."""
        within = self._permitted(permit)
        if within is None or limit <= 0:
            return []
        with answering("list"):
            admitted = selected(within, selection)
            ids = await search.newest(self._dataset.memories, admitted, selection.metadata, limit, before)
            found = await self._fetch(within, ids)
        return [found[one] for one in ids if one in found]

    def _permitted(self, permit: ReadPermit) -> Expr | None:
        """The rows that ``permit`` covers; None when there can be none, and the engine need not be asked."""
        self._check_open()
        scope_ids = self._dataset.registry.ids_of(permit.scopes)
        return within_scopes(scope_ids) if scope_ids else None

    async def _ranked(self, query: str, admitted: Expr, selection: Selection, top_k: int) -> Sequence[search.Ranked]:
        [vector] = await asyncio.to_thread(self._embed, [query])
        memories = self._dataset.memories
        if vector.any():
            return await search.nearest(memories, vector, admitted, selection.metadata, top_k)
        # Everything is equally far from a query without meaning: the newest rows, without ranking all of them.
        ids = await search.newest(memories, admitted, selection.metadata, top_k, None)
        return [search.Ranked(0.0, one) for one in ids]

    async def _fetch(self, within: Expr, ids: Collection[str]) -> dict[str, Memory]:
        if not ids:
            return {}
        rows = await self._rows(with_ids(ids) & within, READ)
        memories = await asyncio.to_thread(decode, rows, self._dataset.registry.by_id)
        return {memory.id: memory for memory in memories}

    async def _rows(self, wanted: Expr, columns: Sequence[str]) -> pa.Table:
        return await self._dataset.memories.query().where(wanted).select([*columns]).to_arrow()

    def _encoded(self, memories: Sequence[Memory]) -> pa.Table:
        return encode(memories, self._embed([memory.content for memory in memories]))

    def _embed(self, texts: Sequence[str]) -> Vectors:
        vectors = self._embedder.embed(texts)
        if vectors.shape != (len(texts), self._embedder.dimension) or not np.isfinite(vectors).all():
            raise StoreUnavailable(f"embedder {self._embedder.name} gave vectors that cannot be compared")
        return vectors

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailable("the store is closed")
