from collections.abc import Callable

import pytest

from proxy.authorise.authoriser import Authoriser
from proxy.authorise.decision import Allow, Deny
from proxy.authorise.policyset import PolicySet
from proxy.principal import Caller, Principal
from store.permit import ForgetPermit, ReadPermit, WritePermit
from store.scope import EMPTY, Direction, Scope
from tests.proxy.authorise.stock import MODEL

POLICY = """\
p, role:worker, org/acme/project/alpha/agent/{self}, read|write|publish|forget, allow
p, role:worker, org/acme/project/alpha, read, allow
p, role:lead, org/acme/project/alpha/**, *, allow
p, role:lead, org/acme/project/alpha/user/ceo/**, *, deny
p, role:lead, org/acme, read, allow
p, agent:half, org/acme/project/alpha, publish, allow
p, role:operator, /, administer, allow
p, role:operator, org/locked/**, administer, deny
g, agent:ana, role:worker
g, agent:bo, role:worker
g, human:lead, role:lead
g, human:ops, role:operator
"""
AUTHORISER = Authoriser(PolicySet.from_text(MODEL, POLICY, dimension_order=("org", "project")))
VERSION = AUTHORISER.policy.version

ACME = Scope.parse("org/acme")
ALPHA = Scope.parse("org/acme/project/alpha")
BETA = Scope.parse("org/acme/project/beta")
ANAS = Scope.parse("org/acme/project/alpha/agent/ana")
BOS = Scope.parse("org/acme/project/alpha/agent/bo")
CEOS = Scope.parse("org/acme/project/alpha/user/ceo")
KNOWN = [EMPTY, ACME, ALPHA, BETA, ANAS, BOS, CEOS]

READ_ONLY = Deny("this key is read-only")
CHANGES: dict[str, Callable[[Caller, Scope], Allow[object] | Deny]] = {
    "write": AUTHORISER.may_write,
    "publish": AUTHORISER.may_publish,
    "forget": AUTHORISER.may_forget,
    "review": AUTHORISER.may_review,
    "administer": AUTHORISER.may_administer,
}


def caller(name: str, floor: Scope | None = None, *, read_only: bool = False) -> Caller:
    return Caller(Principal.parse(name), "key-1", floor, read_only)


def permitted(decision: Allow[ReadPermit] | Deny) -> set[Scope]:
    assert isinstance(decision, Allow)
    assert decision.permit.policy_version == VERSION
    return set(decision.permit.scopes)


@pytest.mark.parametrize(
    ("name", "lens", "direction", "readable", "lines"),
    [
        ("agent:ana", ALPHA, Direction.BOTH, {ALPHA, ANAS}, ("policy.csv:1", "policy.csv:2")),
        ("agent:ana", ALPHA, Direction.ANCESTORS, {ALPHA}, ("policy.csv:2",)),
        ("agent:ana", ANAS, Direction.BOTH, {ALPHA, ANAS}, ("policy.csv:1", "policy.csv:2")),
        ("agent:ana", ANAS, Direction.DESCENDANTS, {ANAS}, ("policy.csv:1",)),
        ("agent:ana", EMPTY, Direction.BOTH, {ALPHA, ANAS}, ("policy.csv:1", "policy.csv:2")),
        ("agent:ana", EMPTY, Direction.ANCESTORS, set(), ()),
        ("human:lead", ALPHA, Direction.BOTH, {ACME, ALPHA, ANAS, BOS}, ("policy.csv:3", "policy.csv:5")),
        ("human:lead", BOS, Direction.BOTH, {ACME, ALPHA, BOS}, ("policy.csv:3", "policy.csv:5")),
        ("human:lead", ACME, Direction.DESCENDANTS, {ACME, ALPHA, ANAS, BOS}, ("policy.csv:3", "policy.csv:5")),
    ],
)
def test_a_read_sees_what_is_comparable_and_allowed(
    name: str, lens: Scope, direction: Direction, readable: set[Scope], lines: tuple[str, ...]
) -> None:
    decision = AUTHORISER.may_read(caller(name), lens, direction, [*KNOWN, *KNOWN])
    assert decision == Allow(ReadPermit(name, frozenset(readable), VERSION), lines)


