"""The policy lines as an index that answers in a few hash probes, however many lines there are.

The algorithm is tuple space search (Srinivasan, Suri and Varghese, "Packet Classification using Tuple Space Search",
SIGCOMM 1999): lines whose patterns name the same dimensions in the same way share one hash table, keyed by their
literal values. ``{self}`` stays a symbol, so that principals with the same roles share a view.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import chain
from operator import itemgetter
from typing import Final, NamedTuple, TypeVar

from proxy.authorise.decision import Action, Effect
from proxy.authorise.roles import Memberships
from proxy.authorise.rules import PolicyLine, Rules
from proxy.pattern import ScopePattern
from proxy.principal import Principal
from store.scope import Scope

# A subject with this many lines is compiled when the policy loads; others when somebody who has them first asks.
LARGE_LINES: Final = 256
SEATS_KEPT: Final = 65_536
PLANS_KEPT: Final = 4_096

# The literal values of a pattern in the order of its shape: one alone as it is, several as a tuple.
Key = str | tuple[str, ...]
Table = Mapping[Key, PolicyLine]
LookUp = tuple[Callable[[Mapping[str, str]], Key], Callable[[Key], PolicyLine | None]]

_K = TypeVar("_K")
_V = TypeVar("_V")


class Shape(NamedTuple):
    """How patterns name dimensions. Patterns of one shape differ in their literal values alone."""

    literals: tuple[str, ...]
    wildcards: frozenset[str]
    selves: frozenset[str]
    open: bool

    @property
    def dimensions(self) -> frozenset[str]:
        """The dimensions that every matching scope has."""
        return self.wildcards.union(self.literals, self.selves)

    def fits(self, dimensions: frozenset[str]) -> bool:
        """Whether scopes of exactly these dimensions can match, their values permitting."""
        own = self.dimensions
        return own <= dimensions if self.open else own == dimensions


class Probe(NamedTuple):
    """Lines of one shape, action and effect. Of lines with equal patterns the first in the file stands for all."""

    shape: Shape
    table: Table

    def line_with(self, values: Mapping[str, str]) -> PolicyLine | None:
        """The line whose literals are these values, among others."""
        return self.table.get(_key_of(self.shape.literals)(values))


class Plan(NamedTuple):
    """What to look up for scopes of certain dimensions: how to take a key from their values, and where to look."""

    deny: tuple[LookUp, ...]
    allow: tuple[LookUp, ...]


class _Family(NamedTuple):
    actions: tuple[Action, ...]
    effect: Effect
    shape: Shape


class View:
    """What one set of subjects may do by one action, shared by all principals that have just these subjects."""

    __slots__ = ("_bound", "_partial", "_plans", "allow", "deny")

    def __init__(self, deny: tuple[Probe, ...], allow: tuple[Probe, ...]) -> None:
        self.deny = deny
        self.allow = allow
        self._plans: dict[frozenset[str], Plan] = {}
        self._bound: dict[tuple[frozenset[str], tuple[str, ...]], Plan] = {}
        self._partial: dict[tuple[int, tuple[str, ...]], Mapping[Key, list[PolicyLine]]] = {}

    def deciding(self, name: str, scope: Scope) -> PolicyLine | None:
        """The first line in the file that denies, else the first that allows, else ``None``.

        Costs a hash probe for each shape of lines that can match a scope of these dimensions.

        Raises:
            ScopeError: it is no scope.
        """
        values = scope.values
        # Most scopes name the caller nowhere: then no pattern with {self} can match, and the plan is shared by all.
        if name in values.values():
            mine = tuple([dimension for dimension, value in values.items() if value == name])
            plan = self._bound.get((scope.dimensions, mine)) or self._plan_bound(scope.dimensions, mine)
        else:
            plan = self._plans.get(scope.dimensions) or self._plan(scope.dimensions)
        return _first(plan.deny, values) or _first(plan.allow, values)

    def agreeing(self, probe: Probe, values: Mapping[str, str]) -> Iterable[PolicyLine]:
        """The lines of a ``probe`` whose literals agree with ``values`` where both name a dimension.

        The first call with certain dimensions costs a walk over the probe's lines, later ones the lines they return.
        """
        shared = tuple(dimension for dimension in probe.shape.literals if dimension in values)
        if shared == probe.shape.literals:
            line = probe.line_with(values)
            return () if line is None else (line,)
        if not shared:
            return probe.table.values()
        known = self._partial.get((id(probe.table), shared)) or self._partial_index(probe, shared)
        return known.get(_key_of(shared)(values), ())

    def _plan(self, dimensions: frozenset[str]) -> Plan:
        plan = self._planned(dimensions, frozenset())
        return _kept(self._plans, dimensions, plan, PLANS_KEPT)

    def _plan_bound(self, dimensions: frozenset[str], mine: tuple[str, ...]) -> Plan:
        plan = self._planned(dimensions, frozenset(mine))
        return _kept(self._bound, (dimensions, mine), plan, PLANS_KEPT)

    def _planned(self, dimensions: frozenset[str], mine: frozenset[str]) -> Plan:
        deny, allow = (
            tuple(
                (_key_of(shape.literals), table.get)
                for shape, table in probes
                if shape.fits(dimensions) and shape.selves <= mine
            )
            for probes in (self.deny, self.allow)
        )
        return Plan(deny, allow)

    def _partial_index(self, probe: Probe, shared: tuple[str, ...]) -> Mapping[Key, list[PolicyLine]]:
        key_of = _key_of(shared)
        lines: dict[Key, list[PolicyLine]] = defaultdict(list)
        for line in probe.table.values():
            lines[key_of(dict(line.pattern.literals))].append(line)
        # The view holds the table, so that its id is not given to another.
        self._partial[id(probe.table), shared] = dict(lines)
        return lines


class PolicyIndex:
    """The lines of one policy, ready to be asked. Unchanging but for views, which are made when first needed."""

    __slots__ = ("_large", "_memberships", "_seats", "_small", "_views")

    def __init__(self, rules: Rules, memberships: Memberships) -> None:
        self._memberships = memberships
        self._small: dict[str, tuple[PolicyLine, ...]] = {}
        self._large: dict[str, Mapping[_Family, Table]] = {}
        for subject, lines in _by_subject(rules.lines).items():
            if len(lines) < LARGE_LINES:
                self._small[subject] = tuple(lines)
            else:
                self._large[subject] = _compiled(lines)
        self._seats: dict[tuple[str, str, Action], View] = {}
        self._views: dict[tuple[frozenset[str], Action], View] = {}

    def deciding(self, principal: Principal, action: Action, scope: Scope) -> PolicyLine | None:
        """The line that decides: the first that denies, else the first that allows, else ``None``.

        Raises:
            PrincipalError: the principal was never checked and is none.
            ScopeError: the scope was never checked and is none.
        """
        seat = self._seats.get((principal.kind, principal.name, action))
        return (seat or self.view(principal, action)).deciding(principal.name, scope)

    def view(self, principal: Principal, action: Action) -> View:
        """What the principal, by itself and by its roles, may do by ``action``.

        The first call for a set of roles costs a few microseconds for each of their lines, but no more for subjects of
        ``LARGE_LINES`` and up than for small ones.

        Raises:
            PrincipalError: the principal was never checked and is none, or is called like a role.
        """
        seat = (principal.kind, principal.name, action)
        view = self._seats.get(seat)
        if view is not None:
            return view
        checked = Principal.parse(str(principal))
        owners = frozenset(
            subject
            for subject in self._memberships.of(str(checked))
            if subject in self._small or subject in self._large
        )
        view = self._views.get((owners, action)) or self._views.setdefault((owners, action), self._made(owners, action))
        return _kept(self._seats, seat, view, SEATS_KEPT)

    def _made(self, owners: frozenset[str], action: Action) -> View:
        small = _compiled(chain.from_iterable(self._small.get(owner, ()) for owner in owners))
        families = [small, *(self._large[owner] for owner in owners if owner in self._large)]
        return View(*(tuple(_probes(families, action, effect)) for effect in (Effect.DENY, Effect.ALLOW)))


def _first(probes: tuple[LookUp, ...], values: Mapping[str, str]) -> PolicyLine | None:
    first = None
    for key_of, line_with in probes:
        line = line_with(key_of(values))
        if line is not None and (first is None or line.number < first.number):
            first = line
    return first


def _by_subject(lines: Iterable[PolicyLine]) -> Mapping[str, list[PolicyLine]]:
    by_subject: dict[str, list[PolicyLine]] = defaultdict(list)
    for line in lines:
        by_subject[line.subject].append(line)
    return by_subject


def _compiled(lines: Iterable[PolicyLine]) -> Mapping[_Family, Table]:
    tables: dict[_Family, dict[Key, PolicyLine]] = {}
    for line in lines:
        shape = shape_of(line.pattern)
        table = tables.setdefault(_Family(line.actions, line.effect, shape), {})
        _enter(table, _key_of(shape.literals)(dict(line.pattern.literals)), line)
    return tables


def shape_of(pattern: ScopePattern) -> Shape:
    """The shape of a pattern."""
    literals = tuple(sorted(term.dimension for term in pattern.literals))
    return Shape(literals, pattern.wildcards, pattern.selves, pattern.open)


def _probes(compiled: Iterable[Mapping[_Family, Table]], action: Action, effect: Effect) -> Iterator[Probe]:
    """The tables about an action, those of one shape as one, but for large ones: copying them would take its time."""
    small: dict[Shape, dict[Key, PolicyLine]] = {}
    for families in compiled:
        for family, table in families.items():
            if action not in family.actions or effect is not family.effect:
                continue
            if len(table) >= LARGE_LINES:
                yield Probe(family.shape, table)
                continue
            merged = small.setdefault(family.shape, {})
            for key, line in table.items():
                _enter(merged, key, line)
    for shape, merged in small.items():
        yield Probe(shape, merged)


def _enter(table: dict[Key, PolicyLine], key: Key, line: PolicyLine) -> None:
    if table.setdefault(key, line).number > line.number:
        table[key] = line


def _key_of(dimensions: Collection[str]) -> Callable[[Mapping[str, str]], Key]:
    return itemgetter(*dimensions) if dimensions else _no_literals


def _no_literals(_values: Mapping[str, str]) -> Key:
    return ()


def _kept(cache: dict[_K, _V], key: _K, value: _V, limit: int) -> _V:
    """``value``, remembered. What a cache holds is small and soon made again, so a full one starts anew."""
    if len(cache) >= limit:
        cache.clear()
    return cache.setdefault(key, value)
