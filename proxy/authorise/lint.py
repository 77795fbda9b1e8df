"""Warnings: lines of a good ``policy.csv`` that do less, or more, than whoever wrote them may think.

A line is called dead only if no decision about anybody could ever change by removing it; and removing all lines that
are called dead at once changes none either. What is taken for granted is written above a line and is not warned of::

    # accept wide-reach: the supervisor sees its workers
    p, role:supervisor, org/acme/project/alpha/**, read, allow
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import NamedTuple

from proxy.authorise.decision import Action, Effect
from proxy.authorise.roles import Memberships, RoleLink
from proxy.authorise.rules import PolicyLine, Rules
from proxy.authorise.sourcetext import encoded
from proxy.errors import Problem
from proxy.pattern import ANY, ScopePattern
from proxy.principal import ROLE
from store.scope import MAX_TERMS, Term

# What reaches memories. To review and to administer is not to see what a private scope holds.
_REACHING = (Action.READ, Action.WRITE, Action.PUBLISH, Action.FORGET)
_ACCEPTANCE = re.compile(r"#\s*accept\s+([A-Za-z-]+)\s*(?::\s*(.*))?$")


class LintRule(StrEnum):
    """What a warning is about; its name in reports and in ``# accept`` comments."""

    DEAD_LINE = "dead-line"
    DEAD_ACTION = "dead-action"
    SHADOWED_LINE = "shadowed-line"
    ROLE_WITHOUT_MEMBERS = "role-without-members"
    MEMBER_WITHOUT_LINES = "member-without-lines"
    SHADOWED_MEMBERSHIP = "shadowed-membership"
    WIDE_REACH = "wide-reach"
    ACCEPTANCE = "acceptance"

    @property
    def description(self) -> str:
        """What the rule finds, in one sentence."""
        return _DESCRIPTIONS[self]


_DESCRIPTIONS = {
    LintRule.DEAD_LINE: "A line that allows only what other lines deny.",
    LintRule.DEAD_ACTION: "An action that a line allows and another line denies wherever this one is about.",
    LintRule.SHADOWED_LINE: "A line that says only what other lines of its subject or its subject's roles say.",
    LintRule.ROLE_WITHOUT_MEMBERS: "A role with lines that no principal has.",
    LintRule.MEMBER_WITHOUT_LINES: "A membership in a role that no line is about.",
    LintRule.SHADOWED_MEMBERSHIP: "A membership in a role that the member has through another role.",
    LintRule.WIDE_REACH: "A line that allows more private scopes than it shows.",
    LintRule.ACCEPTANCE: "An accept comment that accepts nothing.",
}


@dataclass(frozen=True, slots=True)
class LintWarning:
    """One warning, at its place."""

    rule: LintRule
    problem: Problem

    def __str__(self) -> str:
        return f"{self.problem.place}: warning: {self.problem.message} [{self.rule}]"


def lint(text: str | bytes, rules: Rules, private_dimensions: Collection[str]) -> tuple[LintWarning, ...]:
    """Warnings about the ``rules`` that were read from ``text``, in file order."""
    lines = encoded(text).decode().split("\n")
    linter = _Linter(rules, frozenset(private_dimensions))
    accepted = _Acceptances(rules.lines[0].source, lines)
    found = [
        LintWarning(rule, Problem(rules.lines[0].source, number, _column(lines[number - 1], column), message))
        for rule, number, column, message in linter.found()
        if not accepted.covers(rule, number)
    ]
    return tuple(sorted([*found, *accepted.unused()], key=lambda warning: warning.problem))


class _Found(NamedTuple):
    """A warning before its place is known: ``column`` counts the columns of a rule from 0."""

    rule: LintRule
    number: int
    column: int
    message: str


_SUBJECT, _PATTERN, _ACTIONS = 1, 2, 3


