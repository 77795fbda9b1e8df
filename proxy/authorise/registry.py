"""The scopes that a store knows, laid out so that a policy line is held against all of them at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from math import isqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from store.scope import MAX_TERMS, Scope, ScopeError, Term

# So many new scopes are looked at one by one before they are laid out with the others.
RECENT_LEAST: Final = 256
# So many scopes are compared with the last snapshot in a thread, so that other requests go on.
THREADED_SCOPES: Final = 5_000

Rows = NDArray[np.intp]
Codes = NDArray[np.int32]

_versions = count()


class Group:
    """All scopes that name the same dimensions: one row each, one column of coded values for each dimension."""

    __slots__ = ("_order", "_starts", "columns", "dimensions", "every_row", "scopes")

    def __init__(self, scopes: Sequence[Scope], columns: Mapping[str, Codes]) -> None:
        self.dimensions = frozenset(columns)
        self.columns = columns
        self.scopes = scopes
        self.every_row: Rows = np.arange(len(scopes))
        # By code, the rows that have it: one after the other in _order, from _starts on.
        self._order = {dimension: np.argsort(column, kind="stable") for dimension, column in columns.items()}
        self._starts = {
            dimension: np.concatenate(([0], np.cumsum(np.bincount(column)))) for dimension, column in columns.items()
        }

    def rows_with(self, terms: Mapping[str, int]) -> Rows:
        """The rows that have these coded values; costs about as much as there are rows with the rarest of them."""
        if not terms:
            return self.every_row
        postings = [(self._posting(dimension, code), dimension) for dimension, code in terms.items()]
        rows, rarest = min(postings, key=lambda posting: len(posting[0]))
        for dimension, code in terms.items():
            if dimension != rarest:
                rows = rows[self.columns[dimension][rows] == code]
        return rows

    def extended(self, scopes: Sequence[Scope], columns: Mapping[str, Codes]) -> Group:
        """This group and more rows."""
        both = {dimension: np.concatenate((self.columns[dimension], columns[dimension])) for dimension in columns}
        return Group([*self.scopes, *scopes], both)

    def _posting(self, dimension: str, code: int) -> Rows:
        starts = self._starts[dimension]
        if code + 1 >= len(starts):
            return self.every_row[:0]
        return self._order[dimension][starts[code] : starts[code + 1]]


class ScopeRegistry:
    """A snapshot of the known scopes. Unchanging: ``updated`` makes another, which shares what did not change.

    Snapshots that come from one another share their codes, so make one at a time; ask them at any time.

    ``version`` differs between any two snapshots of a process.
    """

    __slots__ = ("_codes", "_source", "groups", "known", "recent", "version")

    def __init__(
        self,
        source: frozenset[Scope],
        known: frozenset[Scope],
        groups: Sequence[Group],
        recent: Sequence[Scope],
        codes: dict[str, dict[str, int]],
    ) -> None:
        self._source = source
        self._codes = codes
        self.known = known
        self.groups = groups
        self.recent = recent
        self.version = next(_versions)

    @classmethod
    def of(cls, scopes: Iterable[Scope]) -> ScopeRegistry:
        """Lay out these scopes, some microseconds each. What is no scope is left out: nobody may read it."""
        source = scopes if isinstance(scopes, frozenset) else frozenset(scopes)
        return cls(frozenset(), frozenset(), (), (), {}).updated(source)

    def __len__(self) -> int:
        return len(self._source)

    def is_of(self, scopes: frozenset[Scope]) -> bool:
        """Whether this is a snapshot of just this set, the very object."""
        return scopes is self._source

    def updated(self, scopes: frozenset[Scope]) -> ScopeRegistry:
        """A snapshot of these scopes and of those that this one holds; this very one where none of them is new.

        Costs a set difference, and for each new scope some microseconds.
        """
        if scopes is self._source:
            return self
        new = scopes - self._source
        if not new:
            return self
        source = scopes if len(self._source) + len(new) == len(scopes) else self._source | scopes
        sound = frozenset(scope for scope in new if _is_coded(scope, self._codes))
        known = source if len(self.known) + len(sound) == len(source) else self.known | sound
        recent = [*self.recent, *sound]
        if len(recent) <= max(RECENT_LEAST, isqrt(len(known))):
            return ScopeRegistry(source, known, self.groups, recent, self._codes)
        return ScopeRegistry(source, known, _laid_out(recent, self.groups, self._codes), (), self._codes)

    def coded(self, values: Mapping[str, str]) -> Mapping[str, int] | None:
        """The codes of these values by dimension, or ``None`` where one occurs in no group."""
        codes: dict[str, int] = {}
        for dimension, value in values.items():
            code = self._codes.get(dimension, {}).get(value)
            if code is None:
                return None
            codes[dimension] = code
        return codes

    def radix(self, dimension: str) -> int:
        """A number above every code of the dimension."""
        return len(self._codes.get(dimension, ()))


class KnownScopes:
    """The latest snapshot of what one store knows. A store never forgets a scope, and neither does this."""

    def __init__(self) -> None:
        self._latest = ScopeRegistry.of(())
        self._changing = asyncio.Lock()

    async def snapshot(self, scopes: frozenset[Scope]) -> ScopeRegistry:
        """A snapshot that holds ``scopes``; at once if they are the very set that was last asked about."""
        if self._latest.is_of(scopes):
            return self._latest
        async with self._changing:
            if len(scopes) < THREADED_SCOPES:
                self._latest = self._latest.updated(scopes)
            else:
                self._latest = await asyncio.to_thread(self._latest.updated, scopes)
            return self._latest


def _is_coded(scope: Scope, codes: dict[str, dict[str, int]]) -> bool:
    """Give every value of the scope a code, unless it is no scope. Each distinct term is checked once."""
    if len(scope.terms) > MAX_TERMS or len({term[0] for term in scope.terms}) != len(scope.terms):
        return False
    for dimension, value in scope.terms:
        known = codes.get(dimension)
        if known is None or value not in known:
            try:
                Term.checked(dimension, value)
            except ScopeError:
                return False
            known = codes.setdefault(dimension, {})
            known[value] = len(known)
    return True


def _laid_out(
    scopes: Iterable[Scope], groups: Iterable[Group], codes: Mapping[str, Mapping[str, int]]
) -> Sequence[Group]:
    """The groups with these scopes added."""
    added: dict[frozenset[str], list[Scope]] = {}
    for scope in scopes:
        added.setdefault(frozenset([term[0] for term in scope.terms]), []).append(scope)
    extended = {group.dimensions: group for group in groups}
    for dimensions, members in added.items():
        columns = _columns(dimensions, members, codes)
        group = extended.get(dimensions)
        extended[dimensions] = Group(members, columns) if group is None else group.extended(members, columns)
    return tuple(extended.values())


def _columns(
    dimensions: Iterable[str], scopes: Sequence[Scope], codes: Mapping[str, Mapping[str, int]]
) -> Mapping[str, Codes]:
    columns: dict[str, list[int]] = {dimension: [] for dimension in dimensions}
    for scope in scopes:
        for dimension, value in scope.terms:
            columns[dimension].append(codes[dimension][value])
    return {dimension: np.array(column, np.int32) for dimension, column in columns.items()}
