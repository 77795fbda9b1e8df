"""Which of the known scopes may be read through a lens, without asking about one scope after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxy.authorise.decision import Action, Effect
from proxy.authorise.index import PolicyIndex, Probe, View
from proxy.authorise.registry import Codes, Group, Rows, ScopeRegistry
from proxy.authorise.rules import PolicyLine
from proxy.principal import Principal
from store.scope import Direction, Scope

# Fewer rows than this are sooner decided one by one than as columns.
FEW_ROWS: Final = 48
# Looking up one line in the columns costs about as much as holding so many rows against all lines of its shape.
ROWS_PER_LINE: Final = 300

# The scopes that remembered answers may hold together.
SCOPES_KEPT: Final = 2_000_000

_NO_LINE: Final = np.iinfo(np.int32).max
_PACKED_MAX: Final = 2**62


@dataclass(frozen=True, slots=True)
class Readable:
    """The scopes that may be read, and the numbers of the policy lines that decided so."""

    scopes: frozenset[Scope]
    lines: frozenset[int]


class _Found(NamedTuple):
    """Rows that lines of one shape match, each with the number of the first such line."""

    rows: Rows
    numbers: Codes


_NOTHING = _Found(np.empty(0, np.intp), np.empty(0, np.int32))


def readable(view: View, name: str, lens: Scope, direction: Direction, registry: ScopeRegistry) -> Readable:
    """Exactly those known scopes that are seen through the lens and that the view allows ``name`` to read.

    Ancestors of the lens are looked up, at most 256. What lies below it is found in the registry's columns: for each
    group of scopes and each shape of lines, by as many look-ups as there are lines or in one pass over the rows.

    Raises:
        ScopeError: the lens is no scope.
    """
    search = _Search(view, name, lens, registry)
    if direction is not Direction.DESCENDANTS:
        search.above(itself=direction is Direction.ANCESTORS)
    if direction is not Direction.ANCESTORS:
        search.below()
    return search.result()


class ReadableMemory:
    """The answers of one policy about one registry, the latest: kept until it changes or until they grow too large."""

    __slots__ = ("_answers", "_index")

    def __init__(self, index: PolicyIndex) -> None:
        self._index = index
        self._answers = _Answers(-1)

    def ask(self, principal: Principal, lens: Scope, direction: Direction, registry: ScopeRegistry) -> Readable:
        """``readable``, or what it said before.

        Raises:
            PrincipalError: the principal was never checked and is none.
            ScopeError: the lens is no scope.
        """
        answers = self._answers
        if answers.registry_version != registry.version:
            answers = self._answers = _Answers(registry.version)
        question = (principal, lens, direction)
        known = answers.by_question.get(question)
        if known is not None:
            return known
        view = self._index.view(principal, Action.READ)
        found = readable(view, principal.name, lens, direction, registry)
        answers.keep(question, found)
        return found


class _Answers:
    """Answers about one registry, and how many scopes they hold together."""

    def __init__(self, registry_version: int) -> None:
        self.registry_version = registry_version
        self.by_question: dict[tuple[Principal, Scope, Direction], Readable] = {}
        self._weight = 0

    def keep(self, question: tuple[Principal, Scope, Direction], answer: Readable) -> None:
        self._weight += 1 + len(answer.scopes)
        if self._weight > SCOPES_KEPT:
            self.by_question.clear()
            self._weight = 1 + len(answer.scopes)
        self.by_question[question] = answer


class _Search:
    """One question on its way: what is allowed, what is not, and by which lines."""

    def __init__(self, view: View, name: str, lens: Scope, registry: ScopeRegistry) -> None:
        self._view = view
        self._name = name
        self._lens = lens
        self._registry = registry
        self._within = registry.coded(lens.values)
        self._single: list[Scope] = []
        self._grouped: list[tuple[Group, NDArray[np.bool_]]] = []
        self._lines: set[int] = set()

    def above(self, *, itself: bool) -> None:
        """Decide the known scopes whose terms are some of the lens's, or all of them."""
        terms = tuple(self._lens.terms)
        sizes = range(len(terms) + (1 if itself else 0))
        for some in chain.from_iterable(combinations(terms, size) for size in sizes):
            scope = Scope(frozenset(some))
            if scope in self._registry.known:
                self._decide(scope)

    def below(self) -> None:
        """Decide the known scopes that contain the lens."""
        for scope in self._registry.recent:
            if self._lens <= scope:
                self._decide(scope)
        if self._within is None:
            return
        for group in self._registry.groups:
            if self._lens.dimensions <= group.dimensions:
                self._decide_group(group, self._within)

    def result(self) -> Readable:
        """What was found."""
        lines = frozenset(self._lines)
        count = sum(int(allowed.sum()) for _, allowed in self._grouped)
        if 2 * count <= len(self._registry.known):
            picked = (_picked(group, allowed) for group, allowed in self._grouped)
            return Readable(frozenset(chain(self._single, *picked)), lines)
        # A set made of another takes over its hashes: where most may be read, gather what may not.
        refused = self._refused()
        return Readable(self._registry.known - refused if refused else self._registry.known, lines)

    def _refused(self) -> frozenset[Scope]:
        masks = {id(group): allowed for group, allowed in self._grouped}
        groups = (
            _picked(group, ~masks[id(group)]) if id(group) in masks else group.scopes for group in self._registry.groups
        )
        return frozenset(chain(self._registry.recent, *groups)).difference(self._single)

    def _decide(self, scope: Scope) -> None:
        line = self._view.deciding(self._name, scope)
        if line is not None and line.effect is Effect.ALLOW:
            self._single.append(scope)
            self._lines.add(line.number)

    def _decide_group(self, group: Group, within: Mapping[str, int]) -> None:
        rows = group.rows_with(within)
        if len(rows) <= FEW_ROWS:
            for row in rows:
                self._decide(group.scopes[row])
            return
        first = np.full(len(group.scopes), _NO_LINE, np.int32)
        for found in self._matching(self._view.allow, group, within):
            first[found.rows] = np.minimum(first[found.rows], found.numbers)
        for found in self._matching(self._view.deny, group, within):
            first[found.rows] = _NO_LINE
        allowed = first != _NO_LINE
        self._lines.update(np.unique(first[allowed]).tolist())
        self._grouped.append((group, allowed))

    def _matching(self, probes: Sequence[Probe], group: Group, within: Mapping[str, int]) -> Iterator[_Found]:
        for probe in probes:
            if probe.shape.fits(group.dimensions):
                terms = self._bound(probe, within)
                if terms is not None:
                    yield self._matched(probe, group, terms)

    def _bound(self, probe: Probe, within: Mapping[str, int]) -> Mapping[str, int] | None:
        """The coded terms that lens and ``{self}`` ask for, or ``None`` where they contradict each other."""
        if not probe.shape.selves:
            return within
        own = self._registry.coded(dict.fromkeys(probe.shape.selves, self._name))
        if own is None or any(within.get(dimension, code) != code for dimension, code in own.items()):
            return None
        return {**within, **own}

    def _matched(self, probe: Probe, group: Group, terms: Mapping[str, int]) -> _Found:
        """The rows with these terms that a line of the probe matches."""
        rows = group.rows_with(terms)
        if not len(rows):
            return _NOTHING
        free = tuple(dimension for dimension in probe.shape.literals if dimension not in self._lens.values)
        lines = tuple(self._view.agreeing(probe, self._lens.values))
        if not free:
            return _Found(rows, np.full(len(rows), lines[0].number, np.int32)) if lines else _NOTHING
        if len(lines) * ROWS_PER_LINE <= len(rows):
            return _looked_up(lines, free, group, terms, self._registry)
        if len(lines) > len(rows):
            return _row_by_row(probe, rows, group)
        return _compared(lines, free, rows, group, self._registry)


