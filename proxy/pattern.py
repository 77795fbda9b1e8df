"""Scope patterns: the language in which ``policy.csv`` and ``pii.yaml`` say which scopes a line is about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from store.scope import EMPTY_PATH, MAX_TERMS, Scope, ScopeError, Term, checked_dimension

ANY = "*"
SELF = "{self}"
OPEN = "/**"


class PatternError(ValueError):
    """Not a scope pattern. ``offset`` is where in the text, in characters, the part at fault begins."""

    def __init__(self, message: str, offset: int = 0) -> None:
        self.offset = offset
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class ScopePattern:
    """A set of scopes: exactly the dimensions named, or with a trailing ``/**`` those and everything that contains it.

    The value ``*`` stands for any value and ``{self}`` for the caller's own name, compared as a value. ``/`` is the
    empty scope alone and ``/**`` every scope.

    >>> ScopePattern.parse("org/acme/agent/{self}").matches(Scope.parse("org/acme/agent/ana"), "ana")
    True
    >>> ScopePattern.parse("org/acme").matches(Scope.parse("org/acme/agent/ana"), "ana")
    False
    """

    text: str
    literals: frozenset[Term]
    wildcards: frozenset[str]
    selves: frozenset[str]
    open: bool

    @classmethod
    def parse(cls, text: str, *, self_allowed: bool = True) -> ScopePattern:
        """Read a pattern.

        Raises:
            PatternError: it is not one; says which part and what is allowed there.
        """
        is_open = text.endswith(OPEN)
        body = text.removesuffix(OPEN)
        literals: dict[str, Term] = {}
        wildcards: set[str] = set()
        selves: set[str] = set()
        for offset, dimension, value in _terms(text, body):
            if dimension in literals or dimension in wildcards or dimension in selves:
                raise PatternError(f"dimension {dimension!r} is given twice", offset)
            if value == ANY:
                wildcards.add(dimension)
            elif value == SELF and self_allowed:
                selves.add(dimension)
            else:
                literals[dimension] = _literal(dimension, value, offset, self_allowed=self_allowed)
        if len(literals) + len(wildcards) + len(selves) > MAX_TERMS:
            raise PatternError(f"a scope has at most {MAX_TERMS} terms")
        return cls(text, frozenset(literals.values()), frozenset(wildcards), frozenset(selves), is_open)

    @property
    def dimensions(self) -> frozenset[str]:
        """The dimensions that every matching scope has."""
        return frozenset(term.dimension for term in self.literals) | self.wildcards | self.selves

    def matches(self, scope: Scope, self_name: str | None = None) -> bool:
        """Whether ``scope`` is in the set, ``{self}`` standing for ``self_name`` (``None`` matches no value)."""
        if not self.literals <= scope.terms:
            return False
        named = len(self.literals) + len(self.wildcards) + len(self.selves)
        if len(scope.terms) < named or (len(scope.terms) > named and not self.open):
            return False
        if any(self_name is None or Term(dimension, self_name) not in scope.terms for dimension in self.selves):
            return False
        return not self.wildcards or self.wildcards <= scope.dimensions

    def bound(self, self_name: str) -> str:
        """The pattern's text with ``{self}`` written out, to show to its caller."""
        return self.text.replace(SELF, self_name)

    def __str__(self) -> str:
        return self.text


@lru_cache(maxsize=65_536)
def parse_pattern(text: str) -> ScopePattern:
    """``ScopePattern.parse``, remembered: Casbin hands over the text anew for every line of every decision."""
    return ScopePattern.parse(text)


def _terms(text: str, body: str) -> Iterator[tuple[int, str, str]]:
    """(offset, dimension, value) of each pair of ``body``; the dimension is checked, the value is not."""
    if text in {EMPTY_PATH, OPEN}:
        return
    if not body:
        raise PatternError("a scope pattern is empty; the empty scope is spelled / and every scope /**")
    if body.startswith("/") or body.endswith("/"):
        raise PatternError(
            f"pattern {ascii(text)[:80]} neither begins nor ends with /;"
            " write org/acme, or org/acme/** for everything below"
        )
    parts = body.split("/")
    if "" in parts:
        raise PatternError("a part between two / is empty", body.index("//") + 1)
    if len(parts) % 2:
        hint = "; ** only stands at the end" if "**" in parts else ""
        raise PatternError(f"{ascii(parts[-1])[:40]} has no value; write dimension/value pairs such as org/acme{hint}")
    offset = 0
    for dimension, value in zip(parts[::2], parts[1::2], strict=True):
        try:
            checked_dimension(dimension)
        except ScopeError as error:
            raise PatternError(str(error), offset) from None
        yield offset, dimension, value
        offset += len(dimension) + len(value) + 2


def _literal(dimension: str, value: str, offset: int, *, self_allowed: bool) -> Term:
    try:
        return Term.checked(dimension, value)
    except ScopeError as error:
        allowed = "* for any, or {self}" if self_allowed else "or * for any ({self} has no meaning here)"
        message = f"{error}; {allowed}"
        raise PatternError(message, offset + len(dimension) + 1) from None
