"""Regions: exact, possibly infinite sets of scopes, with union, intersection and difference.

A region is a union of boxes. A box gives every dimension a set of values that is finite or leaves out finitely many,
and counts "no value" among them; all dimensions that it does not name are one axis more, on which only "none of them"
and "some of them" are told apart. Every scope pattern is such a box. Boxes are closed under intersection, and a box
without another is a few disjoint boxes: the sharp product of cube calculus (Brayton et al., "Logic Minimization
Algorithms for VLSI Synthesis", 1984), here over infinite axes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from proxy.pattern import ScopePattern
from store.scope import MAX_TERMS, Scope

MAX_BOXES = 5_000

ABSENT = ""


class RegionLimitError(ValueError):
    """A region is too ragged to be worked out. The message names the limit."""


@dataclass(frozen=True, slots=True)
class Values:
    """Values of one dimension: those listed, or where ``inverted`` all but those. ``ABSENT`` counts as a value."""

    listed: frozenset[str]
    inverted: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether no value is in it."""
        return not self.listed and not self.inverted

    def meets(self, other: Values) -> bool:
        """Whether the two share a value."""
        if self.inverted:
            return other.inverted or not other.listed <= self.listed
        return not (self.listed <= other.listed if other.inverted else self.listed.isdisjoint(other.listed))

    def __and__(self, other: Values) -> Values:
        if self.inverted and other.inverted:
            return Values(self.listed | other.listed, inverted=True)
        if self.inverted:
            return Values(other.listed - self.listed)
        if other.inverted:
            return Values(self.listed - other.listed)
        return Values(self.listed & other.listed)

    def __or__(self, other: Values) -> Values:
        return ~(~self & ~other)

    def __invert__(self) -> Values:
        return Values(self.listed, not self.inverted)

    def __contains__(self, value: str) -> bool:
        return (value in self.listed) is not self.inverted


ALL = Values(frozenset(), inverted=True)
PRESENT = Values(frozenset({ABSENT}), inverted=True)
MISSING = Values(frozenset({ABSENT}))

Box = tuple[Values, ...]
"""The values on each axis: the dimensions of a region in order, and last all others together."""


@dataclass(frozen=True, slots=True)
class Region:
    """A set of scopes. ``dimensions`` are those that its boxes tell apart, by name.

    >>> below = Region.of([ScopePattern.parse("org/acme/**")]) - Region.of([ScopePattern.parse("org/acme")])
    >>> Scope.parse("org/acme") in below, Scope.parse("org/acme/agent/ana") in below
    (False, True)
    """

    dimensions: tuple[str, ...]
    boxes: tuple[Box, ...]

    @classmethod
    def of(cls, patterns: Iterable[ScopePattern], self_name: str | None = None) -> Region:
        """All scopes that some of the patterns match, ``{self}`` standing for ``self_name`` (``None``: no value)."""
        distinct = list(dict.fromkeys(patterns))
        dimensions = tuple(sorted(frozenset[str]().union(*(pattern.dimensions for pattern in distinct))))
        boxes = (_box(pattern, self_name, dimensions) for pattern in distinct)
        return cls(dimensions, _possible(boxes))

    def on(self, dimensions: Iterable[str]) -> Region:
        """The same scopes, told apart by these dimensions as well."""
        wanted = tuple(sorted({*self.dimensions, *dimensions}))
        region = self
        for dimension in wanted:
            if dimension not in region.dimensions:
                region = region._with(dimension)
        return region

    def merged(self) -> Region:
        """The same scopes with boxes joined that differ on one axis only."""
        boxes: Sequence[Box] = self.boxes
        before = 0
        while len(boxes) != before:
            before = len(boxes)
            for at in range(len(self.dimensions) + 1):
                boxes = _joined(boxes, at)
        return Region(self.dimensions, tuple(boxes))

    def __or__(self, other: Region) -> Region:
        mine, theirs = self.on(other.dimensions), other.on(self.dimensions)
        return Region(mine.dimensions, tuple(dict.fromkeys(mine.boxes + theirs.boxes)))

    def __and__(self, other: Region) -> Region:
        mine, theirs = self.on(other.dimensions), other.on(self.dimensions)
        return Region(mine.dimensions, _possible(_overlap(a, b) for a in mine.boxes for b in theirs.boxes))

    def __sub__(self, other: Region) -> Region:
        """What is in this region and not in ``other``.

        Raises:
            RegionLimitError: it takes more than ``MAX_BOXES`` boxes.
        """
        mine, theirs = self.on(other.dimensions), other.on(self.dimensions)
        taken = set(theirs.boxes)
        boxes = [box for box in mine.boxes if box not in taken]
        # A thousand lines that each deny one project are one box without a thousand projects.
        for away in theirs.merged().boxes if boxes else ():
            boxes = [piece for box in boxes for piece in without(box, away)]
            if len(boxes) > MAX_BOXES:
                raise RegionLimitError(f"these patterns fall into more than {MAX_BOXES} parts (limit MAX_BOXES)")
        return Region(mine.dimensions, tuple(boxes))

    def __le__(self, other: Region) -> bool:
        return not self - other

    def __bool__(self) -> bool:
        return bool(self.boxes)

    def __contains__(self, scope: Scope) -> bool:
        found = dict(scope.terms)
        point = [found.pop(dimension, ABSENT) for dimension in self.dimensions]
        point.append(next(iter(found), ABSENT))
        return any(all(value in axis for value, axis in zip(point, box, strict=True)) for box in self.boxes)

    def _with(self, dimension: str) -> Region:
        """The same scopes, told apart by one dimension more."""
        dimensions = tuple(sorted((*self.dimensions, dimension)))
        at = dimensions.index(dimension)
        boxes = tuple((*box[:at], axis, *box[at:-1], others) for box in self.boxes for axis, others in _split(box[-1]))
        return Region(dimensions, boxes)


