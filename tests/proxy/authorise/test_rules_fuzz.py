"""Whatever bytes a policy file holds, it is refused with ``PolicyError`` or means what stock Casbin reads in it."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from proxy.authorise.model import check_model
from proxy.authorise.policyset import PolicySet
from proxy.authorise.rules import read_rules
from proxy.errors import PolicyError
from tests.proxy.authorise.stock import MODEL, SHIPPED, stock_rows

T = TypeVar("T")

# fmt: off
PIECES = [
    "p", "g", "P", "p2", ",", ", ", " ", "  ", "\n", "\r\n", "\r", "\t", "\0", ";", "#", '"', "'", "(", ")", "[", "]",
    "role:", "role:a", "agent:b", "agent", ":", "/", "//", "/**", "**", "*", "{self}", "{", "}", "|", "read", "write",
    "allow", "deny", "Deny", "org/acme", "a", "é", "е", "\u200b", "\u202e", "\ufeff", "\u2028", "\x85", "\x1c",
    "p, role:a, org/acme, read, allow\n", "g, agent:b, role:a\n", "p, role:a, org/acme, read, deny",
]
# fmt: on

edits = st.lists(st.tuples(st.integers(0, len(SHIPPED)), st.integers(0, 6), st.sampled_from(PIECES)), max_size=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def read_or_refusal(read: Callable[[], T]) -> T | PolicyError:
    try:
        return read()
    except PolicyError as refusal:
        return refusal


def assert_refused_or_read_alike(content: bytes, folder: Path) -> None:
    rules = read_or_refusal(lambda: read_rules(content, "policy.csv"))
    if isinstance(rules, PolicyError):
        assert rules.problems
        return
    rows, links = stock_rows(folder, content)
    assert [list(line.row) for line in rules.lines] == rows
    assert [link.row for link in rules.links] == links


@settings(max_examples=300, deadline=None)
@given(content=st.binary(max_size=300))
@example(content=b"p, role:a, org/acme, read, allow")
def test_random_bytes(content: bytes, folder: Path) -> None:
    assert_refused_or_read_alike(content, folder)


@settings(max_examples=600, deadline=None)
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=30))
def test_random_pieces(pieces: list[str], folder: Path) -> None:
    assert_refused_or_read_alike("".join(pieces).encode(), folder)


@settings(max_examples=600, deadline=None)
@given(edits=edits)
def test_mutations_of_the_shipped_policy(edits: list[tuple[int, int, str]], folder: Path) -> None:
    content = SHIPPED
    for at, length, piece in edits:
        content = content[:at] + piece.encode() + content[at + length :]
    assert_refused_or_read_alike(content, folder)


@settings(max_examples=100, deadline=None)
@given(columns=st.lists(st.text(max_size=12), min_size=1, max_size=7))
def test_random_columns_load_or_are_refused(columns: list[str]) -> None:
    content = ", ".join(["p", *columns]).encode(errors="surrogatepass")
    content += b"\np, role:a, org/acme, read, allow\n"
    outcome = read_or_refusal(lambda: PolicySet.from_text(MODEL, content))
    assert isinstance(outcome, PolicySet) or outcome.problems


@settings(max_examples=300, deadline=None)
@given(edits=st.lists(st.tuples(st.integers(0, len(MODEL)), st.integers(0, 4), st.sampled_from(PIECES)), max_size=2))
def test_mutations_of_the_model(edits: list[tuple[int, int, str]]) -> None:
    content = MODEL
    for at, length, piece in edits:
        content = content[:at] + piece.encode() + content[at + length :]
    outcome = read_or_refusal(lambda: PolicySet.from_text(content, SHIPPED))
    if isinstance(outcome, PolicyError):
        assert {problem.source for problem in outcome.problems} == {"model.conf"}


@settings(max_examples=200, deadline=None)
@given(content=st.one_of(st.binary(max_size=200), st.text(max_size=200)))
def test_random_models_are_refused(content: bytes | str) -> None:
    with pytest.raises(PolicyError):
        check_model(content, "model.conf")
