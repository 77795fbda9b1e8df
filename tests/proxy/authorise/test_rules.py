from itertools import pairwise
from pathlib import Path

import pytest

from proxy.authorise import rules, sourcetext
from proxy.authorise.policyset import PolicySet
from proxy.authorise.rules import read_rules
from proxy.errors import PolicyError
from tests.proxy.authorise.stock import MODEL, SHIPPED, stock_rows

ALLOW = "p, role:w, org/acme/**, *, allow"
DENY = "p, role:w, org/acme/project/q3, write, deny"
LINK = "g, agent:x, role:w"


def beside(line: str) -> bytes:
    """The line between an allow that it would have to narrow and a role link."""
    return f"{ALLOW}\n{line}\n{LINK}\n".encode()


def chain(links: int) -> bytes:
    """A policy with one agent under a chain of this many links."""
    names = ["agent:x", *(f"role:c{number}" for number in range(links))]
    steps = [f"g, {member}, {role}" for member, role in pairwise(names)]
    return "\n".join(["p, role:c0, org/acme, read, deny", *steps]).encode()


# fmt: off
REFUSED = {
    "one column short": (beside("p, role:w, org/acme/project/q3, write"), [(2, 33, "4 columns, not 5")]),
    "one column too many": (beside(f"{DENY}, extra"), [(2, 46, "6 columns, not 5")]),
    "a trailing comma": (beside(f"{DENY},"), [(2, 45, "6 columns (a comma at the end?)")]),
    "effect Deny": (beside(DENY.replace("deny", "Deny")), [(2, 40, "effect must be allow or deny, not 'Deny'; did you mean deny?")]),
    "effect denied": (beside(DENY.replace("deny", "denied")), [(2, 40, "not 'denied'; did you mean deny?")]),
    "effect empty": (beside(DENY.replace("deny", "")), [(2, 40, "not ''")]),
    "effect unlike any": (beside(DENY.replace("deny", "no")), [(2, 40, "effect must be allow or deny, not 'no'; Casbin")]),
    "effect with a Cyrillic letter": (beside(DENY.replace("deny", "dеny")), [(2, 41, "U+0435 CYRILLIC SMALL LETTER IE")]),
    "a zero-width space": (beside(f"{DENY}\u200b"), [(2, 44, "U+200B ZERO WIDTH SPACE")]),
    "a no-break space": (beside(f"{DENY}\u00a0"), [(2, 44, "U+00A0 NO-BREAK SPACE")]),
    "a comment behind a rule": (beside(f"{DENY}  # ticket SEC-12"), [(2, 46, "# is not allowed in a rule")]),
    "an indented comment": (beside(" # just a note"), [(2, 2, "a comment begins with # in column 1")]),
    "a // comment": (beside(f"// {DENY}"), [(2, 1, "a comment begins with # in column 1")]),
    "a ; comment": (beside("; note"), [(2, 1, "a comment begins with # in column 1")]),
    "double quotes": (beside('p, "role:w", "org/acme/project/q3", "write", "deny"'), [(2, 4, '" is not allowed in a rule')]),
    "single quotes": (beside("p, 'role:w', org/acme/project/q3, write, deny"), [(2, 4, "' is not allowed in a rule")]),
    "a quoted comma": (beside('p, "role:w, lead", org/acme/project/q3, write, deny'), [(2, 4, '" is not allowed')]),
    "line type P": (beside(DENY.replace("p,", "P,", 1)), [(2, 1, "unknown line type 'P', which Casbin would skip; did you mean p?")]),
    "line type G": (beside("G, agent:y, role:w"), [(2, 1, "did you mean g?")]),
    "line type with a Cyrillic letter": (beside(DENY.replace("p,", "р,", 1)), [(2, 1, "U+0440 CYRILLIC SMALL LETTER ER")]),
    "line type p2": (beside(DENY.replace("p,", "p2,", 1)), [(2, 1, "unknown line type 'p2'")]),
    "line type g2": (beside("g2, agent:x, role:w"), [(2, 1, "unknown line type 'g2'")]),
    "line type policy": (beside(DENY.replace("p,", "policy,", 1)), [(2, 1, "unknown line type 'policy'")]),
    "a byte order mark before a deny": (f"\ufeff{DENY}\n{ALLOW}\n{LINK}\n".encode(), [(1, 1, "byte order mark")]),
    "a byte order mark before an allow": (f"\ufeff{ALLOW}\n{DENY}\n{LINK}\n".encode(), [(1, 1, "byte order mark")]),
    "CR line ends": (f"{ALLOW}\r{DENY}\r{LINK}\r".encode(), [(1, 33, "U+000D CARRIAGE RETURN: lines end with LF or CRLF")]),
    "a doubled CR": (f"{ALLOW}\r\r\n{LINK}\n".encode(), [(1, 33, "U+000D CARRIAGE RETURN")]),
    "UTF-16": (f"{ALLOW}\n".encode("utf-16"), [(1, 1, "not UTF-8: byte 0xff"), (2, 1, "U+0000 NULL")]),
    "Latin-1 in a comment": (f"{ALLOW}\n# caf\xe9\n{LINK}\n".encode("latin-1"), [(2, 6, "not UTF-8: byte 0xe9")]),
    "Latin-1 behind a wide letter": (ALLOW.encode() + "\n# é".encode() + b"\xe9\n", [(2, 4, "not UTF-8: byte 0xe9")]),
    "a NUL": (beside(f"{DENY}\x00"), [(2, 44, "U+0000 NULL")]),
    "a comma first": (beside(f", {DENY[3:]}"), [(2, 1, "unknown line type ''")]),
    "only commas": (beside(",,,,"), [(2, 1, "unknown line type ''")]),
    "semicolons": (beside(DENY.replace(",", ";")), [(2, 2, "; is not allowed in a rule")]),
    "tabs": (beside(DENY.replace(", ", "\t")), [(2, 2, "U+0009 TAB: columns are separated by a comma and spaces")]),
    "a line of tabs": (beside("\t"), [(2, 1, "U+0009 TAB")]),
    "an open parenthesis": (beside(DENY.replace("q3", "q3(draft")), [(2, 31, "( is not allowed in a rule")]),
    "a closing parenthesis": (beside(DENY.replace("q3", "q3)")), [(2, 31, ") is not allowed in a rule")]),
    "mismatched brackets": (beside(DENY.replace("q3", "q3(a]")), [(2, 31, "( is not allowed in a rule")]),
    "a parenthesis first": (beside(f"({DENY}"), [(2, 1, "( is not allowed in a rule")]),
    "a bracket first": (beside("]p, role:w"), [(2, 1, "] is not allowed in a rule")]),
    "two rules on one line": (beside(f"{DENY} {LINK}"), [(2, 48, "7 columns, not 5")]),
    "an action in capitals": (beside(DENY.replace("write", "Write")), [(2, 33, "unknown action 'Write'; did you mean write?")]),
    "a mistyped action": (beside(DENY.replace("write", "read|wirte")), [(2, 38, "unknown action 'wirte'; did you mean write?")]),
    "an action unlike any": (beside(DENY.replace("write", "x")), [(2, 33, "unknown action 'x'; the actions are read, write")]),
    "an action twice": (beside(DENY.replace("write", "read|write|read")), [(2, 44, "action read is given twice")]),
    "no action": (beside(DENY.replace("write", "")), [(2, 33, "an action is missing")]),
    "an empty action": (beside(DENY.replace("write", "read||write")), [(2, 38, "an action is missing")]),
    "a star among actions": (beside(DENY.replace("write", "read|*")), [(2, 38, "* stands for all actions and stands alone")]),
    "spaces around |": (beside(DENY.replace("write", "read | write")), [(2, 33, "no spaces around |")]),
    "a fullwidth digit": (beside(DENY.replace("q3", "q３")), [(2, 30, "U+FF13 FULLWIDTH DIGIT THREE")]),
    "a dimension with a Cyrillic letter": (beside(DENY.replace("project", "prоject")), [(2, 23, "U+043E CYRILLIC SMALL LETTER O")]),
    "a combining accent": (beside(DENY.replace("q3", "q3e\u0301")), [(2, 32, "U+0301 COMBINING ACUTE ACCENT")]),
    "spaces in a scope": (beside(DENY.replace("/", " / ")), [(2, 12, "'org ' must be a lower-case ASCII name")]),
    "a double slash": (beside(DENY.replace("acme/", "acme//")), [(2, 21, "a part between two / is empty")]),
    "a slash first": (beside(DENY.replace("org", "/org")), [(2, 12, "neither begins nor ends with /")]),
    "a slash last": (beside(DENY.replace("q3", "q3/")), [(2, 12, "neither begins nor ends with /")]),
    "a slash too many in front of **": (beside(DENY.replace("org/acme/project/q3", "//**")), [(2, 12, "neither begins nor ends with /")]),
    "{Self}": (beside(DENY.replace("q3", "{Self}")), [(2, 29, "'{Self}' of 'project' must be")]),
    "a prefix with a star": (beside(DENY.replace("q3", "q*")), [(2, 29, "'q*' of 'project' must be")]),
    "** in the middle": (beside(DENY.replace("org/acme", "**")), [(2, 12, "** only stands at the end")]),
    "a dimension without value": (beside(DENY.replace("/q3", "")), [(2, 12, "'project' has no value")]),
    "a dimension twice": (beside(DENY.replace("project", "org")), [(2, 21, "dimension 'org' is given twice")]),
    "a dimension in capitals": (beside(DENY.replace("project", "Project")), [(2, 21, "'Project' must be a lower-case ASCII name")]),
    "nine terms": (beside(DENY.replace("org/acme", "/".join(f"d{n}/v" for n in range(8)))), [(2, 12, "at most 8 terms")]),
    "no scope": (beside(DENY.replace("org/acme/project/q3", "")), [(2, 12, "a scope pattern is empty")]),
    "a subject without kind": (beside(DENY.replace("role:w", "admin")), [(2, 4, "subject 'admin' must be kind:name")]),
    "a subject without name": (beside(DENY.replace("role:w", "role:")), [(2, 4, "subject 'role:' must be kind:name")]),
    "no subject": (beside(DENY.replace("role:w", "")), [(2, 4, "subject '' must be kind:name")]),
    "a star for subject": (beside(DENY.replace("role:w", "*")), [(2, 4, "subject '*' must be kind:name")]),
    "subject and scope swapped": (beside("p, org/acme/project/q3, role:w, write, deny"), [(2, 4, "looks like a scope pattern"), (2, 25, "has no value")]),
    "kind roles": (beside(DENY.replace("role:w", "roles:w")), [(2, 4, "did you mean role:w?")]),
    "kind Role": (beside(DENY.replace("role:w", "Role:w")), [(2, 4, "did you mean role:w?")]),
    "g with one column": (f"{ALLOW}\ng, agent:x\n".encode(), [(2, 4, "2 columns, not 3")]),
    "g with three columns": (f"{ALLOW}\ng, agent:x, role:w, until-2026\n".encode(), [(2, 21, "4 columns, not 3")]),
    "g with a trailing comma": (f"{ALLOW}\ng, agent:x, role:w,\n".encode(), [(2, 20, "4 columns (a comma at the end?)")]),
    "g swapped": (f"{ALLOW}\ng, role:w, agent:x\n".encode(), [(2, 12, "'agent:x' is not a role; member and role swapped?")]),
    "g to rol:": (f"{ALLOW}\ng, agent:x, rol:w\n".encode(), [(2, 13, "did you mean role:?")]),
    "g of nobody": (f"{ALLOW}\ng, x, role:w\n".encode(), [(2, 4, "subject 'x' must be kind:name")]),
    "the same line twice": (f"{ALLOW}\n{ALLOW}\n{LINK}\n".encode(), [(2, 1, "says the same as line 1")]),
    "the same line spelled otherwise": (
        b"p, role:w, org/acme/project/q3, read|write, allow\np, role:w, project/q3/org/acme, write|read,   allow",
        [(2, 1, "says the same as line 1")],
    ),
    "the same link twice": (f"{ALLOW}\n{LINK}\n{LINK}\n".encode(), [(3, 1, "says the same as line 2")]),
    "a contradiction": (f"{ALLOW}\n{ALLOW.replace('allow', 'deny')}\n".encode(), [(2, 1, "contradicts line 1")]),
    "an empty file": (b"", [(0, 0, "no p line")]),
    "only comments": (b"# nothing\n\n", [(0, 0, "no p line")]),
    "only links": (LINK.encode(), [(0, 0, "no p line")]),
    "a half-written file": (b"p, role:w, org/ac", [(1, 12, "3 columns, not 5")]),
    "a chain of ten links": (chain(10), [(2, 1, "agent:x stands under 10 roles in a row; Casbin silently stops after 9")]),
    "a circle of two roles": (b"p, role:a, org/acme, read, allow\ng, role:a, role:b\ng, role:b, role:a", [(3, 1, "roles in a circle: role:b is role:a is role:b")]),
    "a role of itself": (b"p, role:a, org/acme, read, allow\ng, role:a, role:a", [(2, 1, "roles in a circle: role:a is role:a")]),
    "a line of a megabyte": (b"p, role:w, org/" + b"a" * 1_000_000 + b", read, allow\n", [(1, 1025, "at most 1024 are read")]),
    "a comment of two kilobytes": (beside("#" + "-" * 2048), [(2, 1025, "the line has 2049 bytes")]),
    "a file over a megabyte": (b"#\n" * 600_000, [(0, 0, "the file is larger than 1048576 bytes")]),
    "a bidi override in a comment": (beside("# a \u202e b"), [(2, 5, "U+202E RIGHT-TO-LEFT OVERRIDE cannot be seen")]),
    "a zero-width joiner in a comment": (beside("# a\u200db"), [(2, 4, "U+200D ZERO WIDTH JOINER")]),
    "a filler letter in a comment": (beside("# a\u3164b"), [(2, 4, "U+3164 HANGUL FILLER")]),
    "a line separator in a comment": (beside("# a\u2028p, role:w"), [(2, 4, "U+2028 LINE SEPARATOR")]),
    "an escape in a comment": (beside("# \x1b[31m"), [(2, 3, "U+001B ESCAPE")]),
}