NOWHERE = Region((), ())


def is_possible(box: Sequence[Values]) -> bool:
    """Whether some scope lies in the box: no axis is empty, and not more terms are asked for than a scope has."""
    return not any(axis.is_empty for axis in box) and sum(ABSENT not in axis for axis in box) <= MAX_TERMS


def without(box: Box, other: Box) -> Iterator[Box]:
    """``box`` minus ``other``, as disjoint boxes."""
    if not all(mine.meets(theirs) for mine, theirs in zip(box, other, strict=True)):
        yield box
        return
    inside = list(box)
    for at, values in enumerate(other):
        outside = inside[at] & ~values
        piece = (*inside[:at], outside, *inside[at + 1 :])
        if is_possible(piece):
            yield piece
        inside[at] &= values


def _overlap(box: Box, other: Box) -> Box:
    return tuple(mine & theirs for mine, theirs in zip(box, other, strict=True))


def _possible(boxes: Iterable[Box]) -> tuple[Box, ...]:
    return tuple(dict.fromkeys(box for box in boxes if is_possible(box)))


def _joined(boxes: Sequence[Box], at: int) -> list[Box]:
    """The boxes with those made one that differ on axis ``at`` only."""
    groups: dict[Box, Values] = {}
    for box in boxes:
        key = (*box[:at], *box[at + 1 :])
        groups[key] = groups[key] | box[at] if key in groups else box[at]
    return [(*key[:at], values, *key[at:]) for key, values in groups.items()]


def _split(others: Values) -> Iterator[tuple[Values, Values]]:
    """What a dimension may be, taken out of all that are not told apart, and what remains of those."""
    if others != PRESENT:
        yield others, others
        return
    yield PRESENT, ALL
    yield MISSING, PRESENT


def _box(pattern: ScopePattern, self_name: str | None, dimensions: Sequence[str]) -> Box:
    named = {term.dimension: Values(frozenset({term.value})) for term in pattern.literals}
    named |= dict.fromkeys(pattern.wildcards, PRESENT)
    named |= dict.fromkeys(pattern.selves, Values(frozenset() if self_name is None else frozenset({self_name})))
    others = ALL if pattern.open else MISSING
    return (*(named.get(dimension, others) for dimension in dimensions), others)
