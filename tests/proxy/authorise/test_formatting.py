"""The canonical look: what a file says stays, and a formatted file stays as it is."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.authorise import formatting
from proxy.authorise.formatting import canonical_pattern, formatted, meaning
from proxy.authorise.policyset import PolicySet
from proxy.authorise.rules import MAX_RULES, read_rules
from proxy.errors import PolicyError
from proxy.pattern import ScopePattern
from tests.proxy.authorise.stock import MODEL, SHIPPED
from tests.proxy.authorise.worlds import PRINCIPALS, World, random_action, random_scope

ORDER = ("org", "team", "project", "user", "agent", "session")

BEFORE = """\
# who
p,role:researcher ,project/q3/org/acme/agent/{self}, write|read , allow
p, role:a, org/acme, *, deny

# every action, spelled out
p, role:a, zone/z/colour/c/org/*/**,  administer|read|write|publish|forget|review, allow
g,agent:x,role:researcher
g, agent:longer-name, role:a~
~~~

# the end
"""
AFTER = """\
# who
p, role:researcher, org/acme/project/q3/agent/{self}, read|write, allow
p, role:a,          org/acme,                         *,          deny

# every action, spelled out
p, role:a, org/*/colour/c/zone/z/**, read|write|publish|forget|review|administer, allow
g, agent:x,           role:researcher
g, agent:longer-name, role:a


# the end
"""


def test_a_file_gets_its_canonical_look() -> None:
    before = BEFORE.replace("~", " ")
    assert formatted(before, "policy.csv", ORDER) == AFTER
    assert formatted(before.replace("\n", "\r\n").encode(), "policy.csv", ORDER) == AFTER


@pytest.mark.parametrize(
    ("pattern", "canonical"),
    [
        ("/", "/"),
        ("/**", "/**"),
        ("org/acme/**", "org/acme/**"),
        ("agent/{self}/org/*", "org/*/agent/{self}"),
        ("b/x/a/y/session/s", "session/s/a/y/b/x"),
    ],
)
def test_a_pattern_gets_its_canonical_order(pattern: str, canonical: str) -> None:
    assert canonical_pattern(ScopePattern.parse(pattern), ORDER) == canonical


@pytest.mark.parametrize("seed", range(4))
def test_decisions_and_deciding_lines_stay(seed: int) -> None:
    random = Random(seed)
    for _ in range(10):
        text = World.random(random).policy
        look = formatted(text, "policy.csv", ORDER)
        before, after = PolicySet.from_text(MODEL, text), PolicySet.from_text(MODEL, look)
        for _ in range(30):
            principal, action, scope = random.choice(PRINCIPALS), random_action(random), random_scope(random)
            assert before.decide(principal, action, scope) == after.decide(principal, action, scope)


TERMS = {"org": ["a", "*"], "team": ["t", "*", "{self}"], "agent": ["{self}", "x"], "zone": ["z"]}
patterns = st.builds(
    lambda terms, opened: ("/".join(f"{dimension}/{value}" for dimension, value in terms) + opened) or "/",
    st.lists(st.sampled_from(list(TERMS)), unique=True).flatmap(
        lambda dimensions: st.tuples(*(st.tuples(st.just(each), st.sampled_from(TERMS[each])) for each in dimensions))
    ),
    st.sampled_from(["", "/**"]),
)
actions = st.one_of(
    st.just("*"),
    st.lists(st.sampled_from(["read", "write", "publish", "review"]), unique=True, min_size=1).map("|".join),
)
spaces = st.text(" ", max_size=3)
rules = st.one_of(
    st.builds(
        lambda pad, role, pattern, act, effect, gap: f"{pad}p{gap},{pad}role:{role},{gap}{pattern}{pad},{act},{gap}{effect}{pad}",
        spaces, st.sampled_from("abc"), patterns, actions, st.sampled_from(["allow", "deny"]), spaces,
    ),
    st.builds(lambda gap, member, role: f"g,{gap}agent:{member},role:{role}{gap}", spaces, st.sampled_from("xyz"), st.sampled_from("abc")),
    st.sampled_from(["", "  ", "# a comment ", "#", "# für  alle"]),
)  # fmt: skip


@given(st.lists(rules, max_size=12), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_what_is_said_stays_and_the_look_is_settled(lines: list[str], end: str, final: bool) -> None:
    text = end.join(lines) + (end if final else "")
    try:
        said = read_rules(text, "policy.csv")
    except PolicyError:
        with pytest.raises(PolicyError):
            formatted(text, "policy.csv", ORDER)
        return
    look = formatted(text, "policy.csv", ORDER)
    assert meaning(read_rules(look, "policy.csv")) == meaning(said)
    assert formatted(look, "policy.csv", ORDER) == look
    assert [line.strip() for line in look.splitlines() if not line or line.startswith("#")] == [
        line.strip() for line in text.removesuffix(end).split(end) if not line.strip() or line.startswith("#")
    ]


def test_the_shipped_policy_keeps_its_comments() -> None:
    look = formatted(SHIPPED, "policy.csv", ORDER)
    assert [line for line in look.splitlines() if line.startswith("#")] == [
        line for line in SHIPPED.decode().splitlines() if line.startswith("#")
    ]


def test_lines_that_would_grow_too_long_are_not_aligned() -> None:
    lines = [f"p, role:{letter}, org/{letter * 100}, read, allow" for letter in "ab"]
    wide = [f"p, role:c, {'/'.join(f'd{n}/' + 'v' * 115 for n in range(8))}, read, allow", *lines]
    assert formatted("\n".join(wide), "p").splitlines()[1:] != lines
    long_subject = f"p, agent:{'n' * 128}, org/x, read, allow"
    assert formatted("\n".join([*wide, long_subject]), "p").splitlines() == [*wide, long_subject]


def test_a_file_that_would_grow_too_large_is_not_aligned(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "p, role:a, org/x, read, allow\np, role:longer, org/x/team/y, read|write, allow\n"
    assert len(formatted(text, "p")) > len(text)
    monkeypatch.setattr(formatting, "MAX_FILE_BYTES", len(text))
    assert formatted(text, "p") == text


def test_a_file_of_full_length_is_formatted() -> None:
    text = "\n".join(f"p, role:r, org/o{number}, read, allow" for number in range(MAX_RULES))
    assert formatted(text, "p").count("\n") == MAX_RULES
