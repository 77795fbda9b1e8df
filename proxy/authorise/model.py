"""The check of ``model.conf``: only the one model that the decisions rest on is taken."""

from __future__ import annotations

import ast
import re
from threading import Lock
from typing import NamedTuple

from proxy.authorise.characters import first_beyond_ascii, first_unseen, named
from proxy.authorise.sourcetext import at_most, encoded, read_lines
from proxy.errors import PolicyError, Problem

MAX_FILE_BYTES = 64 * 1024

# Python 3.11's ast.parse is not safe between threads (CPython issue 106905), and Casbin calls it for every decision.
PARSING = Lock()

MATCHER = "action_match(r.act, p.act) && scope_match(r.scope, p.scope, r.sub) && g(r.sub, p.sub)"

_EXPECTED = {
    ("request_definition", "r"): "sub, scope, act",
    ("policy_definition", "p"): "sub, scope, act, eft",
    ("role_definition", "g"): "_, _",
    ("policy_effect", "e"): "some(where (p.eft == allow)) && !some(where (p.eft == deny))",
    ("matchers", "m"): MATCHER,
}
_SECTIONS = tuple(section for section, _ in _EXPECTED)

# Nothing else stands in the matcher, and nothing else makes the parser warn or work hard.
_MATCHER_CHARACTERS = re.compile(r"[a-z_.,()& ]*")


class _Entry(NamedTuple):
    number: int
    column: int
    value: str


def check_model(text: str | bytes, source: str) -> str:
    """The model's text, if it is the expected model but for comments, spacing and the order of sections.

    Raises:
        PolicyError: with every deviation, each at its line and column.
    """
    content = encoded(text)
    reader = _Reader(source)
    reader.read(content)
    if reader.problems:
        raise PolicyError(at_most(reader.problems, source))
    return content.decode()


class _Reader:
    """Walks the file as Casbin does and collects what deviates."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self._section: str | None = ""
        self._opened: set[str] = set()
        self._entries: dict[tuple[str, str], _Entry] = {}

    def read(self, content: bytes) -> None:
        lines, self.problems = read_lines(content, self.source, MAX_FILE_BYTES)
        for number, text in lines:
            self._line(number, text)
        for (section, key), expected in _EXPECTED.items() if lines else ():
            self._compare(section, key, expected)

    def _line(self, number: int, text: str) -> None:
        start = text.strip(" ")
        comment = start.startswith(("#", ";"))
        at = first_unseen(text) if comment else first_beyond_ascii(text)
        if at is not None:
            self._problem(number, at + 1, f"{named(text[at])} is not allowed here")
        elif start.startswith("["):
            self._open(number, start)
        elif start and not comment:
            self._entry(number, text)

    def _open(self, number: int, heading: str) -> None:
        name = heading.removeprefix("[").removesuffix("]")
        known = heading == f"[{name}]" and name in _SECTIONS
        self._section = name if known else None
        if not known:
            self._problem(number, 1, f"unknown section {heading[:60]!r}; the sections are {', '.join(_SECTIONS)}")
        elif name in self._opened:
            self._problem(number, 1, f"section [{name}] is opened twice")
        self._opened.add(name)

    def _entry(self, number: int, text: str) -> None:
        if self._section is None:
            return
        name, equals, value = text.partition("=")
        key = (self._section, name.strip(" "))
        if not equals or key not in _EXPECTED:
            self._problem(number, 1, f"{name.strip(' ')[:60]!r} has no place in [{self._section}]")
        elif key in self._entries:
            self._problem(number, 1, f"{key[1]} is defined twice; Casbin would take the last")
        else:
            column = len(text) - len(value.lstrip(" ")) + 1
            self._entries[key] = _Entry(number, column, value.strip(" "))

    def _compare(self, section: str, key: str, expected: str) -> None:
        entry = self._entries.get((section, key))
        if entry is None:
            self._problem(0, 0, f"[{section}] {key} is missing; expected {key} = {expected}")
        elif not _same(section, entry.value, expected):
            self._problem(entry.number, entry.column, f"expected {key} = {expected}")

    def _problem(self, line: int, column: int, message: str) -> None:
        self.problems.append(Problem(self.source, line, column, message))


def _same(section: str, value: str, expected: str) -> bool:
    if section == "policy_effect":
        return value == expected  # Casbin compares the effect as text, spaces included
    if section == "matchers":
        return _tree(value) == _tree(expected)
    return _tokens(value) == _tokens(expected)


def _tokens(value: str) -> list[str]:
    return [token.strip(" ") for token in value.split(",")]


def _tree(matcher: str) -> str | None:
    """The matcher as Casbin parses it, or ``None`` if it does not parse."""
    if not _MATCHER_CHARACTERS.fullmatch(matcher):
        return None
    python = re.sub(r"\b([rp])\.", r"\1_", matcher).replace("&&", "and")
    try:
        with PARSING:
            return ast.dump(ast.parse(python, mode="eval"))
    except (SyntaxError, RecursionError, MemoryError):
        return None