def test_a_read_where_nothing_exists_is_allowed_and_empty() -> None:
    assert AUTHORISER.may_read(caller("agent:ana"), ANAS, Direction.BOTH, []) == Allow(
        ReadPermit("agent:ana", frozenset(), VERSION), ("policy.csv:1",)
    )
    assert AUTHORISER.may_read(caller("agent:ana"), ACME, Direction.BOTH, []) == Allow(
        ReadPermit("agent:ana", frozenset(), VERSION), ()
    )


def test_an_empty_read_below_a_denied_lens_names_no_line() -> None:
    policy = "p, agent:ana, org/acme/**, read, allow\np, agent:ana, org/acme, read, deny"
    decision = Authoriser(PolicySet.from_text(MODEL, policy)).may_read(caller("agent:ana"), ACME, Direction.BOTH, [])
    assert isinstance(decision, Allow)
    assert decision.lines == ()


@pytest.mark.parametrize(
    ("name", "lens"),
    [("agent:ana", BETA), ("agent:ana", BOS), ("human:lead", CEOS), ("agent:half", ALPHA), ("agent:new", EMPTY)],
)
def test_a_lens_without_anything_to_read_is_denied_in_the_same_words_whatever_exists(name: str, lens: Scope) -> None:
    below = Scope.of([*lens.terms, ("topic", "x")])
    expected = Deny(f"{name} may read nothing in {lens.path(('org', 'project'))} or below it")
    for known in ([], KNOWN, [lens], [below], [*KNOWN, lens, below]):
        for direction in Direction:
            assert AUTHORISER.may_read(caller(name), lens, direction, known) == expected


def test_a_lens_is_held_to_the_floor_and_what_is_seen_through_it_is_not() -> None:
    within = caller("agent:ana", ALPHA, read_only=True)
    assert permitted(AUTHORISER.may_read(within, ALPHA, Direction.BOTH, KNOWN)) == {ALPHA, ANAS}
    lead = caller("human:lead", BOS)
    assert permitted(AUTHORISER.may_read(lead, BOS, Direction.BOTH, KNOWN)) == {ACME, ALPHA, BOS}
    refused = Deny("this key reaches only scopes that contain org/acme/project/alpha")
    for lens in (ACME, EMPTY, BETA):
        assert AUTHORISER.may_read(within, lens, Direction.BOTH, KNOWN) == refused


@pytest.mark.parametrize(
    ("who", "scope", "expected"),
    [
        (caller("agent:ana"), ANAS, "policy.csv:1"),
        (caller("agent:ana", read_only=True), ALPHA, "policy.csv:2"),
        (caller("agent:ana"), BOS, Deny("no policy line allows agent:ana to read in org/acme/project/alpha/agent/bo")),
        (
            caller("human:lead"),
            CEOS,
            Deny("policy.csv:4 denies human:lead to read in org/acme/project/alpha/user/ceo", "policy.csv:4"),
        ),
        (caller("human:lead", ALPHA), ANAS, "policy.csv:3"),
        (caller("human:lead", ALPHA), ACME, "policy.csv:5"),
        (caller("human:lead", ANAS), ACME, "policy.csv:5"),
        (
            caller("human:lead", ANAS),
            BOS,
            Deny("this key reaches only scopes that contain org/acme/project/alpha/agent/ana"),
        ),
        (caller("human:lead", BETA), ALPHA, Deny("this key reaches only scopes that contain org/acme/project/beta")),
    ],
)
def test_one_memory_may_be_read_by_its_scope(who: Caller, scope: Scope, expected: str | Deny) -> None:
    decision = AUTHORISER.may_read_memory(who, scope)
    if isinstance(expected, str):
        permit = ReadPermit(str(who.principal), frozenset({scope}), VERSION)
        assert decision == Allow(permit, (expected,))
    else:
        assert decision == expected


def test_permits_are_for_exactly_what_was_asked() -> None:
    ana = caller("agent:ana")
    assert AUTHORISER.may_write(ana, ANAS) == Allow(WritePermit("agent:ana", ANAS, VERSION), ("policy.csv:1",))
    assert AUTHORISER.may_forget(ana, ANAS) == Allow(ForgetPermit("agent:ana", ANAS, VERSION), ("policy.csv:1",))
    assert AUTHORISER.may_publish(ana, ANAS) == Allow(
        ReadPermit("agent:ana", frozenset({ANAS}), VERSION), ("policy.csv:1",)
    )
    assert AUTHORISER.may_review(caller("human:lead"), ALPHA) == Allow(None, ("policy.csv:3",))
    assert AUTHORISER.may_administer(caller("human:lead"), ALPHA) == Allow(None, ("policy.csv:3",))


