"""``pii.yaml``: what it may say, and that every mistake is refused where it stands."""

import dataclasses
import hashlib

import pytest

from proxy.errors import PolicyError
from proxy.inspection.rules import Operator, PiiRules, read_pii_rules
from proxy.inspection.verdict import VerdictKind
from store.scope import Scope

SUPPORTED = {"US_SSN", "CREDIT_CARD", "PERSON", "EMAIL_ADDRESS"}
SCOPE = Scope.parse("org/acme/project/q3")

GOOD = """\
version: 1
language: en
minimum_score: 0.5
rules:
  - scope: org/acme/project/*
    entities: [PERSON]
    verdict: pass
    minimum_score: 0.9
  - scope: /**
    entities: [US_SSN, PERSON]
    verdict: block
  - scope: /**
    entities: [EMAIL_ADDRESS]
    verdict: redact
allow:
  - {entity: PERSON, text: "Ada  Lovelace", scope: org/acme/**}
"""


def read(text: str) -> PiiRules:
    return read_pii_rules(text, "pii.yaml", SUPPORTED)


def refused(text: str) -> list[tuple[int, int, str]]:
    with pytest.raises(PolicyError) as caught:
        read(text)
    assert {problem.source for problem in caught.value.problems} == {"pii.yaml"}
    return [(problem.line, problem.column, problem.message) for problem in caught.value.problems]


def test_a_good_file_is_read_whole() -> None:
    rules = read(GOOD)
    assert rules.version == hashlib.sha256(GOOD.encode()).hexdigest()
    assert rules.entities == {"PERSON", "US_SSN", "EMAIL_ADDRESS"}
    assert [rule.line for rule in rules.rules] == [5, 9, 12]
    assert [rule.minimum_score for rule in rules.rules] == [0.9, 0.5, 0.5]
    assert rules.rules[2].operator is Operator.REPLACE
    with pytest.raises(dataclasses.FrozenInstanceError):
        rules.rules = ()  # type: ignore[misc]


@pytest.mark.parametrize(
    ("entity", "score", "scope", "verdict"),
    [
        ("PERSON", 0.95, "org/acme/project/q3", VerdictKind.PASS),
        ("PERSON", 0.9, "org/acme/project/q3", VerdictKind.PASS),
        ("PERSON", 0.89, "org/acme/project/q3", VerdictKind.BLOCK),
        ("PERSON", 0.95, "org/acme/project/q3/team/a", VerdictKind.BLOCK),
        ("PERSON", 0.49, "org/acme/project/q3", None),
        ("US_SSN", 0.5, "/", VerdictKind.BLOCK),
        ("CREDIT_CARD", 1.0, "/", None),
    ],
)
def test_the_first_rule_whose_scope_entity_and_score_fit_decides(
    entity: str, score: float, scope: str, verdict: VerdictKind | None
) -> None:
    rule = read(GOOD).decide(entity, score, Scope.parse(scope))
    assert (rule and rule.verdict) == verdict


@pytest.mark.parametrize(
    ("entity", "text", "scope", "allowed"),
    [
        ("PERSON", "Ada Lovelace", SCOPE, True),
        ("PERSON", "ada\n LOVELACE", SCOPE, True),
        ("PERSON", "Ada Lovelace's", SCOPE, False),
        ("PERSON", "Ada", SCOPE, False),
        ("US_SSN", "Ada Lovelace", SCOPE, False),
        ("PERSON", "Ada Lovelace", Scope.parse("org/other"), False),
    ],
)
def test_the_allow_list_compares_all_that_was_found(entity: str, text: str, scope: Scope, allowed: bool) -> None:
    assert read(GOOD).allows(entity, text, scope) is allowed


RULE = "version: 1\nrules:\n  - scope: /**\n    entities: [PERSON]\n    verdict: hold\n"

