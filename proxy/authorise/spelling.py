"""Regions as text: patterns as in ``policy.csv`` where one can say it, and a few signs more where none can.

{a,b}       one of these values           *-{a,b}   any value but these
name?/…     or no ``name`` at all         !name     no ``name``
/+          at the end: what is matched so far with at least one dimension more, but not without
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from proxy.authorise.regions import ABSENT, ALL, MISSING, PRESENT, Box, Region, Values, is_possible
from proxy.pattern import ANY, OPEN

LEGEND = {
    "{": "{a,b} is one of these values",
    "*-": "*-{a} is any value but a",
    "?": "name?/… also means scopes without that dimension",
    "!": "!name means scopes without that dimension",
    "+": "a final /+ is everything strictly below",
}

_MAX_WIDENED = 128
_MAX_SPLIT = 3
_MORE = "/+"


@dataclass(frozen=True, slots=True)
class _Shape:
    """What one printed pattern says: the axes that it names, and how it ends. ``region`` is what it means."""

    named: tuple[tuple[str, Values], ...]
    others: Values
    region: Region

    @property
    def breadth(self) -> tuple[int, int]:
        """How little it names: broader shapes come later."""
        return -len(self.named), -sum(not values.inverted for _, values in self.named)


def spelled(region: Region, order: Sequence[str] = ()) -> tuple[str, ...]:
    """Patterns that together mean exactly ``region``; none of them can be left out.

    ``order`` is how dimensions follow each other. Each box is widened as far as the region allows, those are dropped
    that the others cover, and what remains is narrowed where that reads better: the steps EXPAND, IRREDUNDANT and
    REDUCE of the minimiser Espresso (Brayton et al., 1984). A region of more than 128 boxes is spelled box by box.
    """
    merged = region.merged()
    if len(merged.boxes) > _MAX_WIDENED:
        shapes = [_shape(merged.dimensions, box, merged) for box in merged.boxes]
    else:
        widened = dict.fromkeys(_widened(merged, box) for box in merged.boxes)
        shapes = _needed([_shape(merged.dimensions, box, merged) for box in widened])
        for shape in shapes:
            others = [other for other in shapes if other is not shape]
            shapes = [*others, _plainer(shape, others)]
        shapes = _needed([piece for shape in shapes for piece in _exact_apart(shape)])
    rank = {dimension: at for at, dimension in enumerate(order)}
    return tuple(sorted({_text(shape, rank) for shape in shapes}))


def legend(texts: Iterable[str]) -> list[str]:
    """What those signs mean that occur in ``texts`` and that no policy file knows."""
    joined = " ".join(texts).replace("{self}", "").replace("*-{", "*-")
    return [meaning for sign, meaning in LEGEND.items() if sign in joined]


def _widened(region: Region, box: Box) -> Box:
    """``box`` with each axis in turn as wide as ``region`` lets it be."""
    for at in range(len(box)):
        whole = (*box[:at], ALL, *box[at + 1 :])
        beyond = Region(region.dimensions, (whole,)) - region
        widest = ALL
        for outside in beyond.boxes:
            widest &= ~outside[at]
        gained = (*box[:at], widest & ~box[at], *box[at + 1 :])
        # Where a scope has no room for more terms, naming more would only look like more.
        if is_possible(gained):
            box = (*box[:at], box[at] | widest, *box[at + 1 :])
    return box


def _shape(dimensions: tuple[str, ...], box: Box, region: Region) -> _Shape:
    others = box[-1]
    named = dict(zip(dimensions, box[:-1], strict=True))
    boxes = [box]
    for at, dimension in enumerate(dimensions):
        if others == PRESENT and box[at] == ALL:
            # "At least one dimension more" may mean this one as well, if the region has that.
            below = (*box[:at], PRESENT, *box[at + 1 : -1], ALL)
            if Region(dimensions, (below,)) <= region:
                boxes.append(below)
                del named[dimension]
        elif others != PRESENT and box[at] == others:
            del named[dimension]
    return _Shape(tuple(named.items()), others, Region(dimensions, tuple(boxes)))


def _needed(shapes: Sequence[_Shape]) -> list[_Shape]:
    """The shapes without those that the others cover, narrow ones tried first."""
    kept = sorted(shapes, key=lambda shape: shape.breadth)
    for shape in list(kept):
        others = [other for other in kept if other is not shape]
        covered = Region(shape.region.dimensions, tuple(box for other in others for box in other.region.boxes))
        if shape.region <= covered:
            kept = others
    return kept


def _plainer(shape: _Shape, others: Sequence[_Shape]) -> _Shape:
    """``shape`` without "or no such dimension", where the other shapes cover one of the two cases."""
    dimensions = shape.region.dimensions
    for dimension, values in shape.named:
        at = dimensions.index(dimension)
        for case in (values & MISSING, values & PRESENT):
            if case in {values, Values(frozenset())}:
                continue
            box = (*shape.region.boxes[0][:at], case, *shape.region.boxes[0][at + 1 :])
            narrow = _shape(dimensions, box, Region(dimensions, (box,)))
            rest = [box for other in (narrow, *others) for box in other.region.boxes]
            if shape.region <= Region(dimensions, tuple(rest)):
                return narrow
    return shape


def _exact_apart(shape: _Shape) -> Iterator[_Shape]:
    """``shape``, or where it ends with what it names: with and without each dimension that may be missing."""
    optional = [dimension for dimension, values in shape.named if ABSENT in values and values != MISSING]
    if shape.others != MISSING or len(optional) > _MAX_SPLIT:
        yield shape
        return
    dimensions = shape.region.dimensions
    boxes = list(shape.region.boxes)
    for at in map(dimensions.index, optional):
        boxes = [(*box[:at], box[at] & case, *box[at + 1 :]) for box in boxes for case in (MISSING, PRESENT)]
    for box in boxes:
        yield _shape(dimensions, box, Region(dimensions, (box,)))


def _text(shape: _Shape, rank: dict[str, int]) -> str:
    named = sorted(shape.named, key=lambda axis: (rank.get(axis[0], len(rank)), axis[0]))
    body = "/".join(_term(dimension, values) for dimension, values in named)
    ending = {MISSING: "", ALL: OPEN, PRESENT: _MORE}[shape.others]
    return body + ending or "/"


def _term(dimension: str, values: Values) -> str:
    if values == MISSING:
        return f"!{dimension}"
    optional = "?" if ABSENT in values else ""
    return f"{dimension}{optional}/{_values(values)}"


def _values(values: Values) -> str:
    listed = sorted(_listed(values))
    if not values.inverted:
        return listed[0] if len(listed) == 1 else f"{{{','.join(listed)}}}"
    return f"{ANY}-{{{','.join(listed)}}}" if listed else ANY


def _listed(values: Values) -> Iterator[str]:
    return (value for value in values.listed if value != ABSENT)