@pytest.mark.parametrize("operation", CHANGES)
def test_a_change_without_a_line_is_denied(operation: str) -> None:
    reason = f"no policy line allows agent:ana to {operation} in org/acme/project/alpha"
    assert CHANGES[operation](caller("agent:ana"), ALPHA) == Deny(reason)


@pytest.mark.parametrize("operation", CHANGES)
def test_a_change_is_denied_by_a_deny_line(operation: str) -> None:
    reason = f"policy.csv:4 denies human:lead to {operation} in org/acme/project/alpha/user/ceo"
    assert CHANGES[operation](caller("human:lead"), CEOS) == Deny(reason, "policy.csv:4")


@pytest.mark.parametrize("operation", CHANGES)
def test_a_change_by_a_read_only_key_is_denied(operation: str) -> None:
    for floor in (None, ALPHA, BETA):
        assert CHANGES[operation](caller("human:lead", floor, read_only=True), ALPHA) == READ_ONLY


@pytest.mark.parametrize("operation", CHANGES)
def test_a_change_outside_the_floor_is_denied(operation: str) -> None:
    change = CHANGES[operation]
    assert isinstance(change(caller("human:lead", ALPHA), ALPHA), Allow)
    assert isinstance(change(caller("human:lead", ALPHA), BOS), Allow)
    assert isinstance(change(caller("human:lead", EMPTY), ALPHA), Allow)
    refused = Deny("this key reaches only scopes that contain org/acme/project/alpha/agent/bo")
    for scope in (ALPHA, ANAS, ACME, EMPTY):
        assert change(caller("human:lead", BOS), scope) == refused


def test_publishing_takes_both_reading_and_publishing() -> None:
    assert AUTHORISER.may_publish(caller("agent:half"), ALPHA) == Deny(
        "no policy line allows agent:half to read in org/acme/project/alpha"
    )
    both = Authoriser(
        PolicySet.from_text(
            MODEL, "p, agent:a, org/x, write, allow\np, agent:a, org/*, read, allow\np, agent:a, org/x, publish, allow"
        )
    )
    decision = both.may_publish(caller("agent:a"), Scope.parse("org/x"))
    assert isinstance(decision, Allow)
    assert decision.lines == ("policy.csv:2", "policy.csv:3")


def test_lines_come_in_file_order_beyond_nine() -> None:
    lines = [f"p, agent:a, org/o{number}, read, allow" for number in range(12)]
    authoriser = Authoriser(PolicySet.from_text(MODEL, "\n".join(lines)))
    known = [Scope.parse(f"org/o{number}") for number in (11, 1, 9)]
    decision = authoriser.may_read(caller("agent:a"), EMPTY, Direction.BOTH, known)
    assert isinstance(decision, Allow)
    assert decision.lines == ("policy.csv:2", "policy.csv:10", "policy.csv:12")


def test_whoever_administers_the_empty_scope_administers_every_scope() -> None:
    ops = caller("human:ops")
    for scope in (EMPTY, ALPHA, Scope.parse("org/locked")):
        assert AUTHORISER.may_administer(ops, scope) == Allow(None, ("policy.csv:7",))
    assert AUTHORISER.may_administer(caller("human:ops", EMPTY), ALPHA) == Allow(None, ("policy.csv:7",))


def test_a_key_with_a_floor_does_not_administer_by_the_empty_scope() -> None:
    assert AUTHORISER.may_administer(caller("human:ops", ACME), ALPHA) == Deny(
        "no policy line allows human:ops to administer in org/acme/project/alpha"
    )
    assert AUTHORISER.may_administer(caller("human:ops", ACME), EMPTY) == Deny(
        "this key reaches only scopes that contain org/acme"
    )


def test_a_role_is_nobody() -> None:
    role = Caller(Principal("role", "lead"), "key-1")
    assert isinstance(AUTHORISER.may_read(role, ALPHA, Direction.BOTH, KNOWN), Deny)
    for change in CHANGES.values():
        assert isinstance(change(role, ALPHA), Deny)
