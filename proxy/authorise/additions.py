"""The smallest additions to a policy that would allow what it denies. Looks at the policy alone, never at data."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from proxy.authorise.decision import Action, Effect
from proxy.authorise.policyset import PolicySet
from proxy.authorise.roles import Memberships, RoleLink, overlong_chains
from proxy.authorise.rules import PolicyLine
from proxy.principal import ROLE, Principal
from store.scope import Scope


@dataclass(frozen=True, slots=True)
class Addition:
    """A line to add. ``through`` is the line that then allows it, if it is there already: a membership reaches it.

    ``more`` is how many lines a membership makes the principal's beside that one.
    """

    line: str
    through: PolicyLine | None = None
    more: int = 0

    @property
    def width(self) -> tuple[int, bool, int]:
        """Compares additions by how much else they give: lines first, then what lies below, then actions."""
        through = self.through
        return self.more, through is not None and through.pattern.open, len(through.actions) if through else 0


@dataclass(frozen=True, slots=True)
class WayIn:
    """What it takes to allow it.

    ``denying`` are the lines that deny: each of them must change. ``additions`` are lines of which any one must be
    added, that which gives least first; none where a line allows it already, denied or not.
    """

    denying: tuple[PolicyLine, ...]
    additions: tuple[Addition, ...]


def way_in(policy: PolicySet, principal: Principal, action: Action, scope: Scope) -> WayIn:
    """The smallest changes that would allow the principal the action in the scope."""
    question = _Question(policy, principal, action, scope)
    own = list(question.matching(str(principal)))
    denying = tuple(line for line in own if line.effect is Effect.DENY)
    if len(denying) < len(own):
        return WayIn(denying, ())
    path = scope.path(policy.dimension_order)
    direct = Addition(f"p, {principal}, {path}, {action}, {Effect.ALLOW}")
    return WayIn(denying, (direct, *question.memberships(denying)))


class _Question:
    def __init__(self, policy: PolicySet, principal: Principal, action: Action, scope: Scope) -> None:
        self._rules = policy.rules
        self._memberships = Memberships(self._rules.links)
        self._principal = principal
        self._matching = [
            line for line in self._rules.lines if action in line.actions and line.pattern.matches(scope, principal.name)
        ]

    def matching(self, subject: str) -> Iterator[PolicyLine]:
        """The lines that would be about the question if ``subject`` were the principal's, in file order."""
        subjects = self._memberships.of(subject)
        return (line for line in self._matching if line.subject in subjects)

    def memberships(self, changed: Collection[PolicyLine]) -> list[Addition]:
        """The memberships that allow it once the ``changed`` lines do not deny it, that which gives least first."""
        roles = {line.subject for line in self._rules.lines} | {link.role for link in self._rules.links}
        roles |= {link.member for link in self._rules.links}
        found = [
            addition
            for role in sorted(roles)
            if role.startswith(f"{ROLE}:")
            for addition in self._membership(role, changed)
        ]
        return sorted(found, key=lambda addition: addition.width)

    def _membership(self, role: str, changed: Collection[PolicyLine]) -> Iterator[Addition]:
        matching = [line for line in self.matching(role) if line not in changed]
        if not matching or any(line.effect is Effect.DENY for line in matching):
            return
        link = RoleLink("", 0, str(self._principal), role)
        if any(overlong_chains([*self._rules.links, link])):
            return
        own, given = self._memberships.of(str(self._principal)), self._memberships.of(role)
        more = sum(line.subject in given - own for line in self._rules.lines) - 1
        yield Addition(f"g, {', '.join(link.row)}", matching[0], more)
