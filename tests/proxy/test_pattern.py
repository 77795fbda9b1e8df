import pytest

from proxy.pattern import PatternError, ScopePattern
from store.scope import Scope


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        ("", 0, "a scope pattern is empty"),
        ("//", 0, "neither begins nor ends with /"),
        ("//**", 0, "neither begins nor ends with /"),
        ("/**/**", 0, "neither begins nor ends with /"),
        ("/org/acme", 0, "neither begins nor ends with /"),
        ("org/acme/", 0, "neither begins nor ends with /"),
        ("org/acme//**", 0, "neither begins nor ends with /"),
        ("org//acme", 4, "a part between two / is empty"),
        ("org/acme//project/q3", 9, "a part between two / is empty"),
        ("org", 0, "'org' has no value"),
        ("org/**", 0, "'org' has no value"),
        ("**", 0, "** only stands at the end"),
        ("org/acme/**/project/q3", 0, "** only stands at the end"),
        ("Org/acme", 0, "lower-case ASCII name"),
        ("org/acme/*/q3", 9, "lower-case ASCII name"),
        ("org/acme/project/{Self}", 17, "'{Self}'"),
        ("org/acme/project/q*", 17, "'q*'"),
        ("org/acme/project/é", 17, "'\\xe9'"),
        ("org/acme/org/*", 9, "dimension 'org' is given twice"),
    ],
)
def test_what_is_no_pattern_is_refused_with_its_offset(text: str, offset: int, message: str) -> None:
    with pytest.raises(PatternError) as caught:
        ScopePattern.parse(text)
    assert caught.value.offset == offset
    assert message in str(caught.value)


def test_self_is_refused_where_nobody_asks() -> None:
    with pytest.raises(PatternError, match="has no meaning here"):
        ScopePattern.parse("org/acme/agent/{self}", self_allowed=False)


def test_self_without_a_name_matches_nothing() -> None:
    pattern = ScopePattern.parse("agent/{self}/**")
    assert not pattern.matches(Scope.parse("agent/ana"))
    assert pattern.matches(Scope.parse("agent/ana/session/s1"), "ana")


@pytest.mark.parametrize("text", ["/", "/**", "org/acme", "org/*/project/{self}/**"])
def test_a_pattern_has_a_text_form(text: str) -> None:
    assert str(ScopePattern.parse(text)) == text


def test_a_bound_pattern_shows_the_name() -> None:
    pattern = ScopePattern.parse("org/acme/agent/{self}/user/{self}/**")
    assert pattern.bound("ana") == "org/acme/agent/ana/user/ana/**"
    assert pattern.dimensions == {"org", "agent", "user"}