class _Linter:
    def __init__(self, rules: Rules, private_dimensions: frozenset[str]) -> None:
        self._rules = rules
        self._private = private_dimensions
        self._memberships = Memberships(rules.links)
        self._index = _Index(rules.lines)
        self._dead: set[int] = set()

    def found(self) -> Iterator[_Found]:
        yield from self._without_effect()
        yield from self._roles_without_members()
        yield from self._memberships_without_effect()
        for line in self._rules.lines:
            if line.effect is Effect.ALLOW and line.number not in self._dead:
                yield from self._wide(line)

    def _without_effect(self) -> Iterator[_Found]:
        """Lines without which every decision is the same, each held against the lines that are left.

        From the last line to the first, so that of two that say the same the earlier stays.
        """
        for effect in (Effect.DENY, Effect.ALLOW):
            for line in reversed([line for line in self._rules.lines if line.effect is effect]):
                covers = {action: self._cover(line, action) for action in line.actions}
                if all(covers.values()):
                    self._dead.add(line.number)
                    self._index.remove(line)
                    yield _dead(line, [cover for cover in covers.values() if cover])
                elif effect is Effect.ALLOW:
                    yield from _dead_actions(line, covers)

    def _cover(self, line: PolicyLine, action: Action) -> PolicyLine | None:
        """A line beside which this one makes no difference to the action."""
        subjects = self._memberships.of(line.subject)
        denied = self._index.covering(line, subjects, action, Effect.DENY)
        if denied or line.effect is Effect.DENY:
            return denied
        return self._index.covering(line, subjects, action, Effect.ALLOW)

    def _roles_without_members(self) -> Iterator[_Found]:
        principals = {link.member for link in self._rules.links if not _is_role(link.member)}
        held = frozenset[str]().union(*(self._memberships.of(principal) for principal in principals))
        idle = {link.role for link in self._rules.links} - {line.subject for line in self._rules.lines}
        shown: set[str] = set()
        for line in self._rules.lines:
            role = line.subject
            if _is_role(role) and role not in held and role not in shown:
                shown.add(role)
                message = f"nobody has {role}, so none of its lines matters{_did_you_mean(role, idle)}"
                yield _Found(LintRule.ROLE_WITHOUT_MEMBERS, line.number, _SUBJECT, message)

    def _memberships_without_effect(self) -> Iterator[_Found]:
        subjects = {line.subject for line in self._rules.lines}
        roles = {subject for subject in subjects if _is_role(subject)}
        for link in self._rules.links:
            if not subjects & self._memberships.of(link.role):
                message = f"gives {link.member} nothing: no line is about {link.role}{_did_you_mean(link.role, roles)}"
                yield _Found(LintRule.MEMBER_WITHOUT_LINES, link.number, _PATTERN, message)
        for link, other in _shadowed_links(self._rules.links, self._memberships):
            message = f"{link.member} has {link.role} already, through {other.role} ({other.place})"
            yield _Found(LintRule.SHADOWED_MEMBERSHIP, link.number, _PATTERN, message)

    def _wide(self, line: PolicyLine) -> Iterator[_Found]:
        starred = sorted(line.pattern.wildcards & self._private)
        actions = [action for action in _REACHING if action in line.actions]
        if starred and actions:
            reached = " and ".join(f"of every {dimension}" for dimension in starred)
            message = f"lets {line.subject} {_listed(actions)} in the private scopes {reached} ({starred[0]}/{ANY})"
            yield _Found(LintRule.WIDE_REACH, line.number, _PATTERN, message)
        elif line.pattern.open and not line.pattern.dimensions & self._private:
            yield from self._opened(line, actions)

    def _opened(self, line: PolicyLine, actions: Sequence[Action]) -> Iterator[_Found]:
        """Private scopes below a shared one that ``/**`` opens and no line closes again."""
        if len(line.pattern.dimensions) >= MAX_TERMS:
            return
        open_to = {action: self._not_denied(line, action) for action in actions}
        reaching = [action for action in actions if open_to[action]]
        if reaching:
            dimensions = sorted({dimension for action in reaching for dimension in open_to[action]})
            message = f"/** also lets {line.subject} {_listed(reaching)} in the private scopes below: {_of(dimensions)}"
            yield _Found(LintRule.WIDE_REACH, line.number, _PATTERN, message)

    def _not_denied(self, line: PolicyLine, action: Action) -> list[str]:
        """The private dimensions below the line's scopes in which the action is not denied throughout."""
        subjects = self._memberships.of(line.subject)
        return [
            dimension
            for dimension in self._private
            if not self._index.covering(_below(line, dimension), subjects, action, Effect.DENY)
        ]


