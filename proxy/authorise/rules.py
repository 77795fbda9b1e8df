"""The strict reader of ``policy.csv``.

Stock Casbin takes almost any text: of a line it does not understand it makes no rule, and a lost deny is an allow.
This reader takes only what Casbin reads as its author meant it, and refuses the whole file otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NamedTuple, NoReturn, TypeVar, cast

from proxy.authorise.actions import ActionsError, read_actions
from proxy.authorise.characters import first_beyond_ascii, first_unseen, named
from proxy.authorise.decision import Action, Effect
from proxy.authorise.roles import MAX_LINKS, RoleLink, cycles, overlong_chains
from proxy.authorise.sourcetext import at_most, encoded, read_lines
from proxy.errors import PolicyError, Problem
from proxy.pattern import PatternError, ScopePattern
from proxy.principal import ROLE, Principal, PrincipalError

MAX_FILE_BYTES = 32 * 1024 * 1024
MAX_LINES = 500_000
MAX_RULES = 200_000

POLICY_COLUMNS = "p, SUBJECT, SCOPE PATTERN, ACTIONS, EFFECT"
ROLE_COLUMNS = "g, MEMBER, ROLE"

_REFUSED = {
    "#": "a comment stands on a line of its own; Casbin would read it as part of the value",
    ";": "columns are separated by commas, and a comment begins with # in column 1",
    '"': "values are written without quotes; Casbin would read them as part of the value",
    "'": "values are written without quotes; Casbin would read them as part of the value",
    "(": "brackets have no meaning here, and Casbin would take the commas within as text",
    ")": "brackets have no meaning here, and Casbin would take the commas within as text",
    "[": "brackets have no meaning here, and Casbin would take the commas within as text",
    "]": "brackets have no meaning here, and Casbin would take the commas within as text",
}
_REFUSED_CHARACTER = re.compile(f"[{re.escape(''.join(_REFUSED))}]")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PolicyLine:
    """One ``p`` line. ``row`` is its columns as Casbin holds them."""

    source: str
    number: int
    subject: str
    pattern: ScopePattern
    actions: tuple[Action, ...]
    effect: Effect
    row: tuple[str, ...]

    @property
    def place(self) -> str:
        """Where the line stands, such as ``policy.csv:7``."""
        return f"{self.source}:{self.number}"

    @property
    def meaning(self) -> object:
        """What the line is about, however it is spelled; its effect is not part of it."""
        pattern = self.pattern
        scopes = (pattern.literals, pattern.wildcards, pattern.selves, pattern.open)
        return self.subject, scopes, frozenset(self.actions)

    def says_the_same_as(self, other: PolicyLine) -> bool:
        """Whether ``other`` says the same, effect included."""
        return self.effect is other.effect and self.meaning == other.meaning


@dataclass(frozen=True, slots=True)
class Rules:
    """What a policy file says, in file order."""

    lines: tuple[PolicyLine, ...]
    links: tuple[RoleLink, ...]


class _Field(NamedTuple):
    text: str
    column: int


class _FieldError(ValueError):
    """A subject or an effect that is not one."""


def read_rules(text: str | bytes, source: str) -> Rules:
    """Read a policy file; ``source`` is what problems call it.

    Raises:
        PolicyError: with every problem of the file, each at its line and column.
    """
    reader = _Reader(source)
    reader.read(encoded(text))
    if reader.problems:
        raise PolicyError(at_most(reader.problems, source))
    return Rules(tuple(reader.lines), tuple(reader.links))


class _Reader:
    """Collects the rules and the problems of one file."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self.lines: list[PolicyLine] = []
        self.links: list[RoleLink] = []
        self._first_seen: dict[object, int] = {}
        self._known: dict[tuple[object, str], object] = {}
        self._rules = 0

    def read(self, content: bytes) -> None:
        lines, self.problems = read_lines(content, self.source, MAX_FILE_BYTES, MAX_LINES)
        for number, text in lines:
            if text.startswith("#"):
                self._comment(number, text)
            elif text.strip(" "):
                self._rule(number, text)
        self._roles()
        if not self.lines and not self.problems:
            self._problem(0, 0, f"no p line: nothing would be allowed; write at least one {POLICY_COLUMNS}")
        if self._rules > MAX_RULES:
            self._problem(0, 0, f"{self._rules} rules; at most {MAX_RULES} are read (limit MAX_RULES)")

    def _comment(self, number: int, text: str) -> None:
        at = first_unseen(text)
        if at is not None:
            self._problem(number, at + 1, f"{named(text[at])} cannot be seen; a comment shows everything it holds")

    def _rule(self, number: int, text: str) -> None:
        self._rules += 1
        fault = _misplaced_comment(text) or _refused_character(text)
        if fault:
            # What follows a character that should not be there may stand in any column: reading on would mislead.
            self._problem(number, *fault)
            return
        fields = _fields(text)
        match fields[0].text:
            case "p":
                if self._has_columns(number, fields, POLICY_COLUMNS):
                    self._policy_line(number, fields)
            case "g":
                if self._has_columns(number, fields, ROLE_COLUMNS):
                    self._role_link(number, fields)
            case other:
                self._problem(number, fields[0].column, _unknown_type(other))

    def _has_columns(self, number: int, fields: list[_Field], columns: str) -> bool:
        expected = columns.count(",") + 1
        if len(fields) == expected:
            return True
        trailing = " (a comma at the end?)" if not fields[-1].text else ""
        at = fields[min(len(fields), expected + 1) - 1]
        self._problem(number, at.column, f"{len(fields)} columns{trailing}, not {expected}: {columns}")
        return False

    def _policy_line(self, number: int, fields: list[_Field]) -> None:
        subject = self._checked(number, fields[1], _subject)
        pattern = self._checked(number, fields[2], ScopePattern.parse)
        actions = self._checked(number, fields[3], read_actions)
        effect = self._checked(number, fields[4], _effect)
        if subject is None or pattern is None or actions is None or effect is None:
            return
        row = tuple(field.text for field in fields[1:])
        line = PolicyLine(self.source, number, subject, pattern, actions, effect, row)
        if self._is_first(number, line.meaning, effect):
            self.lines.append(line)

    def _role_link(self, number: int, fields: list[_Field]) -> None:
        member = self._checked(number, fields[1], _subject)
        role = self._checked(number, fields[2], _role)
        if member is None or role is None:
            return
        if self._is_first(number, (member, role), None):
            self.links.append(RoleLink(self.source, number, member, role))

    def _is_first(self, number: int, meaning: object, effect: Effect | None) -> bool:
        """Whether neither the same line nor its opposite came before."""
        opposite = {Effect.ALLOW: Effect.DENY, Effect.DENY: Effect.ALLOW, None: None}[effect]
        same = self._first_seen.setdefault((meaning, effect), number)
        contrary = self._first_seen.get((meaning, opposite))
        if same != number:
            self._problem(number, 1, f"says the same as line {same}")
        elif effect is not None and contrary is not None:
            self._problem(number, 1, f"contradicts line {contrary}: same subject, scopes and actions, opposite effect")
        else:
            return True
        return False

    def _roles(self) -> None:
        looped = False
        for cycle in cycles(self.links):
            looped = True
            way = " is ".join([cycle[0].member, *(link.role for link in cycle)])
            self._problem(cycle[0].number, 1, f"roles in a circle: {way}")
        if looped:
            return
        for link, length in overlong_chains(self.links):
            message = f"{link.member} stands under {length} roles in a row; Casbin silently stops after {MAX_LINKS}"
            self._problem(link.number, 1, message)

    def _checked(self, number: int, field: _Field, read: Callable[[str], T]) -> T | None:
        known = self._known.get((read, field.text))
        if known is not None:
            return cast("T", known)
        try:
            return self._remembered(read, field.text)
        except (PatternError, ActionsError) as error:
            self._problem(number, field.column + error.offset, str(error))
        except _FieldError as error:
            self._problem(number, field.column, str(error))
        return None

    def _remembered(self, read: Callable[[str], T], text: str) -> T:
        """What ``read`` makes of the text. The columns of a large policy repeat, and equal values are kept once."""
        value = read(text)
        self._known[read, text] = value
        return value

    def _problem(self, line: int, column: int, message: str) -> None:
        self.problems.append(Problem(self.source, line, column, message))


