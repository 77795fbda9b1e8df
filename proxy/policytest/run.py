"""Policy tests, run: what came out otherwise than stated, and which lines had a say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from proxy.authorise.decision import Action, Explanation
from proxy.authorise.policyset import PolicySet
from proxy.authorise.rules import PolicyLine
from proxy.errors import Problem
from proxy.inspection.detector import Detector, Span
from proxy.inspection.draft import Draft
from proxy.inspection.judgement import Review, judge, look
from proxy.inspection.redact import ScopeKey
from proxy.inspection.rules import Allowed, PiiRules, normalised
from proxy.inspection.verdict import VerdictKind
from proxy.policytest.case import AccessTest, Expectation, GateTest, Place, PolicyTest
from proxy.settings import GatewayConfig

# Verdicts do not depend on the key under which pseudonyms are made.
_NO_KEY = ScopeKey(b"policy tests keep nothing")


@dataclass(frozen=True, slots=True)
class UnderTest:
    """The policies that tests are run against, none of them in force yet."""

    policy: PolicySet
    pii: PiiRules
    config: GatewayConfig
    detector: Detector


@dataclass(frozen=True, slots=True)
class Failure:
    """One thing that came out otherwise than expected. ``subject`` is what it is about, such as ``read in notes``.

    ``because`` is why, and ``line`` the policy line that decided, where one did.
    """

    place: Place
    subject: str
    expected: str
    actual: str
    because: str
    line: str | None = None

    def problem(self, test: str) -> Problem:
        """The failure as a problem of the file that the test stands in."""
        reason = f": {self.because}" if self.because else ""
        return self.place.problem(f"test {test!r}: {self.subject}: expected {self.expected}; is {self.actual}{reason}")


@dataclass(frozen=True, slots=True)
class Trace:
    """What had a say in one question of a test. ``subject`` is the principal, or empty where the gate was asked.

    ``deciding`` and ``matching`` are policy lines such as ``policy.csv:7``.
    """

    subject: str
    deciding: frozenset[str]
    matching: frozenset[str]
    shows_roles: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one test: it passed if there are no ``failures``."""

    test: PolicyTest
    failures: tuple[Failure, ...]
    traces: tuple[Trace, ...]


def run(tests: Iterable[PolicyTest], under_test: UnderTest) -> tuple[Outcome, ...]:
    """Run the tests, in order."""
    return tuple(_run_one(test, under_test) for test in tests)


def problems(outcomes: Iterable[Outcome]) -> list[Problem]:
    """Every failure as a problem of the test file."""
    return [failure.problem(outcome.test.name) for outcome in outcomes for failure in outcome.failures]


def _run_one(test: PolicyTest, under_test: UnderTest) -> Outcome:
    match test:
        case AccessTest():
            return _access(test, under_test.policy)
        case GateTest():
            return _gate(test, under_test)


def _access(test: AccessTest, policy: PolicySet) -> Outcome:
    failures = list(_roles(test, policy))
    traces: list[Trace] = []
    if test.roles is not None:
        traces.append(Trace(str(test.principal), frozenset(), frozenset(), shows_roles=True))
    lines = {line.place: line for line in policy.rules.lines}
    for expectation in test.expect:
        answers = {action: policy.explain(test.principal, action, expectation.scope) for action in Action}
        failures += _differences(expectation, answers, lines)
        traces += [_trace(test, answer) for answer in answers.values()]
    return Outcome(test, tuple(failures), tuple(traces))


def _roles(test: AccessTest, policy: PolicySet) -> Iterator[Failure]:
    actual = frozenset(policy.roles(test.principal))
    if test.roles is not None and test.roles != actual:
        yield Failure(test.place, f"roles of {test.principal}", _listed(test.roles), _listed(actual), "")


def _differences(
    expectation: Expectation, answers: Mapping[Action, Explanation], lines: Mapping[str, PolicyLine]
) -> Iterator[Failure]:
    """What differs, one failure for all actions that differ in the same way."""
    alike: dict[tuple[str, str, str | None], list[Action]] = {}
    for action, answer in answers.items():
        difference = _difference(expectation, action, answer, lines)
        if difference:
            alike.setdefault((*difference, answer.line), []).append(action)
    for (expected, actual, line), actions in alike.items():
        because = f"by {line}" if line else "no line allows it"
        yield Failure(expectation.place, f"{', '.join(actions)} in {expectation.name}", expected, actual, because, line)


