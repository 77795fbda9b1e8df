"""What is readable among the known scopes is what ``decide`` allows for each of them."""

from __future__ import annotations

import asyncio
import itertools
from random import Random

import numpy as np
import pytest

from proxy.authorise import readable, registry
from proxy.authorise.decision import Action
from proxy.authorise.policyset import PolicySet
from proxy.authorise.readable import ReadableMemory
from proxy.authorise.registry import KnownScopes, ScopeRegistry
from proxy.principal import Principal
from store.scope import EMPTY, MAX_TERMS, Direction, Scope, Term
from tests.proxy.authorise.stock import MODEL
from tests.proxy.authorise.worlds import PRINCIPALS, VALUES, World, random_scope

ANA = Principal.parse("agent:ana")
UNIVERSE = frozenset(
    Scope.of(pairs)
    for values in itertools.product(*([None, *values] for values in VALUES.values()))
    for pairs in [[pair for pair in zip(VALUES, values, strict=True) if pair[1] is not None]]
)

# Each way to find the rows of a shape, made to be taken for groups of a handful of scopes.
WAYS = {
    "one by one": (10_000, 1, 0),
    "line by line": (0, 0, 0),
    "by comparing": (0, 10_000, 0),
    "from recent scopes": (0, 300, 10_000),
    "as in use": (readable.FEW_ROWS, readable.ROWS_PER_LINE, registry.RECENT_LEAST),
}


@pytest.fixture(params=WAYS.values(), ids=WAYS)
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    few_rows, rows_per_line, recent_least = request.param
    monkeypatch.setattr(readable, "FEW_ROWS", few_rows)
    monkeypatch.setattr(readable, "ROWS_PER_LINE", rows_per_line)
    monkeypatch.setattr(registry, "RECENT_LEAST", recent_least)
    monkeypatch.setattr(registry, "isqrt", lambda _: 0)


def by_decisions(policy: PolicySet, principal: Principal, lens: Scope, direction: Direction, known: frozenset[Scope]):
    rulings = {
        scope: policy.decide(principal, Action.READ, scope) for scope in known if scope.seen_through(lens, direction)
    }
    allowed = {scope: ruling.line for scope, ruling in rulings.items() if ruling.allowed}
    lines = sorted(set(allowed.values()), key=lambda line: int(line.rpartition(":")[2]))
    return frozenset(allowed), tuple(lines)


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("seed", range(5))
def test_readable_is_what_is_decided_for_each_scope(seed: int) -> None:
    random = Random(seed)
    sizes = set()
    for _ in range(8):
        policy = PolicySet.from_text(MODEL, World.random(random).policy)
        known = frozenset(random.sample(sorted(UNIVERSE, key=str), random.choice([1, 30, 70, len(UNIVERSE)])))
        laid_out = ScopeRegistry.of(known)
        for _ in range(12):
            principal, lens = random.choice(PRINCIPALS), random_scope(random)
            for direction in Direction:
                found = policy.readable(principal, lens, direction, laid_out)
                assert found == by_decisions(policy, principal, lens, direction, known)
                sizes.add(len(found[0]))
    assert {0, 1} < sizes


def test_every_scope_under_every_lens_of_a_small_world() -> None:
    policy = PolicySet.from_text(
        MODEL,
        "p, agent:ana, /**, read, allow\np, agent:ana, org/*/agent/bo/**, read, deny\n"
        "p, agent:ana, agent/{self}/project/q3, read, deny\np, agent:ana, org/acme, read|write, allow",
    )
    laid_out = ScopeRegistry.of(UNIVERSE)
    for lens, direction in itertools.product(UNIVERSE, Direction):
        expected = by_decisions(policy, ANA, lens, direction, UNIVERSE)
        assert policy.readable(ANA, lens, direction, laid_out) == expected


@pytest.mark.parametrize(("count", "lines"), [(60, 1), (60, 59), (60, 61), (700, 2), (700, 3), (700, 500)])
def test_lines_of_one_shape_are_matched_whatever_their_number(count: int, lines: int) -> None:
    text = "".join(f"p, agent:ana, org/o{number % 7}/project/p{number}/**, read, allow\n" for number in range(lines))
    policy = PolicySet.from_text(MODEL, text + "p, agent:ana, org/o3/**, read, deny\np, agent:ana, org/*, read, allow")
    known = frozenset(Scope.parse(f"org/o{number % 14}/project/p{number}/agent/a") for number in range(count))
    laid_out = ScopeRegistry.of(known)
    for lens in (EMPTY, Scope.parse("agent/a"), Scope.parse("org/o1"), Scope.parse("project/p2"), Scope.parse("a/b")):
        for direction in Direction:
            expected = by_decisions(policy, ANA, lens, direction, known)
            assert policy.readable(ANA, lens, direction, laid_out) == expected


@pytest.mark.parametrize("varying", [2, 8])
def test_codes_that_do_not_fit_one_number_are_still_told_apart(varying: int) -> None:
    random = Random(1)
    radix = 1 << 30
    wanted = [np.array([random.randrange(radix) for _ in range(20)], np.int64) for _ in range(varying)]
    wanted += [np.full(20, 7, np.int64)] * (8 - varying)
    present = [column[::-1].astype(np.int32) for column in wanted]
    for_lines, for_rows = readable._packed(wanted, present, [radix] * 8)
    assert len(set(for_lines.tolist())) == 20
    assert for_rows.tolist() == for_lines[::-1].tolist()


