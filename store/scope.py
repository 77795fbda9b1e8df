"""Scopes: where a memory belongs. Standard library only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

MAX_TERMS = 8
EMPTY_PATH = "/"

_SHOWN_CHARS = 40

_DIMENSION = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)
_VALUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@:+-]{0,127}", re.ASCII)


class ScopeError(ValueError):
    """A scope that is not well formed. The message names the term and says what is allowed."""


class Direction(StrEnum):
    """Which way a read looks from its lens."""

    ANCESTORS = "ancestors"
    DESCENDANTS = "descendants"
    BOTH = "both"


class Term(NamedTuple):
    """One ``dimension=value`` of a scope."""

    dimension: str
    value: str

    @classmethod
    def checked(cls, dimension: object, value: object) -> Term:
        """A term whose parts are well formed.

        Raises:
            ScopeError: naming the part at fault.
        """
        return cls(checked_dimension(dimension), _checked_value(dimension, value))


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a memory belongs: a set of ``dimension=value`` terms, at most 8.

    Two spellings are equal whatever the order of terms:

    >>> Scope.parse("project/q3/org/acme") == Scope.parse({"org": "acme", "project": "q3"})
    True
    >>> Scope.parse("org/acme") <= Scope.parse("org/acme/agent/planner")
    True
    >>> Scope.parse("/").path()
    '/'
    """

    terms: frozenset[Term]
    _values: Mapping[str, str] | None = field(default=None, init=False, repr=False, compare=False)
    _dimensions: frozenset[str] | None = field(default=None, init=False, repr=False, compare=False)

    @classmethod
    def parse(cls, spelling: str | Mapping[str, str]) -> Scope:
        """Read either spelling: the path ``org/acme`` or the mapping ``{"org": "acme"}``.

        Raises:
            ScopeError: the spelling is not a scope; the message names the term.
        """
        if isinstance(spelling, str):
            return cls.of(_split(spelling))
        if isinstance(spelling, Mapping):
            return cls.of(spelling.items())
        raise ScopeError('a scope is a path such as org/acme or an object such as {"org": "acme"}')

    @classmethod
    def of(cls, pairs: Iterable[tuple[object, object]]) -> Scope:
        """A scope of these (dimension, value) pairs, each checked."""
        terms: dict[str, Term] = {}
        for dimension, value in pairs:
            term = Term.checked(dimension, value)
            if term.dimension in terms:
                raise ScopeError(f"dimension {term.dimension!r} is given twice")
            terms[term.dimension] = term
        if len(terms) > MAX_TERMS:
            raise ScopeError(f"a scope has at most {MAX_TERMS} terms, not {len(terms)}")
        return cls(frozenset(terms.values()))

    @property
    def dimensions(self) -> frozenset[str]:
        """The dimensions that this scope names."""
        dimensions = self._dimensions
        if dimensions is None:
            dimensions = frozenset(term.dimension for term in self.terms)
            object.__setattr__(self, "_dimensions", dimensions)
        return dimensions

    @property
    def values(self) -> Mapping[str, str]:
        """The value of each dimension, dimensions by name; not to be changed. Checked once and then kept.

        Raises:
            ScopeError: the scope was made around ``parse`` and ``of``, and its terms are not those of a scope.
        """
        values = self._values
        if values is None:
            values = Scope.of(self.terms).as_dict()
            object.__setattr__(self, "_values", values)
        return values

    def path(self, order: Sequence[str] = ()) -> str:
        """The path, dimensions in the order given and then by name; ``/`` for the empty scope."""
        if not self.terms:
            return EMPTY_PATH
        rank = {dimension: position for position, dimension in enumerate(order)}
        ordered = sorted(self.terms, key=lambda term: (rank.get(term.dimension, len(rank)), term.dimension))
        return "/".join(f"{term.dimension}/{term.value}" for term in ordered)

    def as_dict(self) -> dict[str, str]:
        """The JSON spelling, dimensions by name."""
        return dict(sorted(self.terms))

    def __le__(self, other: Scope) -> bool:
        """Whether every term of this scope is a term of ``other``."""
        return self.terms <= other.terms

    def seen_through(self, lens: Scope, direction: Direction = Direction.BOTH) -> bool:
        """Whether a read through ``lens`` may reach this scope at all: rule 1 of "who sees what"."""
        match direction:
            case Direction.ANCESTORS:
                return self <= lens
            case Direction.DESCENDANTS:
                return lens <= self
            case Direction.BOTH:
                return self <= lens or lens <= self

    def __str__(self) -> str:
        return self.path()


EMPTY = Scope(frozenset())


def checked_dimension(dimension: object) -> str:
    """``dimension``, if it is a well-formed dimension name.

    Raises:
        ScopeError: it is not.
    """
    if not isinstance(dimension, str) or not _DIMENSION.fullmatch(dimension):
        raise ScopeError(
            f"dimension {_shown(dimension)} must be a lower-case ASCII name of up to 32 characters, such as org"
        )
    return dimension


def _checked_value(dimension: object, value: object) -> str:
    if not isinstance(value, str):
        raise ScopeError(f"the value of {_shown(dimension)} must be a string, not {type(value).__name__}")
    if not value:
        raise ScopeError(f"the value of {_shown(dimension)} is empty")
    if not _VALUE.fullmatch(value):
        raise ScopeError(
            f"value {_shown(value)} of {_shown(dimension)} must be 1 to 128 ASCII letters, digits or . _ @ : + -,"
            " beginning with a letter or digit"
        )
    return value


def _split(path: str) -> list[tuple[str, str]]:
    if path == EMPTY_PATH:
        return []
    if not path:
        raise ScopeError("a scope path is empty; the empty scope is spelled /")
    if path.startswith("/") or path.endswith("/"):
        raise ScopeError("a scope path neither begins nor ends with /; write org/acme")
    parts = path.split("/", 2 * MAX_TERMS)
    if len(parts) > 2 * MAX_TERMS:
        raise ScopeError(f"a scope has at most {MAX_TERMS} terms; this path has more")
    if len(parts) % 2:
        raise ScopeError(f"scope path: {_shown(parts[-1])} has no value; write dimension/value pairs such as org/acme")
    return list(zip(parts[::2], parts[1::2], strict=True))


def _shown(part: object) -> str:
    """The part as it may stand in a message: quoted, escaped, cut to 40 characters."""
    text = ascii(part)
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"