MISTAKES: dict[str, tuple[str, int, int, str]] = {
    "not YAML": ("version: [1", 1, 12, "expected"),
    "empty": ("", 0, 0, "version: Field required"),
    "a list": ("- a", 1, 1, "valid dictionary"),
    "no version": (RULE.replace("version: 1\n", ""), 1, 1, "version: Field required"),
    "another version": (RULE.replace("version: 1", "version: 2"), 1, 1, "should be 1"),
    "another language": (RULE + "language: de\n", 6, 1, "should be 'en'"),
    "an unknown field": (RULE + "minimum_scor: 1\n", 6, 1, "did you mean 'minimum_score'?"),
    "an unknown field of a rule": (RULE + "    verdikt: hold\n", 6, 5, "did you mean 'verdict'?"),
    "a score above 1": (RULE + "minimum_score: 4\n", 6, 1, "less than or equal to 1"),
    "a score below 0": (RULE + "    minimum_score: -0.1\n", 6, 5, "greater than or equal to 0"),
    "a score of yes": (RULE + "minimum_score: yes\n", 6, 1, "valid number"),
    "a score in quotes": (RULE + 'minimum_score: "0.4"\n', 6, 1, "valid number"),
    "a score that is no number": (RULE + "minimum_score: .nan\n", 6, 1, "finite"),
    "a mistyped entity": (RULE.replace("PERSON", "PERSN"), 4, 16, "did you mean PERSON?"),
    "an entity in small letters": (RULE.replace("PERSON", "us_ssn"), 4, 16, "did you mean US_SSN?"),
    "an entity from elsewhere": (RULE.replace("PERSON", "Ω"), 4, 16, "the detector knows CREDIT_CARD, EMAIL"),
    "the second entity": (RULE.replace("[PERSON]", "[PERSON, US_SNN]"), 4, 24, "did you mean US_SSN?"),
    "no entities": (RULE.replace("[PERSON]", "[]"), 4, 5, "at least 1 item"),
    "no rules": ("version: 1\nrules: []\n", 2, 1, "at least 1 item"),
    "no verdict": (RULE.replace("    verdict: hold\n", ""), 3, 5, "verdict: Field required"),
    "a mistyped verdict": (RULE.replace("hold", "blok"), 5, 5, "'block'"),
    "an operator without redact": (
        RULE + "    operator: mask\n",
        6,
        5,
        "only goes with the verdict redact, not with hold",
    ),
    "a mistyped operator": (RULE.replace("hold", "redact") + "    operator: masc\n", 6, 5, "'mask'"),
    "a scope that is no pattern": (RULE.replace("/**", "org"), 3, 5, "has no value"),
    "a scope with self": (RULE.replace("/**", "agent/{self}"), 3, 5, "{self}"),
    "a key given twice": (RULE + "    verdict: pass\n", 6, 5, "given twice"),
    "an alias": (RULE + "allow: [&a {entity: PERSON, text: x}, *a]\n", 6, 39, "aliases"),
    "an empty allowed text": (RULE + "allow:\n  - {entity: PERSON, text: ' '}\n", 7, 22, "allows nothing"),
    "an allowed entity that is unknown": (
        RULE + "allow:\n  - {entity: PERSONS, text: a}\n",
        7,
        6,
        "did you mean PERSON?",
    ),
    "a rule that never decides": (
        RULE + "  - scope: /**\n    entities: [US_SSN, PERSON]\n    verdict: pass\n",
        7,
        24,
        "never decides about PERSON: the rule on line 3 already does",
    ),
}


@pytest.mark.parametrize(("text", "line", "column", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_refused_where_it_stands(text: str, line: int, column: int, message: str) -> None:
    problems = refused(text)
    assert [(at[0], at[1]) for at in problems if message in at[2]] == [(line, column)]


def test_all_mistakes_are_reported_at_once() -> None:
    text = RULE.replace("PERSON", "PERSN").replace("hold", "blok").replace("/**", "org") + "minimum_score: 7\n"
    assert [line for line, _, _ in refused(text)] == [3, 4, 5, 6]


@pytest.mark.parametrize(
    "later",
    [
        "  - scope: org/acme\n    entities: [PERSON]\n    verdict: pass\n",
        "  - scope: /**\n    entities: [PERSON]\n    verdict: pass\n    minimum_score: 0.1\n",
    ],
    ids=["narrower scope", "lower threshold"],
)
def test_a_later_rule_that_can_matter_is_accepted(later: str) -> None:
    assert len(read(RULE + later).rules) == 2