ACCEPTED = {
    "the reference": beside(DENY),
    "CRLF": f"{ALLOW}\r\n# note\r\n\r\n{DENY}\r\n{LINK}\r\n".encode(),
    "a line of spaces": beside("     "),
    "no newline at the end": f"{ALLOW}\n{DENY}".encode(),
    "padded columns": beside("  p ,role:w,   org/acme/project/q3  ,  write ,deny  "),
    "terms in another order": beside(DENY.replace("org/acme/project/q3", "project/q3/org/acme")),
    "several actions": beside(DENY.replace("write", "read|write")),
    "{self} for a principal": beside("p, agent:x, org/acme/agent/{self}, write, deny"),
    "the empty scope": beside("p, role:w, /, administer, allow"),
    "every scope": beside("p, role:w, /**, *, deny"),
    "a comment in other scripts": beside("# für Ünï 研究 исследование"),
    "allow and deny of other actions": beside(ALLOW.replace("*, allow", "read, deny")),
    "a chain of nine links": chain(9),
    "a diamond of roles": b"p, role:d, org/acme, read, allow\ng, role:a, role:b\ng, role:a, role:c\ng, role:b, role:d\ng, role:c, role:d",
    "the shipped policy": SHIPPED,
}
# fmt: on


@pytest.mark.parametrize(("content", "expected"), REFUSED.values(), ids=REFUSED.keys())
def test_a_malformed_file_is_refused_at_line_and_column(content: bytes, expected: list[tuple[int, int, str]]) -> None:
    with pytest.raises(PolicyError) as caught:
        read_rules(content, "policy.csv")
    found = [(problem.line, problem.column) for problem in caught.value.problems]
    assert found == [(line, column) for line, column, _ in expected], str(caught.value)
    for problem, (_, _, message) in zip(caught.value.problems, expected, strict=True):
        assert message in problem.message