def _difference(
    expectation: Expectation, action: Action, answer: Explanation, lines: Mapping[str, PolicyLine]
) -> tuple[str, str] | None:
    """What was expected and what is, if they differ."""
    expected = action in expectation.actions
    stated = expectation.because
    if answer.allowed is not expected:
        return _spoken(expected), _spoken(answer.allowed)
    if stated is None or action not in stated.actions:
        return None
    if answer.line is not None and stated.says_the_same_as(lines[answer.line]):
        return None
    return f"{_spoken(expected)} by: p, {', '.join(stated.row)}", _spoken(answer.allowed)


def _trace(test: AccessTest, answer: Explanation) -> Trace:
    matching = frozenset(considered.line for considered in answer.considered if considered.matches)
    return Trace(str(test.principal), frozenset({answer.line} if answer.line else ()), matching)


def _gate(test: GateTest, under_test: UnderTest) -> Outcome:
    if not under_test.config.is_shared(test.scope):
        return Outcome(test, tuple(_misjudged(test, VerdictKind.PASS, frozenset(), "a private scope has no gate")), ())
    recording = _Recording(under_test.detector)
    draft = Draft(test.text)
    try:
        seen = look(draft, test.scope, under_test.pii, recording, before_each=_go_on)
    except Exception as error:  # noqa: BLE001 - whatever went wrong, there is no verdict; its message may hold the text
        subject, because = f"text into {test.into}", type(error).__name__
        return Outcome(test, (Failure(test.place, subject, test.verdict, "not judged", because),), ())
    verdict = judge(draft, seen, Review(), _NO_KEY).verdict
    deciding = frozenset(f"{under_test.pii.source}:{one.rule.line}" for one in seen if one.rule is not None)
    decisive = (f"{under_test.pii.source}:{one.rule.line}" for one in seen if one.rule and one.verdict is verdict.kind)
    because = f"by {', '.join(sorted(set(decisive)))}" if deciding else "nothing was found that a rule is about"
    found = frozenset(finding.entity for finding in verdict.findings)
    passed_over = frozenset(_allowed(test, recording.spans, under_test.pii))
    matching = frozenset(_matching(test, recording.spans, under_test.pii))
    trace = Trace("", deciding | passed_over, matching | passed_over)
    return Outcome(test, tuple(_misjudged(test, verdict.kind, found, because)), (trace,))


def _go_on() -> None:
    """Nobody waits for a policy test."""


def _misjudged(test: GateTest, actual: VerdictKind, found: frozenset[str], because: str) -> Iterator[Failure]:
    subject = f"text into {test.into}"
    if actual is not test.verdict:
        findings = f" ({_listed(found)})" if found else ""
        yield Failure(test.place, subject, test.verdict, f"{actual}{findings}", because)
    elif test.entities is not None and test.entities != found:
        yield Failure(test.place, f"{subject}: findings", _listed(test.entities), _listed(found), because)


def _matching(test: GateTest, spans: Iterable[Span], pii: PiiRules) -> Iterator[str]:
    """The rules that are about what was found, whether or not an earlier one decides."""
    for span in spans:
        for rule in pii.rules:
            if rule.decides(span.entity, span.score, test.scope):
                yield f"{pii.source}:{rule.line}"


def _allowed(test: GateTest, spans: Iterable[Span], pii: PiiRules) -> Iterator[str]:
    """The entries of the allow list that let something pass."""
    for span in spans:
        text = normalised(test.text[span.start : span.end])
        for entry in pii.allow:
            if (entry.entity, entry.text) == (span.entity, text) and entry.scope.matches(test.scope):
                yield allowed_place(pii, entry)


def allowed_place(pii: PiiRules, entry: Allowed) -> str:
    """What coverage calls an entry of the allow list."""
    return f"{pii.source}:allow[{pii.allow.index(entry)}]"


class _Recording:
    """A detector that remembers what it found."""

    def __init__(self, detector: Detector) -> None:
        self.spans: list[Span] = []
        self._detector = detector

    @property
    def supported(self) -> frozenset[str]:
        return self._detector.supported

    def detect(self, text: str, entities: frozenset[str], language: str, context: str = "") -> list[Span]:
        found = self._detector.detect(text, entities, language, context)
        self.spans += found
        return found


def _spoken(allowed: bool) -> str:  # noqa: FBT001 - private, a word for a truth value
    return "allowed" if allowed else "denied"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