def _misplaced_comment(text: str) -> tuple[int, str] | None:
    start = text.lstrip(" ")
    if start.startswith(("#", "//", ";")):
        return len(text) - len(start) + 1, "a comment begins with # in column 1"
    return None


def _refused_character(text: str) -> tuple[int, str] | None:
    """The column and the fault of the first character that no rule may hold."""
    beyond = first_beyond_ascii(text)
    found = _REFUSED_CHARACTER.search(text)
    refused = found and found.start()
    if beyond is not None and (refused is None or beyond < refused):
        return beyond + 1, f"{named(text[beyond])}: {_beyond_advice(text[beyond])}"
    if refused is not None:
        return refused + 1, f"{text[refused]} is not allowed in a rule: {_REFUSED[text[refused]]}"
    return None


def _beyond_advice(character: str) -> str:
    if character == "\t":
        return "columns are separated by a comma and spaces"
    if character == "\r":
        return "lines end with LF or CRLF"
    return "a rule holds printable ASCII only"


def _fields(text: str) -> list[_Field]:
    fields = []
    start = 0
    for part in text.split(","):
        indent = len(part) - len(part.lstrip(" "))
        fields.append(_Field(part.strip(" "), start + indent + 1))
        start += len(part) + 1
    return fields


def _unknown_type(text: str) -> str:
    hint = (
        f"did you mean {text.lower()}?" if text.lower() in {"p", "g"} else f"write {POLICY_COLUMNS} or {ROLE_COLUMNS}"
    )
    return f"unknown line type {text[:40]!r}, which Casbin would skip; {hint}"


def _subject(text: str) -> str:
    kind, colon, name = text.partition(":")
    if colon and kind != ROLE and get_close_matches(kind.lower(), [ROLE], cutoff=0.8):
        raise _FieldError(f"subject {text[:80]!r}: did you mean {ROLE}:{name[:80]}?")
    try:
        # A role's name is written as a principal's is.
        Principal.parse(f"agent:{name}" if colon and kind == ROLE else text)
    except PrincipalError:
        _refuse_subject(text)
    return text


def _refuse_subject(text: str) -> NoReturn:
    if "/" in text:
        raise _FieldError(f"subject {text[:80]!r} looks like a scope pattern; the columns are {POLICY_COLUMNS}")
    raise _FieldError(f"subject {text[:80]!r} must be kind:name, such as role:reader or agent:researcher")


def _role(text: str) -> str:
    if text.partition(":")[0] != ROLE:
        close = get_close_matches(text.partition(":")[0].lower(), [ROLE], cutoff=0.8)
        hint = "did you mean role:?" if close else f"member and role swapped? The columns are {ROLE_COLUMNS}"
        raise _FieldError(f"{text[:80]!r} is not a role; {hint}")
    return _subject(text)


def _effect(text: str) -> Effect:
    try:
        return Effect(text)
    except ValueError:
        close = get_close_matches(text.lower(), list(Effect), n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        message = f"effect must be allow or deny, not {text[:40]!r}; {hint}Casbin would skip the line"
        raise _FieldError(message) from None
