"""Regions are the brute-force answer over a universe with values and dimensions that no policy names."""

from __future__ import annotations

import itertools
from random import Random

import pytest

from proxy.authorise import regions
from proxy.authorise.decision import Action
from proxy.authorise.policyset import PolicySet
from proxy.authorise.reach import Reach
from proxy.authorise.regions import Region, RegionLimitError
from proxy.authorise.rules import read_rules
from proxy.authorise.spelling import legend, spelled
from proxy.pattern import ScopePattern
from proxy.principal import Principal
from store.scope import Scope
from tests.proxy.authorise.notation import spells
from tests.proxy.authorise.stock import MODEL, means, rule_lines
from tests.proxy.authorise.test_may_look import UNIVERSE, pattern
from tests.proxy.authorise.worlds import PRINCIPALS, World, random_scope

ANA = Principal.parse("agent:ana")
ORDER = ("org", "team", "project", "user", "agent", "session")
PAIRS_PER_SEED = 40
WORLDS_PER_SEED = 12
SCOPES_PER_WORLD = 60


def region_of(*texts: str, name: str = "ana") -> Region:
    return Region.of([ScopePattern.parse(text) for text in texts], name)


@pytest.mark.parametrize(
    ("allowed", "denied", "expected"),
    [
        (["org/acme/**"], [], ["org/acme/**"]),
        (["org/acme"], [], ["org/acme"]),
        (["/"], [], ["/"]),
        (["/**"], [], ["/**"]),
        (["/**"], ["/"], ["/+"]),
        (["/**"], ["/**"], []),
        (["org/acme"], ["org/acme/**"], []),
        (["org/acme/**"], ["org/acme"], ["org/acme/+"]),
        (["org/acme/**"], ["org/acme/project/*/**"], ["org/acme/!project/**"]),
        (["org/acme/**"], ["org/acme/project/*"], ["org/acme/!project/**", "org/acme/project/*/+"]),
        (["/**"], ["org/acme/**"], ["org?/*-{acme}/**"]),
        (["org/acme/project/*/agent/*"], ["org/acme/project/q3/agent/*"], ["org/acme/project/*-{q3}/agent/*"]),
        (["agent/*"], ["agent/{self}"], ["agent/*-{ana}"]),
        (["project/q3", "project/q4", "project/*"], [], ["project/*"]),
        (["project/q3", "project/q4"], [], ["project/{q3,q4}"]),
        (["a/1", "a/2", "a/*/b/3"], [], ["a/*/b/3", "a/{1,2}"]),
        (["org/acme", "org/acme/agent/{self}"], [], ["org/acme", "org/acme/agent/ana"]),
        (["org/acme", "org/acme/project/*/**"], [], ["org/acme", "org/acme/project/*/**"]),
        (
            ["org/acme/**"],
            ["org/acme/project/q3/user/ceo/**"],
            ["org/acme/project?/*-{q3}/**", "org/acme/user?/*-{ceo}/**"],
        ),
    ],
)
def test_a_region_is_spelled_with_as_little_as_it_takes(allowed, denied, expected) -> None:
    region = region_of(*allowed) - region_of(*denied)
    assert list(spelled(region, ORDER)) == expected


def test_dimensions_are_spelled_in_the_order_given() -> None:
    region = region_of("agent/ana/project/q3/org/acme/zone/1")
    assert spelled(region, ORDER) == ("org/acme/project/q3/agent/ana/zone/1",)
    assert spelled(region) == ("agent/ana/org/acme/project/q3/zone/1",)


def test_a_legend_explains_only_the_signs_that_were_used() -> None:
    assert legend(["org/acme/**", "agent/{self}"]) == []
    assert legend(["agent/*-{self}"]) == ["*-{a} is any value but a"]
    assert len(legend(["a/{1,2}", "b?/*-{1}/+", "!c"])) == 5


def test_a_full_scope_has_nothing_below_it() -> None:
    full = "/".join(f"d{number}/v" for number in range(8))
    assert region_of(f"{full}/**") == region_of(f"{full}/**")
    assert not region_of(f"{full}/**") - region_of(full)
    assert spelled(region_of(full)) == (full,)


def test_self_without_a_name_matches_no_value() -> None:
    assert not Region.of([ScopePattern.parse("agent/{self}")], None)


