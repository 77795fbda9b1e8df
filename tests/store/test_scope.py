from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store.scope import EMPTY, MAX_TERMS, Direction, Scope, ScopeError, Term

# A busy machine is not a defect of a scope.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

DIMENSIONS = st.from_regex(r"[a-z][a-z0-9_]{0,31}", fullmatch=True)
VALUES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._@:+-]{0,127}", fullmatch=True)
SPELLINGS = st.dictionaries(DIMENSIONS, VALUES, max_size=MAX_TERMS)
SCOPES = SPELLINGS.map(Scope.parse)
FEW = st.dictionaries(st.sampled_from(["org", "project", "agent"]), st.sampled_from(["a", "b"])).map(Scope.parse)


@pytest.mark.parametrize(
    ("path", "mapping"),
    [
        ("/", {}),
        ("org/acme", {"org": "acme"}),
        ("org/acme/project/q3", {"project": "q3", "org": "acme"}),
        ("project/q3/org/acme", {"org": "acme", "project": "q3"}),
        ("user/ana@acme.example:8080+x_y-z", {"user": "ana@acme.example:8080+x_y-z"}),
        ("a_1/9", {"a_1": "9"}),
        (f"{'d' * 32}/{'v' * 128}", {"d" * 32: "v" * 128}),
    ],
)
def test_both_spellings_are_the_same_scope(path: str, mapping: dict[str, str]) -> None:
    assert Scope.parse(path) == Scope.parse(mapping)
    assert hash(Scope.parse(path)) == hash(Scope.parse(mapping))
    assert Scope.parse(path).as_dict() == mapping


@pytest.mark.parametrize(
    ("spelling", "named"),
    [
        ("", "empty"),
        ("org", "'org' has no value"),
        ("org/acme/project", "'project' has no value"),
        ("/org/acme", "neither begins nor ends"),
        ("org/acme/", "neither begins nor ends"),
        ("//", "neither begins nor ends"),
        ("org//project/q3", "'org' is empty"),
        ("org/acme//q3", "dimension ''"),
        ("org/acme/org/acme", "'org' is given twice"),
        ("Org/acme", "'Org'"),
        ("1org/acme", "'1org'"),
        ("_org/acme", "'_org'"),
        ("o-rg/acme", "'o-rg'"),
        (f"{'d' * 33}/acme", "d" * 33),
        (f"org/{'v' * 129}", "'vvv"),
        ("org/-acme", "'-acme'"),
        ("org/.acme", "'.acme'"),
        ("org/..", "'..'"),
        ("org/*", "'*'"),
        ("org/**", "'**'"),
        ("org/{self}", "'{self}'"),
        ("org/ac me", "'ac me'"),
        ("org/acme\n", r"'acme\n'"),
        ("org\n/acme", r"'org\n'"),
        ("org/a\x00b", r"'a\x00b'"),
        ("org/a'b", '"a\'b"'),
        ("org/аcme", r"'\u0430cme'"),
        ("оrg/acme", r"'\u043erg'"),
        ("org/acme\u200b", r"'acme\u200b'"),
        ("org/１", r"'\uff11'"),
        ("org/١", r"'\u0661'"),
        ("/".join(f"d{number}/v" for number in range(9)), "at most 8 terms"),
        ("/".join(f"d{number}/v" for number in range(10)), "at most 8 terms"),
        ("d/v/" * 5000 + "d/v", "at most 8 terms"),
        ({f"d{number}": "v" for number in range(9)}, "at most 8 terms"),
        ({"": "acme"}, "dimension ''"),
        ({"org": ""}, "'org' is empty"),
        ({"org": None}, "'org' must be a string, not NoneType"),
        ({"org": 7}, "'org' must be a string, not int"),
        ({"org": ["acme"]}, "'org' must be a string, not list"),
        ({7: "acme"}, "dimension 7"),
        ({"org": "acme/project/q3"}, "'acme/project/q3'"),
        ({"org/acme": "x"}, "'org/acme'"),
        (None, "a scope is a path"),
        (["org", "acme"], "a scope is a path"),
        (b"org/acme", "a scope is a path"),
    ],
)
def test_what_is_not_a_scope_is_refused_naming_the_term(spelling: object, named: str) -> None:
    with pytest.raises(ScopeError) as caught:
        Scope.parse(spelling)  # type: ignore[arg-type] # on purpose
    assert named in str(caught.value)
    assert str(caught.value).isascii() or "…" in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("order", "path"),
    [
        ((), "agent/a/org/acme/project/q3"),
        (("org", "project"), "org/acme/project/q3/agent/a"),
        (("project",), "project/q3/agent/a/org/acme"),
        (("nothing", "org"), "org/acme/agent/a/project/q3"),
    ],
)
def test_a_path_orders_dimensions_as_told_and_then_by_name(order: tuple[str, ...], path: str) -> None:
    assert Scope.parse("project/q3/org/acme/agent/a").path(order) == path


