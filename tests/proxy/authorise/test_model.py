import pytest

from proxy.authorise.decision import Action
from proxy.authorise.model import MATCHER, check_model
from proxy.authorise.policyset import PolicySet
from proxy.errors import PolicyError
from proxy.principal import Principal
from store.scope import Scope
from tests.proxy.authorise.stock import MODEL, SHIPPED

TEXT = MODEL.decode()
EFFECT = "some(where (p.eft == allow)) && !some(where (p.eft == deny))"


def line_of(start: str, text: str = TEXT) -> int:
    return next(number for number, line in enumerate(text.splitlines(), start=1) if line.startswith(start))


# fmt: off
REFUSED = {
    "allow-override": (TEXT.replace(EFFECT, "some(where (p.eft == allow))"), line_of("e ="), 5, "expected e = some("),
    "default allow": (TEXT.replace(EFFECT, "!some(where (p.eft == deny))"), line_of("e ="), 5, "expected e = some("),
    "an effect that Casbin does not know": (TEXT.replace("p.eft == allow", "p.eft  == allow"), line_of("e ="), 5, "expected e ="),
    "no role test": (TEXT.replace(" && g(r.sub, p.sub)", ""), line_of("m ="), 5, "expected m = action_match"),
    "roles the wrong way round": (TEXT.replace("g(r.sub, p.sub)", "g(p.sub, r.sub)"), line_of("m ="), 5, "expected m ="),
    "or for and": (TEXT.replace("&& scope_match", "|| scope_match"), line_of("m ="), 5, "expected m ="),
    "a bitwise and": (TEXT.replace("&& scope_match", "& scope_match"), line_of("m ="), 5, "expected m ="),
    "not": (TEXT.replace("action_match(r.act", "!action_match(r.act"), line_of("m ="), 5, "expected m ="),
    "another order of tests": (TEXT.replace(MATCHER, " && ".join(reversed(MATCHER.split(" && ")))), line_of("m ="), 5, "expected m ="),
    "a root": (TEXT.replace(MATCHER, f'{MATCHER} || r.sub == "root"'), line_of("m ="), 5, "expected m ="),
    "a stock function": (TEXT.replace("scope_match(r.scope, p.scope, r.sub)", "regexMatch(r.scope, p.scope)"), line_of("m ="), 5, "expected m ="),
    "eval": (TEXT.replace("g(r.sub, p.sub)", "eval(p.sub)"), line_of("m ="), 5, "expected m ="),
    "a comment behind the matcher": (TEXT.replace("m = action_match(r.act, p.act) ", "m = action_match(r.act, p.act) # "), line_of("m ="), 5, "expected m ="),
    "r . act": (TEXT.replace("r.act", "r . act"), line_of("m ="), 5, "expected m ="),
    "&& without spaces, which Casbin cannot parse": (TEXT.replace(MATCHER, MATCHER.replace(" && ", "&&")), line_of("m ="), 5, "expected m ="),
    "an unclosed call": (TEXT.replace("g(r.sub, p.sub)", "g(r.sub, p.sub"), line_of("m ="), 5, "expected m ="),
    "a deep matcher": (TEXT.replace(MATCHER, "(" * 400 + ")" * 400), line_of("m ="), 5, "expected m ="),
    "a long matcher": (TEXT.replace(MATCHER, "a." * 450 + "a"), line_of("m ="), 5, "expected m ="),
    "no matcher": (TEXT.replace(MATCHER, ""), line_of("m ="), 5, "expected m ="),
    "another request": (TEXT.replace("r = sub, scope, act", "r = sub, act, scope"), line_of("r ="), 5, "expected r = sub, scope, act"),
    "no effect column": (TEXT.replace(", eft", ""), line_of("p ="), 5, "expected p = sub, scope, act, eft"),
    "domains": (TEXT.replace("g = _, _", "g = _, _, _"), line_of("g ="), 5, "expected g = _, _"),
    "conditional roles": (TEXT.replace("g = _, _", "g = _, _, (_, _)"), line_of("g ="), 5, "expected g = _, _"),
    "a second matcher": (TEXT + "m2 = r.sub == p.sub\n", len(TEXT.splitlines()) + 1, 1, "'m2' has no place in [matchers]"),
    "the matcher twice": (f"{TEXT}m = {MATCHER}\n", len(TEXT.splitlines()) + 1, 1, "m is defined twice; Casbin would take the last"),
    "a section twice": (f"{TEXT}[matchers]\n", len(TEXT.splitlines()) + 1, 1, "section [matchers] is opened twice"),
    "an unknown section": (f"{TEXT}[policies]\nx = y\n", len(TEXT.splitlines()) + 1, 1, "unknown section '[policies]'"),
    "a heading left open": (f"{TEXT}[matchers\n", len(TEXT.splitlines()) + 1, 1, "unknown section '[matchers'"),
    "something before the sections": (f"x = y\n{TEXT}", 1, 1, "'x' has no place in []"),
    "a line that says nothing": (f"{TEXT}hello\n", len(TEXT.splitlines()) + 1, 1, "'hello' has no place in [matchers]"),
    "a continued line": (f"{TEXT}\\\n", len(TEXT.splitlines()) + 1, 1, "has no place in [matchers]"),
    "a look-alike": (TEXT.replace("p.eft == deny", "p.eft == dеny"), line_of("e ="), 60, "U+0435 CYRILLIC SMALL LETTER IE"),
    "a tab": (TEXT.replace("g = _", "g =\t_"), line_of("g ="), 4, "U+0009 TAB is not allowed here"),
    "an invisible character in a comment": (f"# \u200b\n{TEXT}", 1, 3, "U+200B ZERO WIDTH SPACE is not allowed here"),
    "a byte order mark": (f"\ufeff{TEXT}", 1, 1, "byte order mark"),
    "a line too long": (f"# {'-' * 1100}\n{TEXT}", 1, 1025, "at most 1024 are read"),
    "a file too large": ("#\n" * 40_000 + TEXT, 0, 0, "the file is larger than 65536 bytes (limit MAX_FILE_BYTES)"),
}
# fmt: on


