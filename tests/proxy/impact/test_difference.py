"""Differences are what deciding scope by scope, before and after, says; nothing less and nothing more."""

from __future__ import annotations

from random import Random

import pytest

from proxy.authorise.decision import Action
from proxy.authorise.policyset import PolicySet
from proxy.authorise.reach import Reach
from proxy.authorise.rules import read_rules
from proxy.errors import PolicyError
from proxy.impact.difference import Change, Difference, Group, Way
from proxy.principal import Principal
from tests.proxy.authorise.notation import spells
from tests.proxy.authorise.stock import MODEL
from tests.proxy.authorise.worlds import PRINCIPALS, World, random_scope

PAIRS_PER_SEED = 8
SCOPES_PER_PAIR = 40


def difference(old: str, new: str, private: tuple[str, ...] = ("agent", "user")) -> Difference:
    reaches = (Reach(read_rules(text, "policy.csv")) for text in (old, new))
    return Difference(*reaches, private, ("org", "project", "agent"))


def edited(random: Random, policy: str) -> str:
    """The policy with a few lines dropped and a few taken from elsewhere, as people change policies."""
    lines = [line for line in policy.splitlines() if random.random() > 0.15]
    lines += [line for line in World.random(random).policy.splitlines() if random.random() < 0.1]
    text = "\n".join(dict.fromkeys([*lines, "p, role:always, /, read, allow"]))
    try:
        read_rules(text, "policy.csv")
    except PolicyError:
        return World.random(random).policy
    return text


def told(found: Difference, principal: Principal, action: Action, scope: dict[str, str]) -> set[Way]:
    """What the groups say about one request."""
    return {
        change.way
        for group in found.groups
        if str(principal) in group.principals
        for change in group.changes
        if action in change.actions and any(spells(text, scope, principal.name) for text in change.patterns)
    }


@pytest.mark.parametrize("seed", range(8))
def test_the_difference_is_the_brute_force_answer(seed: int) -> None:
    random = Random(seed)
    for _ in range(PAIRS_PER_SEED):
        old = World.random(random).policy
        new = edited(random, old)
        found = difference(old, new)
        before, after = (PolicySet.from_text(MODEL, text) for text in (old, new))
        for scope in (random_scope(random) for _ in range(SCOPES_PER_PAIR)):
            for principal in PRINCIPALS:
                action = random.choice(list(Action))
                was, will = (policy.decide(principal, action, scope).allowed for policy in (before, after))
                expected = {Way.GAINS} if will > was else {Way.LOSES} if was > will else set()
                assert told(found, principal, action, scope.as_dict()) == expected, (old, new, principal, action, scope)
                assert (scope in found.gained(principal, action)) is (will > was)
                assert (scope in found.lost(principal, action)) is (was > will)


@pytest.mark.parametrize("seed", range(4))
def test_the_same_policy_in_another_order_is_no_difference(seed: int) -> None:
    random = Random(seed)
    lines = World.random(random).policy.splitlines()
    assert difference("\n".join(lines), "\n".join(random.sample(lines, len(lines)))).groups == ()


def test_principals_and_actions_with_equal_changes_are_told_once() -> None:
    roles = "g, agent:a, role:r\ng, agent:b, role:r\n"
    old = roles + "p, role:r, org/acme/agent/{self}, read, allow"
    new = roles + "p, role:r, org/acme/agent/*, read|write, allow"
    assert difference(old, new).groups == (
        Group(
            ("agent:a", "agent:b"),
            (
                Change(Way.GAINS, (Action.WRITE,), ("org/acme/agent/*",), ("policy.csv:3",), (), True),
                Change(Way.GAINS, (Action.READ,), ("org/acme/agent/*-{{self}}",), ("policy.csv:3",), (), True),
            ),
        ),
    )


def test_a_dropped_deny_is_a_gain_that_names_it() -> None:
    old = "p, agent:a, org/acme/**, read, allow\np, agent:a, org/acme/project/q3/**, read, deny"
    new = "p, agent:a, org/acme/**, read, allow"
    [group] = difference(old, new).groups
    assert group.changes == (
        Change(Way.GAINS, (Action.READ,), ("org/acme/project/q3/**",), ("policy.csv:1",), ("policy.csv:2",), True),
    )


def test_a_lost_role_is_a_loss_and_names_the_line_that_gave_it() -> None:
    line = "p, role:r, org/acme, read, allow\n"
    [group] = difference(line + "g, agent:a, role:r", line + "g, agent:b, role:r").groups[1:]
    assert group == Group(
        ("agent:a",), (Change(Way.LOSES, (Action.READ,), ("org/acme",), ("policy.csv:1",), (), False),)
    )


def test_a_name_that_a_line_spells_out_is_told_apart() -> None:
    roles = "g, agent:a, role:r\ng, agent:b, role:r\n"
    old = roles + "p, role:r, org/acme, read, allow"
    new = old + "\np, role:r, agent/*, read, allow\np, role:r, agent/a, read, deny\np, role:r, agent/{self}, read, deny"
    patterns = {group.principals: group.changes[0].patterns for group in difference(old, new).groups}
    assert patterns == {("agent:a",): ("agent/*-{a}",), ("agent:b",): ("agent/*-{a,{self}}",)}


@pytest.mark.parametrize(
    ("pattern", "private"),
    [("org/acme", False), ("agent/{self}", False), ("agent/*", True), ("agent/b", True), ("org/acme/**", True)],
)
def test_a_gain_says_whether_it_reaches_private_scopes_of_others(pattern: str, private: bool) -> None:
    old, new = "p, agent:z, /, read, allow", f"p, agent:z, /, read, allow\np, agent:a, {pattern}, read, allow"
    [group] = difference(old, new).groups
    assert group.changes[0].private is private