@pytest.mark.parametrize(
    ("scope", "lens", "seen"),
    [
        ("org/acme", "org/acme", {"ancestors", "descendants", "both"}),
        ("org/acme", "org/acme/agent/a", {"ancestors", "both"}),
        ("org/acme/agent/a", "org/acme", {"descendants", "both"}),
        ("/", "org/acme", {"ancestors", "both"}),
        ("org/acme", "/", {"descendants", "both"}),
        ("org/acme/agent/a", "org/acme/agent/b", set()),
        ("org/acme/agent/a", "org/acme/project/q3", set()),
        ("org/acme", "org/acmeville", set()),
    ],
)
def test_a_lens_sees_what_is_comparable_in_its_direction(scope: str, lens: str, seen: set[str]) -> None:
    saw = {direction for direction in Direction if Scope.parse(scope).seen_through(Scope.parse(lens), direction)}
    assert saw == seen
    assert Scope.parse(scope).seen_through(Scope.parse(lens)) is ("both" in seen)


def test_a_scope_knows_its_dimensions_and_its_text() -> None:
    scope = Scope.parse("project/q3/org/acme")
    assert scope.dimensions == {"org", "project"}
    assert str(scope) == "org/acme/project/q3"
    assert scope.terms == {Term("org", "acme"), Term("project", "q3")}
    assert str(EMPTY) == "/"
    assert Scope.parse("/") == EMPTY


@unhurried
@given(SCOPES)
def test_both_spellings_round_trip(scope: Scope) -> None:
    assert Scope.parse(scope.path()) == scope
    assert Scope.parse(scope.as_dict()) == scope
    assert Scope.of(scope.terms) == scope


@unhurried
@given(SCOPES, st.permutations(["org", "agent", "project", "a"]))
def test_any_order_of_dimensions_reads_back(scope: Scope, order: list[str]) -> None:
    assert Scope.parse(scope.path(order)) == scope


@unhurried
@given(SPELLINGS, st.randoms())
def test_the_order_of_terms_does_not_matter(spelling: dict[str, str], chance: Callable[..., object]) -> None:
    terms = list(spelling.items())
    chance.shuffle(terms)  # type: ignore[attr-defined] # hypothesis's random.Random
    assert Scope.parse(dict(terms)).path() == Scope.parse(spelling).path()


@unhurried
@given(SCOPES, SCOPES)
def test_equal_scopes_are_those_with_equal_paths(one: Scope, other: Scope) -> None:
    assert (one == other) == (one.path() == other.path())


@unhurried
@given(FEW, FEW, FEW)
def test_containment_is_a_partial_order_with_the_empty_scope_below_all(a: Scope, b: Scope, c: Scope) -> None:
    assert a <= a
    assert not (a <= b and b <= a) or a == b
    assert not (a <= b and b <= c) or a <= c
    assert a >= EMPTY


@unhurried
@given(FEW, FEW)
def test_looking_both_ways_is_looking_either_way_and_symmetric(scope: Scope, lens: Scope) -> None:
    either = scope.seen_through(lens, Direction.ANCESTORS) or scope.seen_through(lens, Direction.DESCENDANTS)
    assert scope.seen_through(lens, Direction.BOTH) == either == lens.seen_through(scope, Direction.BOTH)


@unhurried
@given(st.one_of(st.text(), st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3)))
def test_any_text_is_read_or_refused_and_never_changed(spelling: str | dict[str, str]) -> None:
    try:
        scope = Scope.parse(spelling)
    except ScopeError:
        return
    if isinstance(spelling, dict):
        assert scope.as_dict() == spelling
    else:
        assert sorted(scope.path().split("/")) == sorted(spelling.split("/"))
