"""What would allow it: any addition that is named does, once the lines that deny are gone; and nothing smaller."""

from __future__ import annotations

from random import Random

import pytest

from proxy.authorise.additions import Addition, WayIn, way_in
from proxy.authorise.decision import Action
from proxy.authorise.mismatch import mismatch
from proxy.authorise.policyset import PolicySet
from proxy.authorise.roles import MAX_LINKS
from proxy.principal import Principal
from store.scope import Scope
from tests.proxy.authorise.stock import MODEL
from tests.proxy.authorise.worlds import PRINCIPALS, World, random_action, random_scope

POLICY = """\
p, role:reader, org/acme, read, allow
p, role:lead, org/acme/**, *, allow
p, role:guest, org/acme, read, allow
p, role:guest, org/*, *, deny
p, role:editor, org/acme, read|write, allow
p, role:editor, org/acme/team/t, read|write, allow
p, agent:out, org/acme/**, write, deny
g, agent:ed, role:editor
g, agent:odd, role:guest
"""
POLICIES = PolicySet.from_text(MODEL, POLICY, dimension_order=("org", "team"))


def asked(principal: str, action: str, scope: str, policy: PolicySet = POLICIES) -> tuple[list[str], list[str]]:
    found = way_in(policy, Principal.parse(principal), Action(action), Scope.parse(scope))
    return [line.place for line in found.denying], [addition.line for addition in found.additions]


@pytest.mark.parametrize(
    ("question", "denying", "additions"),
    [
        (("agent:ed", "read", "org/acme"), [], []),
        (
            ("agent:new", "read", "team/t/org/acme"),
            [],
            ["p, agent:new, org/acme/team/t, read, allow", "g, agent:new, role:lead", "g, agent:new, role:editor"],
        ),
        (
            ("agent:new", "read", "org/acme"),
            [],
            [
                "p, agent:new, org/acme, read, allow",
                "g, agent:new, role:reader",
                "g, agent:new, role:lead",
                "g, agent:new, role:editor",
            ],
        ),
        (("agent:ed", "forget", "org/acme"), [], ["p, agent:ed, org/acme, forget, allow", "g, agent:ed, role:lead"]),
        (("agent:new", "read", "/"), [], ["p, agent:new, /, read, allow"]),
        (("agent:odd", "read", "org/acme"), ["policy.csv:4"], []),
        (
            ("agent:odd", "write", "org/acme"),
            ["policy.csv:4"],
            ["p, agent:odd, org/acme, write, allow", "g, agent:odd, role:lead", "g, agent:odd, role:editor"],
        ),
        (
            ("agent:out", "write", "org/acme"),
            ["policy.csv:7"],
            ["p, agent:out, org/acme, write, allow", "g, agent:out, role:lead", "g, agent:out, role:editor"],
        ),
    ],
)
def test_the_smallest_additions_are_named(
    question: tuple[str, str, str], denying: list[str], additions: list[str]
) -> None:
    assert asked(*question) == (denying, additions)


def test_a_membership_that_casbin_would_not_follow_is_not_named() -> None:
    links = "\n".join(f"g, role:c{number}, role:c{number + 1}" for number in range(MAX_LINKS))
    policy = PolicySet.from_text(MODEL, f"p, role:c{MAX_LINKS}, org/a, read, allow\n{links}\n")
    _, additions = asked("agent:x", "read", "org/a", policy)
    assert "g, agent:x, role:c0" not in additions
    assert "g, agent:x, role:c1" in additions


@pytest.mark.parametrize("seed", range(3))
def test_what_is_named_allows_it(seed: int) -> None:
    random = Random(seed)
    tried = 0
    for _ in range(20):
        text = World.random(random).policy
        policy = PolicySet.from_text(MODEL, text)
        principal, action, scope = random.choice(PRINCIPALS), random_action(random), random_scope(random)
        found = way_in(policy, principal, action, scope)
        if policy.decide(principal, action, scope).allowed:
            assert found == WayIn((), ())
            continue
        denying = {line.number for line in found.denying}
        left = ["# gone" if number in denying else line for number, line in enumerate(text.splitlines(), start=1)]
        for addition in found.additions or (Addition("# nothing"),):
            tried += 1
            assert allows([*left, addition.line], principal, action, scope), (text, addition)
        if found.additions:
            assert not allows(left, principal, action, scope)
    assert tried > 10


def allows(lines: list[str], principal: Principal, action: Action, scope: Scope) -> bool:
    text = "\n".join([*lines, "p, agent:nobody, org/nowhere, read, allow"])
    return PolicySet.from_text(MODEL, text).decide(principal, action, scope).allowed


@pytest.mark.parametrize(
    ("action", "scope", "because"),
    [
        ("read", "org/a/team/t/agent/ana", None),
        ("write", "org/a/team/t/agent/ana", "write is not among its actions"),
        ("read", "org/b/team/t/agent/bo", "it is about agent/ana, not agent/bo; it is about org/a, not org/b"),
        ("read", "org/a", "it is about scopes with agent/ana and team/*"),
        (
            "forget",
            "org/a/team/t/agent/ana/user/u",
            "it is not about scopes with user; forget is not among its actions",
        ),
    ],
)
def test_a_line_that_does_not_match_says_why(action: str, scope: str, because: str | None) -> None:
    policy = PolicySet.from_text(MODEL, "p, role:x, org/a/team/*/agent/{self}, read, allow")
    found = mismatch(policy.rules.lines[0], Principal.parse("agent:ana"), Action(action), Scope.parse(scope))
    assert found == because


@pytest.mark.parametrize("seed", range(4))
def test_a_line_has_no_reason_exactly_if_it_matches(seed: int) -> None:
    random = Random(seed)
    policy = PolicySet.from_text(MODEL, World.random(random).policy)
    for _ in range(200):
        principal, action, scope = random.choice(PRINCIPALS), random_action(random), random_scope(random)
        for line in policy.rules.lines:
            matches = action in line.actions and line.pattern.matches(scope, principal.name)
            assert (mismatch(line, principal, action, scope) is None) is matches
