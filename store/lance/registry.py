"""The scopes that were ever written into, each with a small integer that filters compare instead of text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from lancedb.table import AsyncTable

from store.lance.columns import decode_scopes, encode_scopes
from store.scope import Scope


class Registry:
    """The registry table, kept in memory too. Only the writer registers; a scope is never removed."""

    def __init__(self, table: AsyncTable, ids: dict[Scope, int]) -> None:
        self._table = table
        self._ids = ids
        self._scopes = {scope_id: scope for scope, scope_id in ids.items()}
        self._first_free_id = max(self._scopes, default=-1) + 1
        self._known: frozenset[Scope] | None = None

    @classmethod
    async def load(cls, table: AsyncTable) -> Registry:
        """Read the whole table.

        Raises:
            ValueError: an entry is no scope, or a scope or a number occurs twice.
        """
        entries = decode_scopes(await table.query().to_arrow())
        ids = dict(entries)
        if not len(entries) == len(ids) == len(set(ids.values())):
            raise ValueError("a scope is registered twice")
        return cls(table, ids)

    @property
    def first_free_id(self) -> int:
        """The number that the next new scope gets."""
        return self._first_free_id

    @property
    def by_id(self) -> Mapping[int, Scope]:
        """Every registered scope under its number."""
        return MappingProxyType(self._scopes)

    def known(self) -> frozenset[Scope]:
        """Every registered scope."""
        if self._known is None:
            self._known = frozenset(self._ids)
        return self._known

    def id_of(self, scope: Scope) -> int:
        """The number of a registered scope."""
        return self._ids[scope]

    def ids_of(self, scopes: Iterable[Scope]) -> list[int]:
        """The numbers of those scopes that are registered, ascending."""
        return sorted(self._ids[scope] for scope in scopes if scope in self._ids)

    async def register(self, scopes: Iterable[Scope]) -> None:
        """Make sure that all ``scopes`` have a number, durably before anything refers to it."""
        new = [scope for scope in dict.fromkeys(scopes) if scope not in self._ids]
        if not new:
            return
        numbers = {scope: scope_id for scope_id, scope in enumerate(new, start=self._first_free_id)}
        await self._table.add(encode_scopes(numbers))
        self._ids.update(numbers)
        self._scopes.update({scope_id: scope for scope, scope_id in numbers.items()})
        self._first_free_id += len(new)
        self._known = None
