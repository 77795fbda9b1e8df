"""What a change does to memories that are stored: how many each principal can read more, or no longer. Only counts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from proxy.authorise.authoriser import Authoriser
from proxy.authorise.decision import Action, Allow
from proxy.authorise.regions import Region
from proxy.impact.difference import Difference, Way
from proxy.impact.version import Version
from proxy.inspection.detector import Detector
from proxy.inspection.draft import Draft
from proxy.inspection.judgement import look
from proxy.inspection.rules import PiiRules
from proxy.principal import Caller, Principal
from store.memory import Memory, Selection
from store.permit import ReadPermit
from store.protocol import MemoryStore
from store.scope import Scope

_PAGE = 200


@dataclass(frozen=True, slots=True)
class ScopeCount:
    """What lies in one scope. ``inspected`` of the memories were looked at, and ``with_findings`` of these had any."""

    scope: Scope
    memories: int
    inspected: int
    with_findings: int


@dataclass(frozen=True, slots=True)
class StoredChange:
    """The scopes with memories that all of ``principals`` gain or lose to read."""

    way: Way
    principals: tuple[str, ...]
    scopes: tuple[ScopeCount, ...]

    @property
    def memories(self) -> int:
        """How many in all."""
        return sum(scope.memories for scope in self.scopes)

    @property
    def inspected(self) -> int:
        """How many of these were looked at."""
        return sum(scope.inspected for scope in self.scopes)

    @property
    def with_findings(self) -> int:
        """In how many of those that were inspected something was found."""
        return sum(scope.with_findings for scope in self.scopes)


@dataclass(frozen=True, slots=True)
class Inspector:
    """Looks for what the publish gate finds, by the rules of ``pii``, wherever a memory lies.

    The verdict in a memory's provenance would not do: what is in a private scope was never inspected.
    """

    detector: Detector
    pii: PiiRules

    async def finds_something(self, memory: Memory) -> bool | None:
        """Whether there is any finding in the memory; ``None`` where the detector failed and nobody knows."""
        draft = Draft(memory.content, memory.metadata)
        search = partial(look, draft, memory.scope, self.pii, self.detector, before_each=lambda: None)
        try:
            return bool(await asyncio.to_thread(search))
        except Exception:  # noqa: BLE001 - counted as not inspected; its message could hold content
            return None


@dataclass(slots=True)
class StoredImpact:
    """Counts what changes in one store; at most ``inspect_at_most`` memories are inspected."""

    store: MemoryStore
    old: Version
    new: Version
    inspector: Inspector
    inspect_at_most: int
    _left: int = field(init=False)

    def __post_init__(self) -> None:
        self._left = self.inspect_at_most

    async def changes(self, difference: Difference) -> tuple[StoredChange, ...]:
        """What each principal gains and loses, the same for several once; gains first. Empty scopes are left out.

        Raises:
            StoreError: the store does not answer.
        """
        known = await self.store.scopes()
        moved = self._moved(difference, known)
        permits: dict[Scope, ReadPermit] = {}
        for found in moved.values():
            permits |= found
        order = sorted(permits, key=self.new.policies.config.path)
        counts = {scope: await self._count(permits[scope], scope) for scope in order}
        return _grouped({key: [counts[scope] for scope in order if scope in found] for key, found in moved.items()})

    def _moved(
        self, difference: Difference, known: frozenset[Scope]
    ) -> dict[tuple[Way, Principal], dict[Scope, ReadPermit]]:
        """The known scopes that each principal gains or loses, with a permit by the version that lets it read them."""
        moved = {}
        for principal in difference.principals:
            gained = difference.gained(principal, Action.READ)
            lost = difference.lost(principal, Action.READ)
            has, had = (version.policies.authoriser for version in (self.new, self.old))
            moved[Way.GAINS, principal] = dict(_permitted(has, principal, gained, known))
            moved[Way.LOSES, principal] = dict(_permitted(had, principal, lost, known))
        return moved

    async def _count(self, permit: ReadPermit, scope: Scope) -> ScopeCount:
        memories = inspected = with_findings = 0
        async for memory in self._all(permit):
            memories += 1
            if self._left:
                self._left -= 1
                found = await self.inspector.finds_something(memory)
                inspected += found is not None
                with_findings += found is True
        return ScopeCount(scope, memories, inspected, with_findings)

    async def _all(self, permit: ReadPermit) -> AsyncIterator[Memory]:
        before: str | None = None
        while page := await self.store.list(permit, Selection(), _PAGE, before):
            for memory in page:
                yield memory
            before = page[-1].id


def _permitted(
    authoriser: Authoriser, principal: Principal, region: Region, known: frozenset[Scope]
) -> Iterator[tuple[Scope, ReadPermit]]:
    caller = Caller(principal, key_id="")
    for scope in known if region else ():
        if scope in region:
            decision = authoriser.may_read_memory(caller, scope)
            if isinstance(decision, Allow):
                yield scope, decision.permit


def _grouped(found: Mapping[tuple[Way, Principal], list[ScopeCount]]) -> tuple[StoredChange, ...]:
    groups: dict[tuple[Way, tuple[ScopeCount, ...]], list[str]] = {}
    for (way, principal), counts in found.items():
        present = tuple(count for count in counts if count.memories)
        if present:
            groups.setdefault((way, present), []).append(str(principal))
    changes = [StoredChange(way, tuple(names), counts) for (way, counts), names in groups.items()]
    return tuple(sorted(changes, key=lambda change: (change.way, -change.memories, change.principals)))
