"""Where the publish gate becomes weaker or stricter."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product
from random import Random

import pytest

from proxy.authorise.authoriser import Authoriser
from proxy.authorise.policyset import PolicySet
from proxy.errors import PolicyError
from proxy.impact.gatechange import NOT_INSPECTED, GateChange, gate_changes, inspected, notes
from proxy.inspection.rules import read_pii_rules
from proxy.policy import PoliciesInForce
from proxy.settings import GatewayConfig
from store.scope import Scope
from tests.proxy.authorise.notation import spells
from tests.proxy.authorise.stock import MODEL

ENTITIES = ["US_SSN", "PERSON"]
POLICY = PolicySet.from_text(MODEL, "p, agent:a, /, read, allow")
PATTERNS = ["/**", "/", "org/acme", "org/acme/**", "org/*/project/*", "org/*/agent/*/**", "project/q3/**"]
VALUES = {"org": ["acme", "other"], "project": ["q3"], "agent": ["ana"], "fresh": ["x"]}


def policies(pii: str, **config) -> PoliciesInForce:
    rules = read_pii_rules(pii, "pii.yaml", ENTITIES)
    return PoliciesInForce(Authoriser(POLICY), rules, GatewayConfig(**config), {}, datetime(2026, 1, 1, tzinfo=UTC))


def rule(scope: str, entity: str, verdict: str, score: float = 0.4) -> str:
    return f"  - {{scope: {scope}, entities: [{entity}], verdict: {verdict}, minimum_score: {score}}}\n"


def pii(*rules: str, more: str = "") -> str:
    return "version: 1\nrules:\n" + "".join(rules) + more


BLOCK = pii(rule("/**", "US_SSN", "block"))


def verdict(policies: PoliciesInForce, entity: str, score: float, scope: Scope) -> str:
    """The gate, asked about one finding."""
    if not policies.config.is_shared(scope):
        return NOT_INSPECTED
    decides = policies.pii.decide(entity, score, scope)
    if decides is None:
        return "pass"
    return f"redact ({decides.operator})" if decides.verdict == "redact" else str(decides.verdict)


@pytest.mark.parametrize("seed", range(12))
def test_gate_changes_are_the_brute_force_answer(seed: int) -> None:
    random = Random(seed)

    def draw() -> PoliciesInForce:
        while True:
            rules = [
                rule(random.choice(PATTERNS), random.choice(ENTITIES), verdict, random.choice([0.2, 0.5, 0.9]))
                for verdict in random.choices(["block", "hold", "redact", "pass"], k=random.randint(1, 5))
            ]
            try:
                return policies(pii(*rules), private_dimensions=random.choice([["agent"], ["agent", "project"], []]))
            except PolicyError:  # a rule that another makes unreachable: draw again
                continue

    old, new = draw(), draw()
    changes = gate_changes(old, new)
    choices = [[None, *values] for values in VALUES.values()]
    for values in product(*choices):
        terms = {name: value for name, value in zip(VALUES, values, strict=True) if value}
        scope = Scope.parse(terms)
        assert (scope in inspected(old.config)) is old.config.is_shared(scope)
        for entity, score in product(ENTITIES, [0.2, 0.4, 0.5, 0.7, 0.9, 1.0]):
            before, after = verdict(old, entity, score, scope), verdict(new, entity, score, scope)
            if entity not in old.pii.entities | new.pii.entities or score < lowest(old, new, entity):
                continue
            told = [
                (change.before, change.after)
                for change in changes
                if entity in change.entities
                and change.scores[0] <= score < (change.scores[1] or 2)
                and any(spells(text, terms, "") for text in change.patterns)
            ]
            assert told == ([(before, after)] if before != after else []), (scope, entity, score)


def lowest(old: PoliciesInForce, new: PoliciesInForce, entity: str) -> float:
    rules = [*old.pii.rules, *new.pii.rules]
    return min(rule.minimum_score for rule in rules if entity in rule.entities)


def test_a_milder_verdict_is_weaker_and_a_private_dimension_weakest() -> None:
    [change] = gate_changes(policies(BLOCK), policies(BLOCK.replace("block", "hold")))
    assert change.weaker
    [change] = gate_changes(policies(BLOCK), policies(BLOCK, private_dimensions=["agent", "user", "session", "team"]))
    assert change == GateChange(("US_SSN",), ("team/*/!user/!agent/!session/**",), (0.0, None), "block", NOT_INSPECTED)
    assert change.weaker


def test_a_higher_threshold_is_told_with_its_scores() -> None:
    [change] = gate_changes(policies(BLOCK), policies(BLOCK.replace("0.4", "0.9")))
    assert (change.scores, change.before, change.after) == ((0.0, 0.9), "block", "pass")


def test_notes_say_what_else_changes_and_what_is_risky() -> None:
    allow = pii(rule("/**", "PERSON", "hold"), more='allow:\n  - {entity: PERSON, text: "Ada Lovelace"}\n')
    old = policies(pii(rule("/**", "PERSON", "hold")), private_dimensions=["agent", "user"])
    new = policies(allow, private_dimensions=["agent", "team"], sessions={"lifetime_s": 5})
    assert [(note.risky, note.text) for note in notes(old, new)] == [
        (True, "dimension team becomes private: the publish gate is no longer asked about scopes that name it"),
        (True, "dimension user becomes shared: what lies there already was stored without the publish gate"),
        (True, "pii.yaml: PERSON 'ada lovelace' is no longer a finding in /**"),
        (False, "gateway.yaml: sessions changes from {'lifetime_s': 86400} to {'lifetime_s': 5}"),
    ]
    assert [note.risky for note in notes(new, old)] == [True, True, False, False]
    assert notes(old, old) == ()
