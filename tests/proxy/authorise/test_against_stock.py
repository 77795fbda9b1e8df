"""The answers are those of a stock Casbin enforcer over the same files, and the lines those of the definition."""

from pathlib import Path
from random import Random

import pytest

from proxy.authorise.decision import Action, Ruling
from proxy.authorise.policyset import PolicySet
from proxy.principal import Principal
from store.scope import Scope
from tests.proxy.authorise.stock import MODEL, SHIPPED, means, rule_lines, stock_enforcer
from tests.proxy.authorise.worlds import PRINCIPALS, World, random_action, random_scope

POLICIES_PER_SEED = 10
REQUESTS_PER_POLICY = 125


@pytest.mark.parametrize("seed", range(8))
def test_random_policies_decide_as_stock_casbin_does(seed: int, tmp_path: Path) -> None:
    random = Random(seed)
    allowed = 0
    for _ in range(POLICIES_PER_SEED):
        world = World.random(random)
        policy = PolicySet.from_text(MODEL, world.policy)
        stock = stock_enforcer(tmp_path, world.policy)
        for _ in range(REQUESTS_PER_POLICY):
            principal, action, scope = random.choice(PRINCIPALS), random_action(random), random_scope(random)
            ruling = policy.decide(principal, action, scope)
            expected = stock.enforce(str(principal), scope.path(), action.value)
            assert ruling.allowed is expected, (world.policy, principal, action, scope)
            assert (ruling.allowed, ruling.line) == deciding(world.policy, principal, action, scope)
            assert_explained(policy, principal, action, scope, ruling)
            allowed += expected
    assert 100 < allowed < POLICIES_PER_SEED * REQUESTS_PER_POLICY - 100


def test_the_shipped_policy_decides_as_stock_casbin_does(tmp_path: Path) -> None:
    policy = PolicySet.from_text(MODEL, SHIPPED)
    stock = stock_enforcer(tmp_path, SHIPPED)
    names = (
        "agent:researcher",
        "agent:intern",
        "agent:worker-1",
        "supervisor:lead",
        "human:ana",
        "human:ops",
        "agent:new",
    )
    paths = (
        "/",
        "org/acme",
        "org/acme/project/q3",
        "org/acme/project/q3/agent/researcher",
        "org/acme/project/q3/user/ceo",
        "org/acme/project/alpha",
        "org/acme/project/alpha/agent/worker-1",
        "org/acme/project/alpha/agent/worker-2",
    )
    for principal in map(Principal.parse, names):
        for scope in map(Scope.parse, paths):
            for action in Action:
                expected = stock.enforce(str(principal), scope.path(), action.value)
                assert policy.decide(principal, action, scope).allowed is expected


def deciding(policy: str, principal: Principal, action: Action, scope: Scope) -> tuple[bool, str | None]:
    """The verdict and its line by the definition: first deny, else first allow, of the lines of all roles."""
    rows = list(rule_lines(policy))
    subjects = {str(principal)}
    for _ in rows:
        subjects |= {columns[2] for _, columns in rows if columns[0] == "g" and columns[1] in subjects}
    matching = [
        (columns[4], f"policy.csv:{number}")
        for number, columns in rows
        if columns[0] == "p"
        and columns[1] in subjects
        and action.value in (columns[3].split("|") if columns[3] != "*" else list(Action))
        and means(columns[2], scope.as_dict(), principal.name)
    ]
    for effect in ("deny", "allow"):
        for found, line in matching:
            if found == effect:
                return effect == "allow", line
    return False, None


def assert_explained(policy: PolicySet, principal: Principal, action: Action, scope: Scope, ruling: Ruling) -> None:
    explanation = policy.explain(principal, action, scope)
    assert (explanation.allowed, explanation.line, explanation.reason) == (ruling.allowed, ruling.line, ruling.reason)
    effects = {considered.effect for considered in explanation.considered if considered.matches}
    assert ruling.allowed is (effects == {"allow"})