def _picked(group: Group, mask: NDArray[np.bool_]) -> list[Scope]:
    return [group.scopes[row] for row in np.flatnonzero(mask).tolist()]


def _looked_up(
    lines: Sequence[PolicyLine],
    free: Sequence[str],
    group: Group,
    terms: Mapping[str, int],
    registry: ScopeRegistry,
) -> _Found:
    """The rows of each line, found by its rarest value."""
    rows: list[Rows] = []
    numbers: list[int] = []
    for line, codes in _coded(lines, free, registry):
        rows.append(group.rows_with({**terms, **codes}))
        numbers.append(line.number)
    if not rows:
        return _NOTHING
    return _Found(np.concatenate(rows), np.repeat(np.array(numbers, np.int32), [len(each) for each in rows]))


def _row_by_row(probe: Probe, rows: Rows, group: Group) -> _Found:
    """The rows whose values are a key of the probe's table."""
    found = [(row, probe.line_with(dict(group.scopes[row].terms))) for row in rows.tolist()]
    matching = [(row, line.number) for row, line in found if line is not None]
    return _Found(
        np.array([row for row, _ in matching], np.intp), np.array([number for _, number in matching], np.int32)
    )


def _compared(
    lines: Sequence[PolicyLine], free: Sequence[str], rows: Rows, group: Group, registry: ScopeRegistry
) -> _Found:
    """The rows whose values, packed into one number, are those of a line: one pass over the rows."""
    coded = list(_coded(lines, free, registry))
    if not coded:
        return _NOTHING
    of_lines = [np.array([codes[dimension] for _, codes in coded], np.int64) for dimension in free]
    of_rows = [group.columns[dimension][rows] for dimension in free]
    wanted, present = _packed(of_lines, of_rows, [registry.radix(dimension) for dimension in free])
    order = np.argsort(wanted)
    numbers = np.array([line.number for line, _ in coded], np.int32)[order]
    at = np.minimum(np.searchsorted(wanted, present, sorter=order), len(order) - 1)
    hit = wanted[order[at]] == present
    return _Found(rows[hit], numbers[at[hit]])


def _packed(
    wanted: Sequence[NDArray[np.int64]], present: Sequence[Codes], radices: Sequence[int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each tuple of codes as one number, equal where the tuples are equal."""
    split = len(wanted[0])
    packed = np.zeros(split + len(present[0]), np.int64)
    above = 1
    for lines, rows, radix in zip(wanted, present, radices, strict=True):
        if above * radix > _PACKED_MAX:
            # Numbers that would not fit are renumbered densely: there are no more of them than lines and rows.
            distinct, packed = np.unique(packed, return_inverse=True)
            above = len(distinct)
        packed = packed * radix + np.concatenate((lines, rows))
        above *= radix
    return packed[:split], packed[split:]


def _coded(
    lines: Sequence[PolicyLine], free: Sequence[str], registry: ScopeRegistry
) -> Iterator[tuple[PolicyLine, Mapping[str, int]]]:
    """The lines whose free literals occur in some known scope, with their codes."""
    for line in lines:
        literals: Mapping[str, str] = {term.dimension: term.value for term in line.pattern.literals}
        codes = registry.coded({dimension: literals[dimension] for dimension in free})
        if codes is not None:
            yield line, codes