@pytest.mark.parametrize("readable_scopes", [100, 300])
def test_a_recent_scope_is_refused_among_few_and_among_many_readable_ones(readable_scopes: int) -> None:
    policy = PolicySet.from_text(
        MODEL, "p, agent:ana, org/acme/**, read, allow\np, agent:ana, org/acme/project/secret/**, read, deny"
    )
    older = frozenset(Scope.parse(f"org/acme/project/p{number}") for number in range(readable_scopes))
    older |= {Scope.parse(f"org/other/project/p{number}") for number in range(200)}
    new = {Scope.parse("org/acme/project/secret"), Scope.parse("org/other"), Scope.parse("org/acme/agent/ana")}
    known = older | new
    laid_out = ScopeRegistry.of(older).updated(known)
    assert set(laid_out.recent) == new
    for lens in (EMPTY, Scope.parse("org/acme")):
        expected = by_decisions(policy, ANA, lens, Direction.BOTH, known)
        assert policy.readable(ANA, lens, Direction.BOTH, laid_out) == expected


def test_a_registry_grows_as_if_it_were_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "RECENT_LEAST", 10)
    policy = PolicySet.from_text(
        MODEL, "p, agent:ana, org/acme/**, read, allow\np, agent:ana, agent/{self}, read, allow"
    )
    scopes = sorted(UNIVERSE, key=str)
    grown = ScopeRegistry.of([])
    for count in range(0, len(scopes), 7):
        known = frozenset(scopes[:count])
        grown = grown.updated(known)
        assert len(grown) == len(known)
        for lens in (EMPTY, Scope.parse("org/acme"), Scope.parse("agent/ana")):
            expected = policy.readable(ANA, lens, Direction.BOTH, ScopeRegistry.of(known))
            assert policy.readable(ANA, lens, Direction.BOTH, grown) == expected
    assert grown.updated(frozenset(scopes[:3])) is grown
    assert grown.updated(frozenset({Scope.parse("topic/new")})).known == grown.known | {Scope.parse("topic/new")}


@pytest.mark.parametrize("threaded", [0, 10_000])
async def test_a_store_is_laid_out_once_for_each_set_that_it_knows(
    threaded: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "THREADED_SCOPES", threaded)
    scopes = KnownScopes()
    few, all_of_them = frozenset({EMPTY}), UNIVERSE
    first = await scopes.snapshot(few)
    assert await scopes.snapshot(few) is first
    both = await asyncio.gather(scopes.snapshot(all_of_them), scopes.snapshot(all_of_them))
    assert both[0] is both[1]
    assert both[0].known == UNIVERSE
    assert await scopes.snapshot(few) is both[0]


def test_an_unchanged_set_is_the_same_snapshot_and_another_has_another_version() -> None:
    known = frozenset({EMPTY})
    snapshot = ScopeRegistry.of(known)
    assert snapshot.updated(known) is snapshot
    assert snapshot.is_of(known)
    assert snapshot.updated(known | {Scope.parse("org/acme")}).version != snapshot.version


@pytest.mark.parametrize(
    "unsound",
    [
        Scope(frozenset({Term("org", "acme/project/q3")})),
        Scope(frozenset({Term("org", "acme"), Term("org", "other")})),
        Scope(frozenset(Term(f"d{number}", "v") for number in range(MAX_TERMS + 1))),
    ],
)
def test_what_is_no_scope_is_never_readable(unsound: Scope) -> None:
    policy = PolicySet.from_text(MODEL, "p, agent:ana, /**, read, allow")
    sound = Scope.parse("org/acme")
    for known in ([unsound], [unsound, sound]):
        assert unsound not in policy.readable(ANA, EMPTY, Direction.BOTH, ScopeRegistry.of(known))[0]
    many = [sound, unsound, *UNIVERSE]
    assert policy.readable(ANA, EMPTY, Direction.BOTH, ScopeRegistry.of(many))[0] == UNIVERSE


def test_an_unsound_question_reads_nothing(caplog: pytest.LogCaptureFixture) -> None:
    policy = PolicySet.from_text(MODEL, "p, agent:ana, /**, read, allow\np, role:lead, /**, read, allow")
    laid_out = ScopeRegistry.of(UNIVERSE)
    lens = Scope(frozenset({Term("org", "a/b")}))
    assert policy.readable(ANA, lens, Direction.BOTH, laid_out) == (frozenset(), ())
    assert policy.readable(Principal("role", "lead"), EMPTY, Direction.BOTH, laid_out) == (frozenset(), ())
    assert len(caplog.records) == 2


def test_answers_are_remembered_for_one_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = PolicySet.from_text(MODEL, "p, agent:ana, /**, read, allow")
    memory: ReadableMemory = policy._readable
    laid_out = ScopeRegistry.of(UNIVERSE)
    first = memory.ask(ANA, EMPTY, Direction.BOTH, laid_out)
    assert memory.ask(ANA, EMPTY, Direction.BOTH, laid_out) is first
    assert memory.ask(ANA, EMPTY, Direction.ANCESTORS, laid_out).scopes == {EMPTY}
    assert memory.ask(ANA, Scope.parse("org/acme"), Direction.BOTH, laid_out).scopes < first.scopes
    assert memory.ask(Principal.parse("agent:bo"), EMPTY, Direction.BOTH, laid_out).scopes == frozenset()
    assert memory.ask(ANA, EMPTY, Direction.BOTH, ScopeRegistry.of([EMPTY])).scopes == {EMPTY}
    monkeypatch.setattr(readable, "SCOPES_KEPT", 3)
    few = ScopeRegistry.of([EMPTY])
    kept = memory.ask(ANA, EMPTY, Direction.BOTH, few)
    assert memory.ask(ANA, EMPTY, Direction.BOTH, few) is kept
    memory.ask(ANA, EMPTY, Direction.ANCESTORS, few)
    assert memory.ask(ANA, EMPTY, Direction.BOTH, few) is not kept
