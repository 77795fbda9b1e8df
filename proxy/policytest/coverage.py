"""Coverage: which lines of the policy files some test exercises."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from proxy.authorise.roles import Memberships
from proxy.authorise.rules import Rules
from proxy.inspection.rules import PiiRules
from proxy.policytest.run import Outcome, Trace, UnderTest, allowed_place


class Exercise(StrEnum):
    """How far tests exercise a line. Only what decides shows in an answer, so only that counts."""

    DECIDES = "decides"
    MATCHES = "matches but never decides"
    NEVER = "never matches"


@dataclass(frozen=True, slots=True)
class Covered:
    """One line of ``policy.csv`` or one rule of ``pii.yaml``, and how far the tests exercise it."""

    place: str
    text: str
    exercise: Exercise


@dataclass(frozen=True, slots=True)
class Coverage:
    """Every line, in file order."""

    lines: tuple[Covered, ...]

    @property
    def deciding(self) -> int:
        """How many lines decide in some test."""
        return sum(line.exercise is Exercise.DECIDES for line in self.lines)

    @property
    def percent(self) -> float:
        """``deciding`` of all lines, in percent, rounded down to one decimal: 100 means all."""
        return int(1000 * self.deciding / len(self.lines)) / 10

    def missing(self) -> tuple[Covered, ...]:
        """The lines that decide in no test."""
        return tuple(line for line in self.lines if line.exercise is not Exercise.DECIDES)


def coverage(outcomes: Iterable[Outcome], under_test: UnderTest) -> Coverage:
    """How far the tests exercise what they ran against, whether they passed or not."""
    traces = [trace for outcome in outcomes for trace in outcome.traces]
    rules = under_test.policy.rules
    deciding = frozenset[str]().union(*(trace.deciding for trace in traces))
    matching = frozenset[str]().union(*(trace.matching for trace in traces))
    links = _Links(rules)
    deciding |= frozenset(place for trace in traces for place in links.used(trace, trace.deciding))
    matching |= frozenset(place for trace in traces for place in links.used(trace, trace.matching))
    places = [*_policy_lines(rules), *_pii_rules(under_test.pii)]
    return Coverage(tuple(Covered(place, text, _exercise(place, deciding, matching)) for place, text in places))


class _Links:
    """Which ``g`` lines a trace went through."""

    def __init__(self, rules: Rules) -> None:
        self._links = rules.links
        self._memberships = Memberships(rules.links)
        self._subjects: Mapping[str, str] = {line.place: line.subject for line in rules.lines}

    def used(self, trace: Trace, lines: Iterable[str]) -> Iterator[str]:
        """The links on some way from the trace's subject to the subject of one of ``lines``, or to any of its roles."""
        if not trace.subject:
            return
        wanted = {self._subjects[line] for line in lines}
        own = self._memberships.of(trace.subject)
        for link in self._links:
            if link.member in own and (trace.shows_roles or wanted & self._memberships.of(link.role)):
                yield link.place


def _policy_lines(rules: Rules) -> list[tuple[str, str]]:
    lines = [(line.number, line.place, f"p, {', '.join(line.row)}") for line in rules.lines]
    lines += [(link.number, link.place, f"g, {', '.join(link.row)}") for link in rules.links]
    return [(place, text) for _, place, text in sorted(lines)]


def _pii_rules(pii: PiiRules) -> Iterator[tuple[str, str]]:
    for rule in pii.rules:
        yield f"{pii.source}:{rule.line}", f"{rule.scope}  {', '.join(sorted(rule.entities))}  {rule.verdict}"
    for entry in pii.allow:
        yield allowed_place(pii, entry), f"{entry.scope}  {entry.entity}  {entry.text}"


def _exercise(place: str, deciding: frozenset[str], matching: frozenset[str]) -> Exercise:
    if place in deciding:
        return Exercise.DECIDES
    return Exercise.MATCHES if place in matching else Exercise.NEVER
