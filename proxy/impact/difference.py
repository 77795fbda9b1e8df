"""The exact difference between two policies: who gains or loses which action in which region of scopes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache

from proxy.authorise.decision import Action, Effect
from proxy.authorise.reach import Reach, patterns
from proxy.authorise.regions import ABSENT, ALL, NOWHERE, Region, Values
from proxy.authorise.rules import PolicyLine
from proxy.authorise.spelling import spelled
from proxy.pattern import SELF
from proxy.principal import Principal

_PROFILES_KEPT = 4_096

Lines = tuple[PolicyLine, ...]


class Way(StrEnum):
    """In which direction something changes."""

    GAINS = "gains"
    LOSES = "loses"


@dataclass(frozen=True, slots=True)
class Change:
    """``actions`` that become, or cease to be, allowed in ``patterns``.

    Of a gain, ``allowed_by`` are lines of the new policy and ``denied_by`` lines of the old one that stood against it;
    of a loss the other way round. ``private`` says that it reaches private scopes of other principals.
    """

    way: Way
    actions: tuple[Action, ...]
    patterns: tuple[str, ...]
    allowed_by: tuple[str, ...]
    denied_by: tuple[str, ...]
    private: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Principals for whom the very same changes."""

    principals: tuple[str, ...]
    changes: tuple[Change, ...]


class Difference:
    """What principals gain and lose from ``old`` to ``new``, for every conceivable scope.

    ``private`` are the dimensions that bind a scope to one principal, ``order`` is how patterns are spelled. A
    principal that neither policy names may do nothing by either, and so gains and loses nothing.
    """

    def __init__(self, old: Reach, new: Reach, private: Collection[str], order: Sequence[str]) -> None:
        self.old = old
        self.new = new
        self._private = frozenset(private)
        self._order = order
        self._profile = lru_cache(_PROFILES_KEPT)(self._compared)
        self._delta = lru_cache(_PROFILES_KEPT)(_delta)

    @cached_property
    def principals(self) -> tuple[Principal, ...]:
        """All that either policy names, by name."""
        return tuple(sorted({*self.old.principals, *self.new.principals}, key=str))

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """Everything that changes, the same changes for several principals once; gains first.

        ``{self}`` stands for each one's own name.

        Raises:
            RegionLimitError: the patterns are too ragged.
        """
        found: dict[tuple[Change, ...], list[str]] = defaultdict(list)
        for principal in self.principals:
            if changes := self._changes(principal):
                found[changes].append(str(principal))
        groups = [Group(tuple(names), changes) for changes, names in found.items()]
        return tuple(sorted(groups, key=lambda group: (group.changes[0].way, group.principals)))

    def gained(self, principal: Principal, action: Action) -> Region:
        """Where the principal may do ``action`` by the new policy but not by the old."""
        return self._delta(self.old.lines(principal), self.new.lines(principal), action, principal.name)

    def lost(self, principal: Principal, action: Action) -> Region:
        """Where the principal may do ``action`` by the old policy but not by the new."""
        return self._delta(self.new.lines(principal), self.old.lines(principal), action, principal.name)

    def _changes(self, principal: Principal) -> tuple[Change, ...]:
        before, after = self.old.lines(principal), self.new.lines(principal)
        literals = {term.value for line in (*before, *after) for term in line.pattern.literals}
        # Under the sign {self}, which is no value, all principals with the same lines are one; but a name that a line
        # spells out as well must be told from the others.
        return self._profile(before, after, principal.name if principal.name in literals else SELF)

    def _compared(self, before: Lines, after: Lines, name: str) -> tuple[Change, ...]:
        by_meaning: dict[Change, list[Action]] = defaultdict(list)
        for action in Action:
            for change in self._of_action(before, after, action, name):
                by_meaning[change].append(action)
        return tuple(
            Change(each.way, tuple(actions), each.patterns, each.allowed_by, each.denied_by, each.private)
            for each, actions in sorted(by_meaning.items(), key=lambda item: (item[0].way, item[0].patterns))
        )

    def _of_action(self, before: Lines, after: Lines, action: Action, name: str) -> Iterator[Change]:
        for way, had, has in ((Way.GAINS, before, after), (Way.LOSES, after, before)):
            if region := _delta(had, has, action, name):
                yield Change(
                    way,
                    (),
                    spelled(region, self._order),
                    _meeting(has, Effect.ALLOW, action, region, name),
                    _meeting(had, Effect.DENY, action, region, name),
                    bool(region & self._others_private(name)),
                )

    def _others_private(self, name: str) -> Region:
        """All scopes that are bound to somebody else than ``name``."""
        someone_else = Values(frozenset({ABSENT, name}), inverted=True)
        regions = [Region((dimension,), ((someone_else, ALL),)) for dimension in sorted(self._private)]
        return _union(regions)


def _delta(had: Lines, has: Lines, action: Action, name: str) -> Region:
    """Where the lines ``has`` allow ``action`` and the lines ``had`` do not.

    With allows A and denies D: (A_has - A_had - D_has) and (A_has & D_had - D_has), of which the first begins with
    what the two have in common taken out, so that a small change stays a small sum.
    """
    allows, denies = (_region(has, action, effect, name) for effect in (Effect.ALLOW, Effect.DENY))
    allowed, denied = (_region(had, action, effect, name) for effect in (Effect.ALLOW, Effect.DENY))
    if _same(allows, allowed) and _same(denies, denied):
        return NOWHERE
    freed = (denied - denies) & allows
    return ((allows - allowed) | freed) - denies


def _same(one: Region, other: Region) -> bool:
    return one.dimensions == other.dimensions and set(one.boxes) == set(other.boxes)


def _region(lines: Lines, action: Action, effect: Effect, name: str) -> Region:
    return Region.of(patterns(lines, action, effect), name)


def _meeting(lines: Lines, effect: Effect, action: Action, region: Region, name: str) -> tuple[str, ...]:
    """The lines of that effect on ``action`` that are about some scope of ``region``."""
    concerned = (line for line in lines if line.effect is effect and action in line.actions)
    return tuple(line.place for line in concerned if Region.of([line.pattern], name) & region)


def _union(regions: Sequence[Region]) -> Region:
    joined = NOWHERE
    for region in regions:
        joined |= region
    return joined