class _Shape(NamedTuple):
    """What patterns have in common that differ only in their values."""

    literals: frozenset[str]
    wildcards: frozenset[str]
    selves: frozenset[str]
    open: bool

    @classmethod
    def of(cls, pattern: ScopePattern) -> _Shape:
        named = frozenset(term.dimension for term in pattern.literals)
        return cls(named, pattern.wildcards, pattern.selves, pattern.open)


class _Index:
    """Lines by subject and effect, then by shape and values: the lines that cover another are found without a walk.

    A pattern is a subset of a union of others only if it is a subset of one of them: give each wildcard, and ``{self}``
    in the line of a role, a value that no line names, and where the pattern is open one more such dimension. What
    matches that scope matches all of the pattern. So it is enough to look for one line that covers another.
    """

    def __init__(self, lines: Iterable[PolicyLine]) -> None:
        self._lines: dict[tuple[str, Effect], dict[_Shape, dict[frozenset[Term], list[PolicyLine]]]] = {}
        for line in lines:
            shapes = self._lines.setdefault((line.subject, line.effect), {})
            shapes.setdefault(_Shape.of(line.pattern), defaultdict(list))[line.pattern.literals].append(line)

    def remove(self, line: PolicyLine) -> None:
        self._lines[line.subject, line.effect][_Shape.of(line.pattern)][line.pattern.literals].remove(line)

    def covering(
        self, line: PolicyLine, subjects: Collection[str], action: Action, effect: Effect
    ) -> PolicyLine | None:
        """The first line, of those about ``subjects``, that has this effect on all that ``line`` is about."""
        found = (
            other
            for subject in subjects
            for shape, by_values in self._lines.get((subject, effect), {}).items()
            for other in _probe(line, shape, by_values)
            if other is not line and action in other.actions
        )
        return min(found, key=lambda other: other.number, default=None)


def _probe(
    line: PolicyLine, shape: _Shape, by_values: Mapping[frozenset[Term], Sequence[PolicyLine]]
) -> Sequence[PolicyLine]:
    """The lines of a shape that cover all scopes of ``line``, whoever of its subject asks."""
    pattern = line.pattern
    name = None if _is_role(line.subject) else line.subject.partition(":")[2]
    own = {Term(dimension, name) for dimension in pattern.selves} if name is not None else set()
    values = {term.dimension: term for term in pattern.literals | own}
    dimensions = shape.literals | shape.wildcards | shape.selves
    # Below eight dimensions there is nothing.
    is_open = pattern.open and len(pattern.dimensions) < MAX_TERMS
    if not dimensions <= pattern.dimensions or (is_open and not shape.open):
        return ()
    if not shape.open and dimensions != pattern.dimensions:
        return ()
    if not shape.literals <= values.keys():
        return ()
    if not all(each in pattern.selves or (name and values.get(each) == (each, name)) for each in shape.selves):
        return ()
    return by_values.get(frozenset(values[dimension] for dimension in shape.literals), ())


def _below(line: PolicyLine, dimension: str) -> PolicyLine:
    """The part of an open line that is about scopes with this dimension."""
    pattern = line.pattern
    narrowed = ScopePattern(pattern.text, pattern.literals, pattern.wildcards | {dimension}, pattern.selves, open=True)
    return PolicyLine(line.source, line.number, line.subject, narrowed, line.actions, line.effect, line.row)


def _dead(line: PolicyLine, covers: Sequence[PolicyLine]) -> _Found:
    distinct = sorted({cover.number: cover for cover in covers}.values(), key=lambda cover: cover.number)
    denying = [cover.place for cover in distinct if cover.effect is Effect.DENY]
    saying = [cover.place for cover in distinct if cover.effect is not Effect.DENY]
    if line.effect is Effect.DENY or not denying:
        message = (
            f"never matters: {_listed([cover.place for cover in distinct])} already {_says(line, distinct)} all of it"
        )
        return _Found(LintRule.SHADOWED_LINE, line.number, _PATTERN, message)
    rest = f", and {_listed(saying)} already {'allows' if len(saying) == 1 else 'allow'} the rest" if saying else ""
    what = "some" if saying else "all"
    message = f"never matters: {_listed(denying)} {'denies' if len(denying) == 1 else 'deny'} {what} of it{rest}"
    return _Found(LintRule.DEAD_LINE, line.number, _PATTERN, message)


