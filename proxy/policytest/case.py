"""What a policy test states."""

from __future__ import annotations

from dataclasses import dataclass, field

from proxy.authorise.decision import Action
from proxy.authorise.rules import PolicyLine
from proxy.errors import Problem
from proxy.inspection.verdict import VerdictKind
from proxy.principal import Principal
from store.scope import Scope


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a test file something stands, counted from 1."""

    source: str
    line: int
    column: int

    def problem(self, message: str) -> Problem:
        """What is wrong here."""
        return Problem(self.source, self.line, self.column, message)


@dataclass(frozen=True, slots=True)
class Expectation:
    """In ``scope``, which the file calls ``name``, exactly ``actions`` are allowed.

    ``because`` is the policy line that is to decide about each action that it names; ``None`` for any.
    """

    name: str
    scope: Scope
    actions: frozenset[Action]
    place: Place
    because: PolicyLine | None = None


@dataclass(frozen=True, slots=True)
class AccessTest:
    """What one principal may do in some scopes and, where ``roles`` is not ``None``, exactly which roles it has."""

    name: str
    place: Place
    principal: Principal
    expect: tuple[Expectation, ...]
    roles: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class GateTest:
    """What the publish gate does with ``text`` on its way into ``scope``.

    ``entities`` are the kinds that the verdict is to rest on; ``None`` for any.
    """

    name: str
    place: Place
    text: str = field(repr=False)
    into: str
    scope: Scope
    verdict: VerdictKind
    entities: frozenset[str] | None = None


PolicyTest = AccessTest | GateTest
