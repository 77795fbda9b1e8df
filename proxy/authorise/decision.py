"""What is asked of the policy and what it answers: actions, decisions, explanations."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, NamedTuple, TypeVar

from proxy.principal import Principal
from store.permit import ForgetPermit, ReadPermit, WritePermit
from store.scope import Scope

P_co = TypeVar("P_co", bound=ReadPermit | WritePermit | ForgetPermit | None, covariant=True)


class Action(StrEnum):
    """What a principal may do in a scope."""

    READ = "read"
    WRITE = "write"
    PUBLISH = "publish"
    FORGET = "forget"
    REVIEW = "review"
    ADMINISTER = "administer"


class Effect(StrEnum):
    """What a policy line does to what it matches."""

    ALLOW = "allow"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Allow(Generic[P_co]):
    """It is allowed. ``lines`` are the policy lines that decided, such as ``policy.csv:7``: distinct, in file order."""

    permit: P_co
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Deny:
    """It is denied. ``reason`` is one sentence for the caller and never says whether a scope or a memory exists.

    ``line`` is the policy line that denies, or ``None`` where no line allows or the key itself forbids.
    """

    reason: str
    line: str | None = None


class Ruling(NamedTuple):
    """The policy's answer to one question; ``line`` is ``None`` where no line allows, or where the policy failed."""

    allowed: bool
    line: str | None
    principal: Principal
    action: Action
    scope: Scope
    dimension_order: tuple[str, ...] = ()
    failure: str | None = None

    @property
    def reason(self) -> str:
        """One sentence; spelled when it is asked for, because most rulings are never explained."""
        if self.failure is not None:
            return self.failure
        asked = f"{self.principal} to {self.action} in {self.scope.path(self.dimension_order)}"
        if self.line is None:
            return f"no policy line allows {asked}"
        return f"{self.line} {'allows' if self.allowed else 'denies'} {asked}"


@dataclass(frozen=True, slots=True)
class Considered:
    """One policy line held against a question. ``scope`` is its pattern with ``{self}`` written out."""

    line: str
    scope: str
    actions: tuple[str, ...]
    effect: str
    matches: bool
    because: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """A ruling with every line that is about the principal, in file order."""

    allowed: bool
    line: str | None
    reason: str
    considered: tuple[Considered, ...]


@dataclass(frozen=True, slots=True)
class Grant:
    """What one policy line gives to, or takes from, a principal. ``scope`` has ``{self}`` written out."""

    scope: str
    actions: tuple[str, ...]
    effect: str
    line: str
