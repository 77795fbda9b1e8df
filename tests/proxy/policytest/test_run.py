"""What a test says of policies that do as it states, and of policies that do not."""

from dataclasses import replace

import pytest

from proxy.inspection.detector import Span
from tests.proxy.inspection.doubles import ScriptedDetector
from tests.proxy.policytest.builders import PII, POLICY, covered, outcomes, world

FORGETTING = "p, role:writer, agent/{self}/org/acme, forget|read|write, allow"
DENIAL = "p, role:writer, org/acme/agent/bo/**, forget, deny"

# fmt: off
PASSING = [
    "{name: n, principal: agent:ana, expect: {org/acme: [read, write], org/acme/agent/ana: [read, write, forget], org/acme/agent/bo: []}}",
    "{name: n, principal: agent:bo, expect: {org/acme/agent/bo: [read, write]}}",
    "{name: n, principal: agent:cy, expect: {org/acme: [read], org/acme/agent/cy: [], /: []}, roles: [role:reader]}",
    "{name: n, principal: agent:nobody, expect: {org/acme: []}, roles: []}",
    "{name: n, principal: agent:ana, roles: [role:reader, role:writer]}",
    f"{{name: n, principal: agent:ana, expect: {{org/acme/agent/ana: [read, write, forget]}}, because: {{org/acme/agent/ana: '{FORGETTING}'}}}}",
    f"{{name: n, principal: agent:bo, expect: {{org/acme/agent/bo: [read, write]}}, because: {{org/acme/agent/bo: '{DENIAL}'}}}}",
]
FAILING = {
    "one action too many": (
        "{name: n, principal: agent:cy, expect: {org/acme: [read, write, forget]}}",
        ["f.yaml:1:47: test 'n': write, forget in org/acme: expected allowed; is denied: no line allows it"],
    ),
    "one action too few": (
        "{name: n, principal: agent:ana, expect: {org/acme: []}}",
        [
            "f.yaml:1:48: test 'n': read in org/acme: expected denied; is allowed: by policy.csv:1",
            "f.yaml:1:48: test 'n': write in org/acme: expected denied; is allowed: by policy.csv:2",
        ],
    ),
    "denied by a line": (
        "{name: n, principal: agent:bo, expect: {org/acme/agent/bo: [read, write, forget]}}",
        ["f.yaml:1:47: test 'n': forget in org/acme/agent/bo: expected allowed; is denied: by policy.csv:4"],
    ),
    "another line decides": (
        "{name: n, principal: agent:ana, expect: {org/acme: [read, write]}, because: {org/acme: 'p, role:writer, org/acme, read|write, allow'}}",
        ["f.yaml:1:48: test 'n': read in org/acme: expected allowed by: p, role:writer, org/acme, read|write, allow; is allowed: by policy.csv:1"],
    ),
    "no line decides": (
        f"{{name: n, principal: agent:cy, expect: {{org/acme/agent/bo: []}}, because: {{org/acme/agent/bo: '{DENIAL}'}}}}",
        [f"f.yaml:1:47: test 'n': forget in org/acme/agent/bo: expected denied by: {DENIAL}; is denied: no line allows it"],
    ),
    "other roles": (
        "{name: n, principal: agent:ana, roles: [role:writer]}",
        ["f.yaml:1:9: test 'n': roles of agent:ana: expected role:writer; is role:reader, role:writer"],
    ),
}
GATE_PASSING = [
    "{name: n, text: her SSN is 123-45-6789, into: org/acme, verdict: block, entities: [US_SSN]}",
    "{name: n, text: her SSN is 123-45-6789, into: org/acme/agent/x, verdict: pass, entities: []}",
    "{name: n, text: ask a@b.example, into: org/acme, verdict: redact}",
    "{name: n, text: Maria said so, into: org/acme, verdict: hold, entities: [PERSON]}",
    "{name: n, text: Maria said so, into: org/other, verdict: pass}",
    "{name: n, text: Ada Lovelace said so, into: org/acme, verdict: pass, entities: []}",
    "{name: n, text: nothing, into: /, verdict: pass}",
]
GATE_FAILING = {
    "another verdict": (
        "{name: n, text: ask Maria, into: org/acme, verdict: block}",
        "f.yaml:1:9: test 'n': text into org/acme: expected block; is hold (PERSON): by pii.yaml:5",
    ),
    "no finding": (
        "{name: n, text: nothing, into: org/acme, verdict: hold}",
        "f.yaml:1:9: test 'n': text into org/acme: expected hold; is pass: nothing was found that a rule is about",
    ),
    "a private scope": (
        "{name: n, text: 123-45-6789, into: org/acme/user/x, verdict: block}",
        "f.yaml:1:9: test 'n': text into org/acme/user/x: expected block; is pass: a private scope has no gate",
    ),
    "other findings": (
        "{name: n, text: 123-45-6789 of Maria, into: org/acme, verdict: block, entities: [PERSON, US_SSN]}",
        "f.yaml:1:9: test 'n': text into org/acme: findings: expected PERSON, US_SSN; is US_SSN: by pii.yaml:3",
    ),
}
# fmt: on


