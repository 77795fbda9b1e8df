"""Whether anything at all may be read in or below a lens, decided on a few scopes made for the question."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import count

from proxy.authorise.decision import Effect
from proxy.authorise.rules import PolicyLine
from store.scope import MAX_TERMS, Scope, Term


def witnesses(lens: Scope, lines: Collection[PolicyLine], name: str) -> Iterator[Scope]:
    """Scopes of which one is allowed if, and only if, any scope that contains ``lens`` is.

    ``lines`` are all that bear on the question, ``name`` stands for ``{self}``.

    Every scope below the lens that an allowing line matches contains all terms of that line's witness, but for the
    fresh values, which none of them names; so a denying line that matches the witness and everything that contains it
    matches that scope too. A denying line that matches the witness alone is escaped by one dimension more.
    """
    value = _fresh("any", {term.value for line in lines for term in line.pattern.literals} | {name})
    dimension = _fresh("any", {each for line in lines for each in line.pattern.dimensions} | lens.dimensions)
    for line in lines:
        if line.effect is Effect.ALLOW:
            yield from _of_line(lens, line, name, Term(dimension, value))


def _of_line(lens: Scope, line: PolicyLine, name: str, fresh: Term) -> Iterator[Scope]:
    pattern = line.pattern
    terms = lens.terms | pattern.literals | {Term(dimension, name) for dimension in pattern.selves}
    unbound = pattern.wildcards - {term.dimension for term in terms}
    terms |= {Term(dimension, fresh.value) for dimension in unbound}
    # Two values for one dimension make no scope, and the pattern does not match where the lens names more than it does.
    scope = Scope(terms)
    if len(scope.dimensions) != len(terms) or len(terms) > MAX_TERMS or not pattern.matches(scope, name):
        return
    yield scope
    if pattern.open and len(terms) < MAX_TERMS:
        yield Scope(terms | {fresh})


def _fresh(stem: str, taken: set[str] | frozenset[str]) -> str:
    return next(each for each in (f"{stem}{number}" for number in count()) if each not in taken)
