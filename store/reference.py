"""A list and a loop: the oracle that every other store is tested against."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np

from store.admission import admit
from store.embed.protocol import Embedder, Vectors
from store.errors import StoreUnavailable
from store.memory import Hit, Memory, Selection
from store.permit import ForgetPermit, ReadPermit, WritePermit
from store.scope import Scope
from store.selection import selects


@dataclass(frozen=True, slots=True)
class _Row:
    memory: Memory
    vector: Vectors


class ReferenceStore:
    """``MemoryStore`` in the memory of one process: obviously right rather than fast. For tests and trials."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._rows: list[_Row] = []
        self._scopes: set[Scope] = set()
        self._closed = False

    async def scopes(self) -> frozenset[Scope]:
        """Every scope that some memory was ever written into."""
        self._check_open()
        return frozenset(self._scopes)

    async def locate(self, ids: Sequence[str]) -> dict[str, Scope]:
        """The scope of each memory that exists among ``ids``."""
        self._check_open()
        return {row.memory.id: row.memory.scope for row in self._rows if row.memory.id in set(ids)}

    async def remember(self, permit: WritePermit, memories: Sequence[Memory], *, retry: bool = False) -> None:
        """Store ``memories``, all or none."""
        self._check_open()
        admit(permit, memories)
        stored = {row.memory.id for row in self._rows}
        vectors = self._embedder.embed([memory.content for memory in memories])
        for memory, vector in zip(memories, vectors, strict=True):
            if not (retry and memory.id in stored):
                self._rows.append(_Row(_own(memory), vector))
                self._scopes.add(memory.scope)
                stored.add(memory.id)

    async def recall(self, permit: ReadPermit, query: str, selection: Selection, top_k: int) -> list[Hit]:
        """The ``top_k`` selected memories nearest to ``query`` among the permitted, best first."""
        self._check_open()
        [vector] = self._embedder.embed([query])
        hits = [
            Hit(_own(row.memory), _similarity(row.vector, vector))
            for row in self._visible(permit.scopes)
            if selects(selection, row.memory)
        ]
        hits.sort(key=lambda hit: (hit.score, hit.memory.id), reverse=True)
        return hits[: max(top_k, 0)]

    async def get(self, permit: ReadPermit, ids: Sequence[str]) -> list[Memory]:
        """The permitted memories among ``ids``, in the order of ``ids``."""
        self._check_open()
        visible = {row.memory.id: row.memory for row in self._visible(permit.scopes)}
        return [_own(visible[wanted]) for wanted in dict.fromkeys(ids) if wanted in visible]

    async def forget(self, permit: ForgetPermit, ids: Sequence[str]) -> list[str]:
        """Remove the permitted memories among ``ids``; the ids that were removed, in the order of ``ids``."""
        self._check_open()
        within = {row.memory.id for row in self._visible({permit.scope})}
        removed = [wanted for wanted in dict.fromkeys(ids) if wanted in within]
        self._rows = [
            row for row in self._rows if not (row.memory.scope == permit.scope and row.memory.id in set(removed))
        ]
        return removed

    async def check(self) -> None:
        """Return when the store is open."""
        self._check_open()

    async def close(self) -> None:
        """Every later call raises ``StoreUnavailable``."""
        self._closed = True

    async def list(
        self, permit: ReadPermit, selection: Selection, limit: int, before: str | None = None
    ) -> list[Memory]:
        """Up to ``limit`` selected and permitted memories, newest first, with ids less than ``before``."""
        self._check_open()
        found = [
            _own(row.memory)
            for row in self._visible(permit.scopes)
            if selects(selection, row.memory) and (before is None or row.memory.id < before)
        ]
        found.sort(key=lambda memory: memory.id, reverse=True)
        return found[: max(limit, 0)]

    def _visible(self, scopes: Collection[Scope]) -> Sequence[_Row]:
        return [row for row in self._rows if row.memory.scope in scopes]

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailable("the store is closed")


def _own(memory: Memory) -> Memory:
    """A copy whose metadata no caller can change."""
    return replace(memory, metadata=deepcopy(dict(memory.metadata)))


def _similarity(one: Vectors, other: Vectors) -> float:
    # Six decimals: beyond them is rounding error, which must not order memories that are equally near.
    return min(round(float(one.astype(np.float64) @ other.astype(np.float64)), 6), 1.0)