def _says(line: PolicyLine, covers: Sequence[PolicyLine]) -> str:
    singular, plural = ("denies", "deny") if line.effect is Effect.DENY else ("allows", "allow")
    return singular if len(covers) == 1 else plural


def _dead_actions(line: PolicyLine, covers: Mapping[Action, PolicyLine | None]) -> Iterator[_Found]:
    denied = {action: cover for action, cover in covers.items() if cover and cover.effect is Effect.DENY}
    for cover in sorted(set(denied.values()), key=lambda cover: cover.number):
        actions = [action for action in line.actions if denied.get(action) is cover]
        message = f"{_listed(actions)} is never allowed by this line: {cover.place} denies it throughout"
        yield _Found(LintRule.DEAD_ACTION, line.number, _ACTIONS, message)


def _shadowed_links(links: Sequence[RoleLink], memberships: Memberships) -> Iterator[tuple[RoleLink, RoleLink]]:
    """Links whose role the member has by another way, with the first link of that way. Roles form no circle."""
    by_member: dict[str, list[RoleLink]] = defaultdict(list)
    for link in links:
        by_member[link.member].append(link)
    for link in links:
        others = (other for other in by_member[link.member] if other is not link)
        way = next((other for other in others if link.role in memberships.of(other.role)), None)
        if way:
            yield link, way


class _Acceptances:
    """The ``# accept`` comments of a file, each for the rule line right below its block of comments."""

    def __init__(self, source: str, lines: Sequence[str]) -> None:
        self._source = source
        self._by_line: dict[tuple[str, int], int] = {}
        self._refused: list[LintWarning] = []
        waiting: list[tuple[int, str]] = []
        for number, text in enumerate(lines, start=1):
            if text.startswith("#"):
                waiting += self._read(number, text.rstrip())
            elif text.strip():
                self._by_line |= {(rule, number): at for at, rule in waiting}
                waiting = []
        self._used: set[int] = set()
        self._numbers = set(self._by_line.values()) | {at for at, _ in waiting}

    def covers(self, rule: LintRule, number: int) -> bool:
        at = self._by_line.get((rule, number))
        if at is None:
            return False
        self._used.add(at)
        return True

    def unused(self) -> Iterator[LintWarning]:
        yield from self._refused
        for number in self._numbers - self._used:
            yield self._warning(number, "there is nothing to accept in the line below; remove this comment")

    def _read(self, number: int, text: str) -> Iterator[tuple[int, str]]:
        found = _ACCEPTANCE.match(text)
        if found is None:
            return
        rule, reason = found.groups()
        rules = [rule.value for rule in LintRule if rule is not LintRule.ACCEPTANCE]
        if rule not in rules:
            hint = _did_you_mean(rule, rules) or f"; they are {', '.join(rules)}"
            self._refused.append(self._warning(number, f"no warning is called {rule!r}{hint}"))
        elif not reason:
            self._refused.append(self._warning(number, f"say why: # accept {rule}: REASON"))
        else:
            yield number, rule

    def _warning(self, number: int, message: str) -> LintWarning:
        return LintWarning(LintRule.ACCEPTANCE, Problem(self._source, number, 1, message))


def _column(text: str, column: int) -> int:
    """Where in its line the column of a rule begins, counted from 1."""
    parts = text.split(",")
    before = sum(len(part) + 1 for part in parts[:column])
    return before + len(parts[column]) - len(parts[column].lstrip(" ")) + 1


def _is_role(subject: str) -> bool:
    return subject.startswith(f"{ROLE}:")


def _did_you_mean(text: str, known: Iterable[str]) -> str:
    close = get_close_matches(text, sorted(known), n=1, cutoff=0.75)
    return f"; did you mean {close[0]}?" if close else ""


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + " and " + words[-1] if len(words) > 1 else words[0]


def _of(dimensions: Sequence[str]) -> str:
    return ", ".join(f"{dimension}/{ANY}" for dimension in dimensions)
