"""Warnings: a line called dead is dead, a line not called dead is not, and what reaches further is told."""

from __future__ import annotations

from pathlib import Path
from random import Random
from time import process_time

import pytest

from proxy.authorise.decision import Action, Effect
from proxy.authorise.lint import LintRule, lint
from proxy.authorise.policyset import PolicySet
from proxy.authorise.rules import PolicyLine, read_rules
from proxy.principal import Principal
from store.scope import MAX_TERMS, Scope, Term
from tests.proxy.authorise.stock import MODEL, SHIPPED
from tests.proxy.authorise.worlds import PRINCIPALS, World, random_action, random_scope

PRIVATE = frozenset({"agent", "user", "session"})
HELD = "g, agent:x, role:a"
EIGHT = "/".join(f"d{number}/v" for number in range(8))

# Each policy, and its warnings as (line, column, rule, part of the message).
# fmt: off
WARNED = {
    "an allow that a deny covers": (
        ["p, role:a, org/a/project/p, read, allow", "p, role:a, org/a/project/*, *, deny", HELD],
        [(1, 12, "dead-line", "never matters: policy.csv:2 denies all of it")],
    ),
    "an allow that a deny of an inherited role covers": (
        ["p, role:a, org/a, read, allow", "p, role:b, org/*, *, deny", HELD, "g, role:a, role:b"],
        [(1, 12, "dead-line", "policy.csv:2 denies all of it")],
    ),
    "an allow that two denies cover": (
        ["p, role:a, org/a, read|write, allow", "p, role:a, org/*, read, deny", "p, role:a, org/a/**, write, deny", HELD],
        [(1, 12, "dead-line", "policy.csv:2 and policy.csv:3 deny all of it")],
    ),
    "an allow of which a deny covers one action": (
        ["p, role:a, org/a, read|write, allow", "p, role:a, org/*, write, deny", HELD],
        [(1, 19, "dead-action", "write is never allowed by this line: policy.csv:2 denies it throughout")],
    ),
    "an allow that a deny and an allow cover": (
        ["p, role:a, org/a, read|write, allow", "p, role:a, org/*, read, deny", "p, role:a, org/a, write|forget, allow", HELD],
        [(1, 12, "dead-line", "policy.csv:2 denies some of it, and policy.csv:3 already allows the rest")],
    ),
    "an allow below a wider allow": (
        ["p, role:a, org/a/agent/{self}, read, allow", "p, role:a, org/*/agent/{self}/**, read|write, allow", HELD],
        [(1, 12, "shadowed-line", "policy.csv:2 already allows all of it")],
    ),
    "an allow that two allows cover": (
        ["p, role:a, org/a, read, allow", "p, role:a, org/a, write, allow", "p, role:a, org/a, write|read, allow", HELD],
        [(3, 12, "shadowed-line", "policy.csv:1 and policy.csv:2 already allow all of it")],
    ),
    "an allow that an inherited role has": (
        ["p, role:a, org/a, read, allow", "p, role:b, org/a, read, allow", HELD, "g, role:a, role:b"],
        [(1, 12, "shadowed-line", "policy.csv:2 already allows all of it")],
    ),
    "a deny below a wider deny": (
        ["p, role:a, org/a/**, read, deny", "p, role:a, org/a/team/t, read, deny", "p, role:a, org/b, read, allow", HELD],
        [(2, 12, "shadowed-line", "policy.csv:1 already denies all of it")],
    ),
    "one's own name and {self}": (
        ["p, agent:x, org/a/agent/x, read, allow", "p, role:a, org/a/agent/{self}/**, read, allow", HELD],
        [(1, 13, "shadowed-line", "policy.csv:2 already allows all of it")],
    ),
    "{self} below *": (
        ["p, role:a, org/a/team/{self}, read, allow", "p, role:a, org/a/team/*, read, allow", HELD],
        [(1, 12, "shadowed-line", "policy.csv:2 already allows all of it")],
    ),
    "eight terms, open": (
        [f"p, role:a, {EIGHT}/**, read, allow", f"p, role:a, {EIGHT}, read|write, allow", HELD],
        [(1, 12, "shadowed-line", "policy.csv:2 already allows all of it")],
    ),
    "a role that nobody has": (
        ["p, role:researcher, org/a, read, allow", "p, role:researcher, org/b, read, allow", "g, agent:x, role:reseacher"],
        [
            (1, 4, "role-without-members", "nobody has role:researcher, so none of its lines matters; did you mean role:reseacher?"),
            (3, 13, "member-without-lines", "gives agent:x nothing: no line is about role:reseacher; did you mean role:researcher?"),
        ],
    ),
    "roles of roles that nobody has": (
        ["p, role:a, org/a, read, allow", "g, role:b, role:a"],
        [(1, 4, "role-without-members", "nobody has role:a")],
    ),
    "a membership twice over": (
        ["p, role:b, org/a, read, allow", HELD, "g, role:a, role:b", "g, agent:x, role:b"],
        [(4, 13, "shadowed-membership", "agent:x has role:b already, through role:a (policy.csv:2)")],
    ),
    "* in a private dimension": (
        ["p, role:a, org/a/agent/*, read|review, allow", HELD],
        [(1, 12, "wide-reach", "lets role:a read in the private scopes of every agent (agent/*)")],
    ),
    "/** below a shared scope": (
        ["p, role:a, org/a/**, *, allow", HELD],
        [(1, 12, "wide-reach", "/** also lets role:a read, write, publish and forget in the private scopes below: agent/*, session/*, user/*")],
    ),
    "/** with some private scopes closed": (
        ["p, role:a, org/a/**, read, allow", "p, role:a, agent/*/**, *, deny", "p, role:a, org/a/user/*/**, read, deny", HELD],
        [(1, 12, "wide-reach", "below: session/*")],
    ),
    "an acceptance of nothing": (
        ["# accept wide-reach: because", "p, role:a, org/a, read, allow", HELD],
        [(1, 1, "acceptance", "there is nothing to accept")],
    ),
    "an acceptance by a wrong name": (
        ["# accept wide_reach: because", "p, role:a, org/a, read, allow", HELD, "# accept wide-raech: because", "# accept everything"],
        [(4, 1, "acceptance", "no warning is called 'wide-raech'; did you mean wide-reach?"), (5, 1, "acceptance", "they are dead-line")],
    ),
    "an acceptance without a reason": (
        ["# accept wide-reach", "p, role:a, org/a/**, read, allow", HELD],
        [(1, 1, "acceptance", "say why: # accept wide-reach: REASON"), (2, 12, "wide-reach", "")],
    ),
    "an acceptance of another line": (
        ["# accept wide-reach: because", "p, role:a, org/b, read, allow", "p, role:a, org/a/**, read, allow", HELD],
        [(1, 1, "acceptance", ""), (3, 12, "wide-reach", "")],
    ),
}
SILENT = {
    "the shipped policy": SHIPPED.decode().splitlines(),
    "a deny that guards what nothing allows": ["p, role:a, org/a/user/ceo/**, *, deny", "p, role:a, org/b, read, allow", HELD],
    "a deny of another role": ["p, role:a, org/a, read, allow", "p, role:b, org/a, *, deny", HELD, "g, agent:x, role:b"],
    "a narrower deny": ["p, role:a, org/*, read, allow", "p, role:a, org/a, read, deny", HELD],
    "a wider deny of fewer scopes": ["p, role:a, org/a, read, allow", "p, role:a, org/a/team/*/**, read, deny", HELD],
    "a name and {self} of a role": ["p, role:a, team/x, read, allow", "p, role:a, team/{self}, read, allow", HELD],
    "open and exact": ["p, agent:x, org/a/agent/x/**, read, allow", "p, agent:x, org/a/agent/*, read, deny"],
    "every scope, closed again": ["p, role:a, /**, read, allow", *(f"p, role:a, {each}/*/**, read, deny" for each in sorted(PRIVATE)), HELD],
    "administration of private scopes": ["p, role:a, org/a/**, administer|review, allow", HELD],
    "a private scope, open": ["p, role:a, org/a/agent/{self}/**, read, allow", HELD],
    "accepted": ["# note", "# accept wide-reach: because", "# note", "p, role:a, org/a/**, read, allow", HELD],
}
# fmt: on