def test_a_region_that_falls_into_too_many_parts_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regions, "MAX_BOXES", 16)
    ragged = region_of(*(f"a{number}/v/b{number}/v/**" for number in range(8)))
    with pytest.raises(RegionLimitError, match=r"more than 16 parts \(limit MAX_BOXES\)"):
        region_of("/**") - ragged


def scopes(fixed: dict[str, str]) -> list[dict[str, str]]:
    choices = [[None, *values] for values in UNIVERSE.values()]
    free = [dict(zip(UNIVERSE, values, strict=True)) for values in itertools.product(*choices)]
    found = [fixed | {key: value for key, value in each.items() if value is not None} for each in free]
    return [scope for scope in found if len(scope) <= 8]


def random_policy(random: Random, fixed: dict[str, str]) -> str:
    drafts = {pattern(random, fixed): random.choice(["allow", "allow", "deny"]) for _ in range(random.randint(1, 6))}
    return "\n".join(f"p, agent:ana, {text}, read, {effect}" for text, effect in drafts.items())


def allowed(policy: str, scope: dict[str, str]) -> bool:
    effects = {columns[4] for _, columns in rule_lines(policy) if means(columns[2], scope, ANA.name)}
    return effects == {"allow"}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("prefix", [0, 5, 6, 7])
def test_regions_differences_and_their_spelling_are_exact(prefix: int, seed: int) -> None:
    """For random pairs of policies, over every scope of a small universe: zero differences."""
    random = Random(1_000 * prefix + seed)
    fixed = {f"d{number}": "v" for number in range(prefix)}
    universe = scopes(fixed)
    for _ in range(PAIRS_PER_SEED):
        old, new = random_policy(random, fixed), random_policy(random, fixed)
        before, after = (Reach(read_rules(text, "policy.csv")).region(ANA, Action.READ) for text in (old, new))
        gained, both, either = after - before, after & before, after | before
        printed = {region: spelled(region, ORDER) for region in (before, gained, either)}
        answers = [(allowed(old, scope), allowed(new, scope)) for scope in universe]
        for scope, (was, will) in zip(universe, answers, strict=True):
            point = Scope.parse(scope)
            assert (point in before, point in after) == (was, will), (old, scope)
            assert (point in gained, point in both, point in either) == (will > was, was and will, was or will)
            for region, texts in printed.items():
                meant = any(spells(text, scope, "ana") for text in texts)
                assert meant is (point in region), (old, new, scope, texts)
        assert bool(before) is any(was for was, _ in answers)
        assert bool(gained) is any(will > was for was, will in answers)
        assert (after <= before) is not bool(gained)


@pytest.mark.parametrize("seed", range(6))
def test_a_policys_regions_are_its_decisions(seed: int) -> None:
    """Roles, actions and ``{self}`` as ``PolicySet.decide`` takes them, which is tested against stock Casbin."""
    random = Random(seed)
    for _ in range(WORLDS_PER_SEED):
        world = World.random(random)
        policy, reach = PolicySet.from_text(MODEL, world.policy), Reach(read_rules(world.policy, "policy.csv"))
        for principal in PRINCIPALS:
            action = random.choice(list(Action))
            region = reach.region(principal, action)
            texts = spelled(region, ORDER)
            for scope in (random_scope(random) for _ in range(SCOPES_PER_WORLD)):
                decided = policy.decide(principal, action, scope).allowed
                assert (scope in region) is decided, (world.policy, principal, action, scope)
                assert any(spells(text, scope.as_dict(), principal.name) for text in texts) is decided


def test_a_reach_knows_everybody_that_the_file_names() -> None:
    text = "p, agent:x, /**, read, allow\np, role:r, /**, read, allow\ng, human:y, role:q\ng, role:q, role:r\n"
    reach = Reach(read_rules(text + "p, role:none, /, read, allow", "policy.csv"))
    assert [str(principal) for principal in reach.principals] == ["agent:x", "human:y"]
    assert reach.roles == ("role:none", "role:q", "role:r")
    assert reach.vacant_roles() == ("role:none",)
    assert [line.number for line in reach.lines_of_role("role:q")] == [2]
    assert reach.lines(Principal.parse("agent:stranger")) == ()
