"""The index decides as the definition does: on every small policy, and on random ones as stock Casbin does.

``pytest tests/proxy/authorise/test_index.py --oracle-pairs 100000`` asks more often.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from random import Random

import pytest

from proxy.authorise import index
from proxy.authorise.decision import Action
from proxy.authorise.index import PolicyIndex
from proxy.authorise.policyset import PolicySet
from proxy.authorise.roles import Memberships
from proxy.authorise.rules import Rules, read_rules
from proxy.principal import Principal
from store.scope import Scope
from tests.proxy.authorise.stock import MODEL, means, rule_lines, stock_enforcer
from tests.proxy.authorise.test_against_stock import deciding
from tests.proxy.authorise.worlds import PRINCIPALS, World, random_action, random_scope

ANA = Principal.parse("agent:ana")
BO = Principal.parse("agent:bo")
REQUESTS_PER_POLICY = 200

# Everything that a pattern can say about two dimensions with two values, one of them the caller's name.
PARTS = [[None, "x", "ana", "*", "{self}"]] * 2
PATTERNS = [
    ("/".join(f"{dimension}/{value}" for dimension, value in zip("ab", values, strict=True) if value) or "/") + end
    for values in itertools.product(*PARTS)
    for end in ("", "/**")
]
PATTERNS = [pattern.replace("//**", "/**") for pattern in PATTERNS]
SMALL = [
    {dimension: value for dimension, value in zip("abc", values, strict=True) if value}
    for values in itertools.product([None, "x", "ana", "bo"], [None, "x", "ana", "bo"], [None, "x"])
]
SMALL_SCOPES = [Scope.parse(spelled) for spelled in SMALL]
MEANT = {pattern: [means(pattern, spelled, "ana") for spelled in SMALL] for pattern in PATTERNS}


@pytest.fixture(params=[1, index.LARGE_LINES], ids=["large subjects", "small subjects"])
def _large(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Subjects compiled at load and tables left apart, and subjects compiled when asked for and tables merged."""
    monkeypatch.setattr(index, "LARGE_LINES", request.param)


@pytest.mark.usefixtures("_large")
@pytest.mark.parametrize("first", PATTERNS)
def test_every_pair_of_patterns_in_every_small_scope(first: str) -> None:
    for second, effects in itertools.product(PATTERNS, [("allow", "deny"), ("allow", "allow"), ("deny", "allow")]):
        if first == second and effects != ("allow", "allow"):
            continue
        subject = "role:r" if first == second else "agent:ana"
        text = f"p, agent:ana, {first}, read, {effects[0]}\np, {subject}, {second}, read, {effects[1]}\ng, agent:ana, role:r"
        compiled = small_index(text)
        for at, scope in enumerate(SMALL_SCOPES):
            matching = [
                (effect, number)
                for pattern, effect, number in zip((first, second), effects, (1, 2), strict=True)
                if MEANT[pattern][at]
            ]
            denying = [number for effect, number in matching if effect == "deny"]
            expected = next(iter(denying or [number for _, number in matching]), None)
            line = compiled.deciding(ANA, Action.READ, scope)
            assert (line and line.number) == expected, (text, scope)


@pytest.mark.usefixtures("_large")
def test_random_pairs_of_policy_and_request_are_decided_as_by_stock_casbin(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    pairs = pytestconfig.getoption("--oracle-pairs") // 2  # half with large subjects, half with small ones
    random = Random(pairs)
    allowed = 0
    for _ in range(pairs // REQUESTS_PER_POLICY):
        world = World.random(random)
        policy = PolicySet.from_text(MODEL, world.policy)
        stock = stock_enforcer(tmp_path, world.policy)
        for _ in range(REQUESTS_PER_POLICY):
            principal, action, scope = random.choice(PRINCIPALS), random_action(random), random_scope(random)
            ruling = policy.decide(principal, action, scope)
            expected = stock.enforce(str(principal), scope.path(), action.value)
            assert ruling.allowed is expected, (world.policy, principal, action, scope)
            assert (ruling.allowed, ruling.line) == deciding(world.policy, principal, action, scope)
            allowed += expected
    assert pairs // 20 < allowed < pairs // 2


@pytest.mark.usefixtures("_large")
def test_the_first_line_in_the_file_decides_whoever_it_is_about() -> None:
    text = (
        "p, role:b, org/acme, read, allow\n"
        "p, role:a, org/acme, read, allow\n"
        "p, agent:ana, org/acme, read|write, allow\n"
        "p, role:b, org/acme, publish|write, deny\n"
        "p, role:a, org/acme, write|forget, deny\n"
        "g, agent:ana, role:a\ng, agent:ana, role:b"
    )
    policy = PolicySet.from_text(MODEL, text)
    acme = Scope.parse("org/acme")
    lines = {action.value: policy.decide(ANA, action, acme).line for action in Action}
    assert lines == {
        "read": "policy.csv:1", "write": "policy.csv:4", "publish": "policy.csv:4", "forget": "policy.csv:5",
        "review": None, "administer": None,
    }  # fmt: skip


@pytest.mark.parametrize("count", [1, 9])
def test_roles_reach_through_as_many_links_as_casbin_follows(count: int) -> None:
    chain = "".join(f"g, role:r{number}, role:r{number + 1}\n" for number in range(1, count))
    policy = PolicySet.from_text(MODEL, f"p, role:r{count}, /**, read, allow\ng, agent:ana, role:r1\n{chain}")
    assert policy.decide(ANA, Action.READ, Scope.parse("org/acme")).allowed
    assert not policy.decide(BO, Action.READ, Scope.parse("org/acme")).allowed


def test_principals_with_the_same_roles_share_a_view_and_not_their_names() -> None:
    text = "p, role:r, agent/{self}, read, allow\ng, agent:ana, role:r\ng, agent:bo, role:r"
    compiled = small_index(text)
    assert compiled.view(ANA, Action.READ) is compiled.view(BO, Action.READ)
    for principal, other in ((ANA, BO), (BO, ANA)):
        assert compiled.deciding(principal, Action.READ, Scope.parse(f"agent/{principal.name}"))
        assert not compiled.deciding(principal, Action.READ, Scope.parse(f"agent/{other.name}"))


def test_full_caches_start_anew_and_answer_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "SEATS_KEPT", 2)
    monkeypatch.setattr(index, "PLANS_KEPT", 2)
    policy = PolicySet.from_text(MODEL, "p, agent:ana, a/*/**, read, allow")
    for _ in range(2):
        for principal, scope in itertools.product((ANA, BO, Principal.parse("human:ana")), SMALL_SCOPES):
            expected = principal == ANA and "a" in scope.dimensions
            assert policy.decide(principal, Action.READ, scope).allowed is expected
    assert len(policy._index._seats) <= 2


def small_index(text: str) -> PolicyIndex:
    """An index of lines read one by one: some pairs of them the reader would refuse to take together."""
    lines, links = [], []
    for number, columns in rule_lines(text):
        if columns[0] == "g":
            links += read_rules(f"{', '.join(columns)}\np, role:x, /, read, allow", "policy.csv").links
        else:
            lines += read_rules("#\n" * (number - 1) + ", ".join(columns), "policy.csv").lines
    return PolicyIndex(Rules(tuple(lines), tuple(links)), Memberships(links))
