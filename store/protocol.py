"""The interface between the gateway and any store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from store.memory import Hit, Memory, Selection
from store.permit import ForgetPermit, ReadPermit, WritePermit
from store.scope import Scope


class MemoryStore(Protocol):
    """Scoped vector memory.

    Every method that touches memories takes a permit and applies it *before* ranking, counting or paging, so that
    nothing it returns depends on a memory outside the permit. All may raise ``StoreUnavailable``.
    """

    async def scopes(self) -> frozenset[Scope]:
        """Every scope that some memory was ever written into. For the authoriser; never shown to an agent."""
        ...

    async def locate(self, ids: Sequence[str]) -> dict[str, Scope]:
        """The scope of each memory that exists among ``ids``. For the authoriser; never shown to an agent."""
        ...

    async def remember(self, permit: WritePermit, memories: Sequence[Memory], *, retry: bool = False) -> None:
        """Store ``memories``, all or none; durable against the death of the process when this returns.

        At once visible to every later call. With ``retry``, a memory whose id is already stored is left as it is;
        without it, ids must be new and are not looked up.

        Raises:
            PermitMismatch: a memory lies outside ``permit.scope``. Nothing was stored.
            Unstorable: a text is not well-formed Unicode, or metadata is not JSON. Nothing was stored.
            StoreBusy: too many writes are waiting. Nothing was stored.
        """
        ...

    async def recall(self, permit: ReadPermit, query: str, selection: Selection, top_k: int) -> list[Hit]:
        """The ``top_k`` selected memories nearest to ``query`` among the permitted, best first. Exact."""
        ...

    async def get(self, permit: ReadPermit, ids: Sequence[str]) -> list[Memory]:
        """The permitted memories among ``ids``, in the order of ``ids``; others are left out without a word."""
        ...

    async def forget(self, permit: ForgetPermit, ids: Sequence[str]) -> list[str]:
        """Remove the permitted memories among ``ids`` from every later answer; the ids that were removed."""
        ...

    async def check(self) -> None:
        """Return when the store answers.

        Raises:
            StoreUnavailable: it does not.
        """
        ...

    async def close(self) -> None:
        """Finish what was accepted, then release files and locks. Calling it twice is harmless."""
        ...

    # Last, because below it the name ``list`` is this method and no longer the type.
    async def list(
        self, permit: ReadPermit, selection: Selection, limit: int, before: str | None = None
    ) -> list[Memory]:
        """Up to ``limit`` selected, permitted memories with ids less than ``before``, newest (greatest id) first."""
        ...
