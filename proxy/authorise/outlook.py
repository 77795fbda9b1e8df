"""Whether anything at all may be read in or below a lens, decided on a few scopes made for the question."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import chain, count

from proxy.authorise.decision import Action, Effect
from proxy.authorise.index import PolicyIndex, Probe, View
from proxy.authorise.rules import PolicyLine, Rules
from proxy.principal import Principal
from store.scope import MAX_TERMS, Scope, Term

_STEM = "any"


class Outlook:
    """What one policy lets be read below lenses."""

    __slots__ = ("_dimensions", "_index", "_values")

    def __init__(self, rules: Rules, index: PolicyIndex) -> None:
        self._index = index
        patterns = {id(line.pattern): line.pattern for line in rules.lines}.values()
        self._values = _stems(term.value for pattern in patterns for term in pattern.literals)
        self._dimensions = _stems(chain.from_iterable(pattern.dimensions for pattern in patterns))

    def may_look(self, principal: Principal, lens: Scope) -> bool:
        """Whether the principal may read in ``lens`` or in any conceivable scope below it, existing or not.

        Costs at most a few decisions for each allowing line that agrees with the lens, and most often one.
        """
        view = self._index.view(principal, Action.READ)
        if _denied_throughout(view, principal.name, lens):
            return False
        name = principal.name
        deciding = (view.deciding(name, scope) for scope in self._witnesses(view, name, lens))
        return any(line is not None and line.effect is Effect.ALLOW for line in deciding)

    def _witnesses(self, view: View, name: str, lens: Scope) -> Iterator[Scope]:
        """Scopes of which one is allowed if, and only if, any scope that contains ``lens`` is.

        Every scope below the lens that an allowing line matches contains all terms of that line's witness, but for the
        fresh values, which no line names; so a denying line that matches the witness and everything that contains it
        matches that scope too. A denying line that matches the witness alone is escaped by one dimension more.
        """
        fresh = Term(_fresh(self._dimensions | lens.dimensions), _fresh(self._values | {name}))
        for probe in view.allow:
            if _agrees(probe, name, lens):
                for line in view.agreeing(probe, lens.values):
                    yield from _of_line(lens, line, name, fresh)


def _denied_throughout(view: View, name: str, lens: Scope) -> bool:
    """Whether one line denies the lens and all that contains it."""
    return any(
        line.pattern.matches(lens, name)
        for probe in view.deny
        if probe.shape.open and probe.shape.dimensions <= lens.dimensions
        for line in view.agreeing(probe, lens.values)
    )


def _agrees(probe: Probe, name: str, lens: Scope) -> bool:
    """Whether a scope below the lens may have the probe's shape, whatever its literals."""
    shape = probe.shape
    if not shape.open and not lens.dimensions <= shape.dimensions:
        return False
    return all(lens.values.get(dimension, name) == name for dimension in shape.selves)


def _of_line(lens: Scope, line: PolicyLine, name: str, fresh: Term) -> Iterator[Scope]:
    pattern = line.pattern
    terms = lens.terms | pattern.literals | {Term(dimension, name) for dimension in pattern.selves}
    unbound = pattern.wildcards - {term.dimension for term in terms}
    terms |= {Term(dimension, fresh.value) for dimension in unbound}
    if len(terms) > MAX_TERMS:
        return
    yield Scope(terms)
    if pattern.open and len(terms) < MAX_TERMS:
        yield Scope(terms | {fresh})


def _stems(names: Iterator[str]) -> frozenset[str]:
    """Those of the names that a fresh one could be taken for."""
    return frozenset(name for name in names if name.startswith(_STEM))


def _fresh(taken: Collection[str]) -> str:
    return next(each for each in (f"{_STEM}{number}" for number in count()) if each not in taken)