def warned(lines: list[str]) -> list[tuple[int, int, str, str]]:
    text = "\n".join(lines)
    return [
        (found.problem.line, found.problem.column, found.rule.value, found.problem.message)
        for found in lint(text, read_rules(text, "policy.csv"), PRIVATE)
    ]


@pytest.mark.parametrize(("lines", "expected"), WARNED.values(), ids=WARNED)
def test_what_looks_like_a_mistake_is_told_where_it_stands(lines: list[str], expected: list[tuple]) -> None:
    found = warned(lines)
    assert [place[:3] for place in found] == [place[:3] for place in expected]
    for (*_, message), (*_, part) in zip(found, expected, strict=True):
        assert part in message


@pytest.mark.parametrize("lines", SILENT.values(), ids=SILENT)
def test_what_is_as_it_looks_is_not_told(lines: list[str]) -> None:
    assert warned(lines) == []


def test_a_warning_reads_as_a_compilers() -> None:
    text = f"p, role:a,   org/a/agent/*, read, allow\r\n{HELD}\r\n"
    [found] = lint(text.encode(), read_rules(text, "policy.csv"), PRIVATE)
    assert str(found).startswith("policy.csv:1:14: warning: lets role:a read")
    assert str(found).endswith("[wide-reach]")
    assert all(rule.description.endswith(".") for rule in LintRule)


