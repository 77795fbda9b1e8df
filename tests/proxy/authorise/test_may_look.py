"""``may_look`` is the brute-force answer over a universe that has fresh values and fresh dimensions to spare."""

import itertools
from random import Random

import pytest

from proxy.authorise.decision import Action
from proxy.authorise.policyset import PolicySet
from proxy.principal import Principal
from store.scope import Scope
from tests.proxy.authorise.stock import MODEL, means, rule_lines

TWO_PROJECTS_ONE_DENIED = """\
p, agent:ana, org/x/project/a, read, allow
p, agent:ana, org/x/project/b, read, allow
p, agent:ana, project/b/**, read, deny
"""
LINKS = "".join(f"g, agent:any{number}, role:r\n" for number in range(3))
ANA = Principal.parse("agent:ana")
POLICIES_PER_SEED = 30
LENSES_PER_POLICY = 8

# No line names the dimensions f and g, and no line names the value "fresh".
UNIVERSE = {"a": ["x", "y", "ana", "fresh"], "b": ["x", "y", "ana", "fresh"], "f": ["fresh"], "g": ["fresh"]}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("prefix", [0, 5, 6, 7, 8])
def test_may_look_is_the_brute_force_answer(prefix: int, seed: int, caplog: pytest.LogCaptureFixture) -> None:
    random = Random(1_000 * prefix + seed)
    fixed = {f"d{number}": "v" for number in range(prefix)}
    universe = [scope for scope in scopes(fixed) if len(scope) <= 8]
    answers = []
    for _ in range(POLICIES_PER_SEED):
        policy = random_policy(random, fixed)
        loaded = PolicySet.from_text(MODEL, policy)
        readable = [scope for scope in universe if allowed(policy, scope)]
        for lens in random.sample(universe, min(LENSES_PER_POLICY, len(universe))):
            expected = any(lens.items() <= scope.items() for scope in readable)
            assert loaded.may_look(ANA, Scope.parse(lens)) is expected, (policy, lens)
            answers.append(expected)
    assert any(answers)
    assert not all(answers)
    assert not caplog.records  # every witness is a scope


@pytest.mark.parametrize(
    ("policy", "lens", "expected"),
    [
        ("p, agent:ana, org/acme, read, allow", "org/acme", True),
        ("p, agent:ana, org/acme, read, allow", "/", True),
        ("p, agent:ana, org/acme, read, allow", "org/acme/agent/ana", False),
        ("p, agent:ana, org/acme, write, allow", "org/acme", False),
        ("p, agent:ana, org/*, read, allow", "org/anything", True),
        ("p, agent:ana, org/acme/agent/{self}, read, allow", "agent/bo", False),
        ("p, agent:ana, org/acme/agent/{self}, read, allow", "agent/ana", True),
        ("p, agent:ana, /**, read, allow\np, agent:ana, org/acme/**, read, deny", "org/acme", False),
        ("p, agent:ana, /**, read, allow\np, agent:ana, org/acme, read, deny", "org/acme", True),
        ("p, agent:ana, org/*, read, allow\np, agent:ana, org/acme, read, deny", "/", True),
        ("p, agent:ana, org/*, read, allow\np, agent:ana, org/*/**, read, deny", "/", False),
        ("p, agent:bo, /**, read, allow", "/", False),
        (TWO_PROJECTS_ONE_DENIED, "org/x", True),
    ],
)
def test_may_look_examples(policy: str, lens: str, *, expected: bool) -> None:
    assert PolicySet.from_text(MODEL, policy).may_look(ANA, Scope.parse(lens)) is expected


def test_a_fresh_value_is_not_the_callers_name() -> None:
    policy = PolicySet.from_text(
        MODEL, "p, role:r, agent/*, read, allow\np, role:r, agent/{self}, read, deny\n" + LINKS
    )
    for number in range(3):
        assert policy.may_look(Principal.parse(f"agent:any{number}"), Scope.parse("/"))


def random_policy(random: Random, fixed: dict[str, str]) -> str:
    """Lines about dimensions a and b under a fixed prefix; every policy has an allow, and none repeats itself."""
    lines = {f"p, agent:ana, {pattern(random, fixed)}, read, allow": None}
    drafts = {pattern(random, fixed): random.choice(["allow", "deny", "deny"]) for _ in range(random.randint(1, 5))}
    taken = next(iter(lines)).split(", ")[2]
    for text, effect in drafts.items():
        if text != taken:
            lines[f"p, agent:ana, {text}, read, {effect}"] = None
    return "\n".join(lines)


def pattern(random: Random, fixed: dict[str, str]) -> str:
    free = random.sample(["a", "b"], random.randint(0, min(2, 8 - len(fixed))))
    parts = [f"{dimension}/{value}" for dimension, value in fixed.items()]
    parts += [f"{dimension}/{random.choice(['x', 'y', '*', '*', '{self}'])}" for dimension in sorted(free)]
    return "/".join(parts) + random.choice(["", "/**", "/**"]) or "/"


def scopes(fixed: dict[str, str]) -> list[dict[str, str]]:
    choices = [[None, *values] for values in UNIVERSE.values()]
    free = [dict(zip(UNIVERSE, values, strict=True)) for values in itertools.product(*choices)]
    bases = [fixed] if not fixed else [fixed, dict(list(fixed.items())[1:])]
    return [base | {d: v for d, v in each.items() if v is not None} for base in bases for each in free]


def allowed(policy: str, scope: dict[str, str]) -> bool:
    effects = {columns[4] for _, columns in rule_lines(policy) if means(columns[2], scope, ANA.name)}
    return effects == {"allow"}


def test_a_look_is_about_reading() -> None:
    policy = PolicySet.from_text(MODEL, "p, agent:ana, org/acme/**, *, allow\np, agent:ana, org/acme/**, read, deny")
    assert not policy.may_look(ANA, Scope.parse("org/acme"))
    assert policy.decide(ANA, Action.WRITE, Scope.parse("org/acme")).allowed


def test_a_lens_may_name_the_dimension_that_would_be_made_up(caplog: pytest.LogCaptureFixture) -> None:
    policy = PolicySet.from_text(MODEL, "p, agent:ana, org/acme/**, read, allow\np, agent:ana, org/*/**, read, deny")
    assert not policy.may_look(ANA, Scope.parse("any0/x"))
    assert not caplog.records