@pytest.mark.parametrize("content", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_an_accepted_file_means_what_stock_casbin_reads(content: bytes, tmp_path: Path) -> None:
    rules = read_rules(content, "policy.csv")
    rows, links = stock_rows(tmp_path, content)
    assert [list(line.row) for line in rules.lines] == rows
    assert [link.row for link in rules.links] == links
    assert PolicySet.from_text(MODEL, content).version


def test_all_problems_come_at_once_in_file_order() -> None:
    content = "p, rol:a, org//acme, raed, denied\ng, agent:x, w\np, role:a, org/acme, read, allow\n  # x\n"
    with pytest.raises(PolicyError) as caught:
        read_rules(content, "policy.csv")
    places = [(problem.line, problem.column) for problem in caught.value.problems]
    assert places == [(1, 4), (1, 15), (1, 22), (1, 28), (2, 13), (4, 3)]


def test_every_circle_is_reported() -> None:
    links = "g, role:a, role:b\ng, role:b, role:a\ng, role:c, role:d\ng, role:d, role:c\ng, agent:x, role:a\n"
    with pytest.raises(PolicyError) as caught:
        read_rules(f"{ALLOW}\n{links}", "policy.csv")
    assert [problem.line for problem in caught.value.problems] == [3, 5]


def test_a_member_under_two_long_chains_is_reported_once() -> None:
    content = chain(10) + b"\ng, agent:x, role:d\ng, role:d, role:c0"
    with pytest.raises(PolicyError) as caught:
        read_rules(content, "policy.csv")
    assert [(problem.line, problem.message.split(";")[0]) for problem in caught.value.problems] == [
        (2, "agent:x stands under 11 roles in a row")
    ]


def test_a_file_full_of_problems_lists_the_first_of_them() -> None:
    with pytest.raises(PolicyError) as caught:
        read_rules("x\n" * 5_000, "policy.csv")
    first, *rest = caught.value.problems
    assert first.message == "5000 problems, the first 200 of which are listed"
    assert [problem.line for problem in rest] == list(range(1, sourcetext.MAX_PROBLEMS + 1))


def test_more_rules_than_the_limit_are_refused() -> None:
    lines = "".join(f"p, role:w, org/o{number}, read, allow\n" for number in range(rules.MAX_RULES + 1))
    with pytest.raises(PolicyError) as caught:
        read_rules(lines, "policy.csv")
    assert [problem.message for problem in caught.value.problems] == ["10001 rules; at most 10000 are read"]


def test_text_that_no_file_can_hold_is_refused_as_well() -> None:
    with pytest.raises(PolicyError, match="not UTF-8"):
        read_rules(f"{ALLOW}\n# \ud800", "policy.csv")


def test_lines_know_their_place() -> None:
    read = read_rules(SHIPPED, "policy.csv")
    assert read.lines[0].place == "policy.csv:9"
    assert read.links[0].place == "policy.csv:28"