@pytest.mark.parametrize("seed", range(6))
def test_removing_all_dead_lines_changes_no_decision_and_each_line_left_matters(seed: int) -> None:
    random = Random(seed)
    removed = 0
    for _ in range(25):
        text = World.random(random).policy
        dead = {line for line, _, rule, _ in warned(text.splitlines()) if rule in {"dead-line", "shadowed-line"}}
        removed += len(dead)
        left = "\n".join("" if number in dead else line for number, line in enumerate(text.splitlines(), start=1))
        before, after = PolicySet.from_text(MODEL, text), PolicySet.from_text(MODEL, left)
        for _ in range(40):
            principal, action, scope = random.choice(PRINCIPALS), random_action(random), random_scope(random)
            assert before.decide(principal, action, scope).allowed is after.decide(principal, action, scope).allowed, (
                text
            )
        for line in after.rules.lines:
            assert line.effect is Effect.DENY or matters(line, left), (str(line), left)
    assert removed > 0


def matters(line: PolicyLine, policy: str) -> bool:
    """Whether somebody new in the role, or the line's own principal, would lose something with this line."""
    role = line.subject.startswith("role:")
    principal = Principal.parse("agent:somebody-new" if role else line.subject)
    joined = f"{policy}\ng, {principal}, {line.subject}" if role else policy
    rows = joined.splitlines()
    rows[line.number - 1] = "p, agent:nobody, org/nowhere, read, allow"
    with_line, without = PolicySet.from_text(MODEL, joined), PolicySet.from_text(MODEL, "\n".join(rows))
    pattern = line.pattern
    terms = set(pattern.literals) | {Term(each, principal.name) for each in pattern.selves}
    terms |= {Term(each, "anything-new") for each in pattern.wildcards}
    if pattern.open and len(terms) < MAX_TERMS:
        terms.add(Term("anything_new", "x"))
    scope = Scope(frozenset(terms))
    return any(
        with_line.decide(principal, action, scope).allowed is not without.decide(principal, action, scope).allowed
        for action in Action
    )


def test_a_long_policy_is_linted_in_seconds(tmp_path: Path) -> None:
    lines = [f"p, role:r{n % 50}, org/o{n}/project/p{n % 7}/**, read|write, allow" for n in range(8_000)]
    lines += [f"g, agent:a{n}, role:r{n % 50}" for n in range(1_900)]
    started = process_time()
    assert len(warned(lines)) == 8_000
    assert process_time() - started < 20
