"""Roles: who is a member of what, through how many links."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

# Casbin's role manager follows this many links and then answers "no such role", which loses a deny silently.
MAX_LINKS = 9
_CYCLES_SHOWN = 10


@dataclass(frozen=True, slots=True)
class RoleLink:
    """One ``g`` line: ``member`` has everything that ``role`` has."""

    source: str
    number: int
    member: str
    role: str

    @property
    def place(self) -> str:
        """Where the line stands, such as ``policy.csv:21``."""
        return f"{self.source}:{self.number}"

    @property
    def row(self) -> list[str]:
        """The columns as Casbin holds them."""
        return [self.member, self.role]


class Memberships:
    """The role links of one policy, ready to be asked."""

    __slots__ = ("_roles",)

    def __init__(self, links: Iterable[RoleLink]) -> None:
        self._roles = _roles_by_member(links)

    def of(self, subject: str) -> frozenset[str]:
        """``subject`` itself and every role that it has, inherited ones included."""
        return _walk(subject, self._roles)


def cycles(links: Iterable[RoleLink]) -> Iterator[list[RoleLink]]:
    """Cycles among the links, the first few of them, each as its links in order from the one that closes it."""
    remaining = list(links)
    for _ in range(_CYCLES_SHOWN):
        cycle = _some_cycle(remaining)
        if not cycle:
            return
        closing = max(cycle, key=lambda link: link.number)
        at = cycle.index(closing)
        yield cycle[at:] + cycle[:at]
        remaining.remove(closing)


def overlong_chains(links: Collection[RoleLink]) -> Iterator[tuple[RoleLink, int]]:
    """For each member at the foot of a chain of more than ``MAX_LINKS`` links: its first link and the chain's length.

    The links must be free of cycles.
    """
    heights, _ = _heights(links)
    roles = {link.role for link in links}
    shown: set[str] = set()
    for link in links:
        if link.member in roles or link.member in shown or heights[link.member] <= MAX_LINKS:
            continue
        shown.add(link.member)
        yield link, heights[link.member]


def _roles_by_member(links: Iterable[RoleLink]) -> dict[str, list[str]]:
    roles: dict[str, list[str]] = defaultdict(list)
    for link in links:
        roles[link.member].append(link.role)
    return dict(roles)


def _walk(subject: str, roles: dict[str, list[str]]) -> frozenset[str]:
    reached = {subject}
    waiting = [subject]
    while waiting:
        fresh = set(roles.get(waiting.pop(), ())) - reached
        reached |= fresh
        waiting.extend(fresh)
    return frozenset(reached)


def _heights(links: Iterable[RoleLink]) -> tuple[dict[str, int], set[str]]:
    """The longest chain upward from each subject, and the subjects from which a cycle is reached."""
    members: dict[str, list[str]] = defaultdict(list)
    open_links: dict[str, int] = defaultdict(int)
    for link in links:
        members[link.role].append(link.member)
        open_links[link.member] += 1
    heights = {role: 0 for role in members if role not in open_links}
    ready = list(heights)
    while ready:
        role = ready.pop()
        for member in members.get(role, ()):
            heights[member] = max(heights.get(member, 0), heights[role] + 1)
            open_links[member] -= 1
            if not open_links[member]:
                ready.append(member)
    return heights, {subject for subject, count in open_links.items() if count}


def _some_cycle(links: list[RoleLink]) -> list[RoleLink]:
    _, stuck = _heights(links)
    if not stuck:
        return []
    step = {link.member: link for link in links if link.member in stuck and link.role in stuck}
    subject = min(stuck)
    walked: dict[str, RoleLink] = {}
    while subject not in walked:
        walked[subject] = step[subject]
        subject = step[subject].role
    path = list(walked.values())
    return path[list(walked).index(subject) :]