@pytest.mark.parametrize(("text", "line", "column", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_another_model_is_refused(text: str, line: int, column: int, message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        check_model(text, "model.conf")
    first = caught.value.problems[0] if line == 0 else next(each for each in caught.value.problems if each.line)
    assert (first.source, first.line, first.column) == ("model.conf", line, column), str(caught.value)
    assert message in first.message


@pytest.mark.parametrize(
    "section", ["request_definition", "policy_definition", "role_definition", "policy_effect", "matchers"]
)
def test_a_misspelt_section_is_named_and_missed(section: str) -> None:
    with pytest.raises(PolicyError) as caught:
        check_model(TEXT.replace(f"[{section}]", f"[{section.title()}]"), "model.conf")
    missing, unknown = caught.value.problems
    assert f"[{section}]" in missing.message
    assert missing.message.endswith(f"{TEXT.splitlines()[unknown.line]}")
    assert (unknown.line, unknown.column) == (line_of(f"[{section}]"), 1)


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        TEXT.replace("\n", "\r\n"),
        TEXT.rstrip("\n"),
        TEXT.replace("# ", "; "),
        f"# für\n\n  # indented\n{TEXT}",
        TEXT.replace("sub, scope, act", "sub ,scope,   act"),
        TEXT.replace(MATCHER, MATCHER.replace(", ", ",").replace(" && ", "  &&  ")),
        TEXT.replace(MATCHER, MATCHER.replace("&&", "and")),
        TEXT.replace(MATCHER, f"({MATCHER})"),
        TEXT.replace("m = ", "   m=  "),
        "\n\n".join(reversed(TEXT.split("\n\n"))),
    ],
)
def test_comments_spacing_and_order_do_not_matter(text: str) -> None:
    policy = PolicySet.from_text(text, SHIPPED)
    scope = Scope.parse("org/acme/project/q3")
    intern = Principal.parse("agent:intern")
    assert [grant.line for grant in policy.grants(intern)] == ["policy.csv:22", "policy.csv:23"]
    assert policy.decide(intern, Action.READ, scope).allowed
