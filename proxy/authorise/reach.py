"""What one policy gives to each principal that it names, as regions rather than one scope at a time."""

from __future__ import annotations

from collections import defaultdict

from proxy.authorise.decision import Action, Effect
from proxy.authorise.regions import Region
from proxy.authorise.roles import Memberships
from proxy.authorise.rules import PolicyLine, Rules
from proxy.pattern import ScopePattern
from proxy.principal import ROLE, Principal

_ROLE_PREFIX = f"{ROLE}:"


class Reach:
    """The rules of one policy, ready to be asked who may do what everywhere. A principal not named may do nothing."""

    __slots__ = ("_lines", "_memberships", "principals", "roles")

    def __init__(self, rules: Rules) -> None:
        """``principals`` are all that the file names, and ``roles`` all roles, each sorted by name."""
        self._lines: dict[str, list[PolicyLine]] = defaultdict(list)
        for line in rules.lines:
            self._lines[line.subject].append(line)
        self._memberships = Memberships(rules.links)
        named = {line.subject for line in rules.lines}
        named |= {subject for link in rules.links for subject in (link.member, link.role)}
        self.roles = tuple(sorted(subject for subject in named if subject.startswith(_ROLE_PREFIX)))
        principals = sorted(named.difference(self.roles))
        self.principals = tuple(Principal.parse(subject) for subject in principals)

    def subjects(self, principal: Principal) -> frozenset[str]:
        """The principal and all its roles."""
        return self._memberships.of(str(principal))

    def lines(self, principal: Principal) -> tuple[PolicyLine, ...]:
        """The lines about the principal, by itself or by a role, in file order."""
        subjects = self.subjects(principal)
        found = [line for subject in subjects for line in self._lines.get(subject, ())]
        return tuple(sorted(found, key=lambda line: line.number))

    def lines_of_role(self, role: str) -> tuple[PolicyLine, ...]:
        """The lines that every member of ``role`` gets by it, in file order."""
        found = [line for subject in self._memberships.of(role) for line in self._lines.get(subject, ())]
        return tuple(sorted(found, key=lambda line: line.number))

    def vacant_roles(self) -> tuple[str, ...]:
        """The roles that nobody named has."""
        held = frozenset[str]().union(*(self.subjects(principal) for principal in self.principals))
        return tuple(role for role in self.roles if role not in held)

    def region(self, principal: Principal, action: Action) -> Region:
        """Every scope in which the principal may do ``action``.

        Raises:
            RegionLimitError: the lines together are too ragged.
        """
        lines = self.lines(principal)
        allowed = Region.of(patterns(lines, action, Effect.ALLOW), principal.name)
        return allowed - Region.of(patterns(lines, action, Effect.DENY), principal.name)


def patterns(lines: tuple[PolicyLine, ...], action: Action, effect: Effect) -> tuple[ScopePattern, ...]:
    """The patterns of those lines that have this effect on ``action``."""
    return tuple(line.pattern for line in lines if line.effect is effect and action in line.actions)