def told(text: str) -> list[str]:
    [outcome] = outcomes(text)
    return [str(failure.problem("n")).replace("tests/t.yaml", "f.yaml") for failure in outcome.failures]


@pytest.mark.parametrize("test", PASSING)
def test_what_the_policy_does_passes(test: str) -> None:
    assert told(f"tests: [{test}]") == []


@pytest.mark.parametrize(("test", "expected"), FAILING.values(), ids=FAILING)
def test_what_the_policy_does_not_do_is_told_with_the_line_that_decided(test: str, expected: list[str]) -> None:
    found = told(f"tests: [{test}]")
    assert [line.split(": ", 1)[1] for line in found] == [line.split(": ", 1)[1] for line in expected]


@pytest.mark.parametrize("test", GATE_PASSING)
def test_what_the_gate_does_passes(test: str) -> None:
    assert told(f"gate: [{test}]") == []


@pytest.mark.parametrize(("test", "expected"), GATE_FAILING.values(), ids=GATE_FAILING)
def test_what_the_gate_does_not_do_is_told_without_the_text(test: str, expected: str) -> None:
    [found] = told(f"gate: [{test}]")
    assert found == expected


def test_a_text_that_cannot_be_judged_fails_its_test_without_being_told() -> None:
    def fail() -> list[Span]:
        raise ValueError("some text of the draft")

    under_test = replace(world(), detector=ScriptedDetector(fail))
    [outcome] = outcomes("gate: [{name: n, text: a text, into: org/acme, verdict: pass}]", under_test)
    assert [str(failure.problem("n")) for failure in outcome.failures] == [
        "tests/t.yaml:1:9: test 'n': text into org/acme: expected pass; is not judged: ValueError"
    ]


def missing(text: str) -> dict[str, str]:
    return {line.place: str(line.exercise) for line in covered(text).missing()}


def test_coverage_counts_the_lines_that_decide() -> None:
    found = missing("tests: [{name: n, principal: agent:ana, expect: {org/acme: []}}]")
    assert found == {
        "policy.csv:3": "never matches",
        "policy.csv:4": "never matches",
        "policy.csv:7": "never matches",
        "policy.csv:8": "never matches",
        "pii.yaml:3": "never matches",
        "pii.yaml:4": "never matches",
        "pii.yaml:5": "never matches",
        "pii.yaml:allow[0]": "never matches",
    }


def test_coverage_tells_what_matches_and_never_decides() -> None:
    policy = "p, role:a, org/acme/**, read, deny\np, agent:x, org/acme, read, allow\ng, agent:x, role:a\ng, agent:x, role:b\n"
    text = "tests: [{name: n, principal: agent:x, expect: {org/acme: []}}]\ngate: [{name: g, text: 123-45-6789, into: org/acme, verdict: block}]"
    lines = {line.place: str(line.exercise) for line in covered(text, world(policy)).lines}
    assert lines == {
        "policy.csv:1": "decides",
        "policy.csv:2": "matches but never decides",
        "policy.csv:3": "decides",
        "policy.csv:4": "never matches",
        "pii.yaml:3": "decides",
        "pii.yaml:4": "never matches",
        "pii.yaml:5": "matches but never decides",
        "pii.yaml:allow[0]": "never matches",
    }


def test_a_test_of_roles_exercises_the_links_to_them() -> None:
    assert {"policy.csv:5", "policy.csv:6"}.isdisjoint(missing("tests: [{name: n, principal: agent:ana, roles: []}]"))


def test_full_coverage_is_a_hundred_percent_and_almost_is_not() -> None:
    tests = "tests:\n" + "".join(
        f"  - {{name: {name}, principal: 'agent:{name}', expect: {{org/acme: [], org/acme/agent/{name}: []}}}}\n"
        for name in ("ana", "bo", "cy")
    )
    gate = "gate:\n" + "".join(
        f"  - {{name: {text}, text: {text}, into: org/acme, verdict: pass}}\n"
        for text in ("123-45-6789", "a@b.example", "Maria")
    )
    almost = covered(tests + gate)
    assert (almost.deciding, len(almost.lines), almost.percent) == (11, 12, 91.6)
    full = covered(tests + gate + "  - {name: ada, text: Ada Lovelace, into: org/acme, verdict: pass}\n")
    assert (full.missing(), full.percent) == ((), 100.0)


def test_the_worlds_here_are_as_their_tests_count_them() -> None:
    assert (len(POLICY.splitlines()), PII.count("- {")) == (8, 4)
