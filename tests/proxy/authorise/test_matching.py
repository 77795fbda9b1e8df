from random import Random

import pytest

from proxy.authorise.decision import Action
from proxy.authorise.engine import action_match, scope_match
from tests.proxy.authorise.stock import means
from tests.proxy.authorise.worlds import PRINCIPALS, random_pattern, random_scope


def test_scope_match_is_the_definition() -> None:
    random = Random(20)
    matched = 0
    for _ in range(20_000):
        scope, pattern, principal = random_scope(random), random_pattern(random), random.choice(PRINCIPALS)
        expected = means(pattern, scope.as_dict(), principal.name)
        matched += expected
        assert scope_match(scope.path(), pattern, str(principal)) is expected, (scope, pattern, principal)
    assert matched > 2_000


@pytest.mark.parametrize(
    ("scope", "pattern", "subject", "expected"),
    [
        ("org/acme", "org/acme", "agent:x", True),
        ("org/acme/agent/x", "org/acme", "agent:x", False),
        ("org/acme/agent/x", "org/acme/**", "agent:x", True),
        ("org/acme", "org/acme/**", "agent:x", True),
        ("org/acme2", "org/acme/**", "agent:x", False),
        ("/", "/", "agent:x", True),
        ("/", "/**", "agent:x", True),
        ("org/acme", "/", "agent:x", False),
        ("org/acme", "/**", "agent:x", True),
        ("/", "org/*", "agent:x", False),
        ("agent/x", "agent/{self}", "agent:x", True),
        ("agent/x", "agent/{self}", "human:x", True),
        ("agent/y", "agent/{self}", "agent:x", False),
        ("agent/a.b", "agent/{self}", "agent:a.b", True),
        ("agent/aXb", "agent/{self}", "agent:a.b", False),
        ("agent/x/org/acme", "org/acme/agent/{self}", "agent:x", True),
        ("org/acme/project/q3", "org/*/project/*", "agent:x", True),
        ("org/acme/project/q3/agent/x", "org/*/**", "agent:x", True),
        ("org/c++", "org/c++", "agent:x", True),
    ],
)
def test_scope_match_examples(scope: str, pattern: str, subject: str, *, expected: bool) -> None:
    assert scope_match(scope, pattern, subject) is expected


@pytest.mark.parametrize(
    ("scope", "pattern", "subject"),
    [
        ("org/acme", "", "agent:x"),
        ("org/acme", "org/acme/", "agent:x"),
        ("org/acme", "org/{Self}", "agent:x"),
        ("", "/**", "agent:x"),
        ("org/acme\n", "/**", "agent:x"),
        ("org/*", "/**", "agent:x"),
        ("org/acme", "/**", "role:x"),
        ("org/acme", "/**", "x"),
        ("org/acme", "/**", "agent:*"),
    ],
)
def test_scope_match_raises_rather_than_lose_a_deny(scope: str, pattern: str, subject: str) -> None:
    with pytest.raises(ValueError):
        scope_match(scope, pattern, subject)


def test_action_match_is_membership() -> None:
    for action in Action:
        assert action_match(action.value, "*")
        for other in Action:
            assert action_match(action.value, other.value) is (action is other)
            assert action_match(action.value, f"{other}|{action}" if other is not action else action.value)


@pytest.mark.parametrize(
    ("action", "actions"),
    [("", "*"), ("Read", "*"), ("*", "*"), ("read|write", "*"), ("read", ""), ("read", "Read"), ("read", "read|*")],
)
def test_action_match_raises_on_what_is_no_action(action: str, actions: str) -> None:
    with pytest.raises(ValueError):
        action_match(action, actions)
