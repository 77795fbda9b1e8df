"""Redaction: text with findings replaced, each place once, so that nothing of them is left."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from proxy.inspection.rules import Operator, normalised
from store.scope import Scope

_STRICTEST_FIRST = list(Operator)
_PSEUDONYM_DIGITS = 8
_HASH_DIGITS = 32


@dataclass(frozen=True, slots=True)
class Edit:
    """Characters ``start`` up to ``end`` of a text, and how they are to be replaced."""

    start: int
    end: int
    entity: str
    operator: Operator
    score: float


@dataclass(frozen=True, slots=True)
class ScopeKey:
    """The key under which one scope's hashes and pseudonyms are made. Never shown."""

    secret: bytes

    @classmethod
    def derive(cls, master_key: bytes, scope: Scope) -> ScopeKey:
        """The key of ``scope``: HMAC-SHA256 of its canonical path, so that two scopes share nothing."""
        return cls(hmac.digest(master_key, b"scopegate redaction v1\0" + scope.path().encode(), "sha256"))

    def digest(self, purpose: str, entity: str, text: str) -> str:
        """64 hex digits that stand for ``text`` in this scope only."""
        message = f"{purpose}\0{entity}\0{text}".encode("utf-8", "surrogatepass")
        return hmac.new(self.secret, message, hashlib.sha256).hexdigest()

    def __repr__(self) -> str:
        return "ScopeKey(…)"


def redacted(text: str, edits: Iterable[Edit], key: ScopeKey) -> str:
    """``text`` with every character that some edit covers replaced.

    Edits that overlap are replaced as one, all they cover together, in the way of the strictest of them, then of the
    longest, the highest scored, the leftmost.
    """
    parts = []
    position = 0
    for group in _groups(edits):
        start, end = group[0].start, max(edit.end for edit in group)
        parts += [text[position:start], _replacement(text, start, end, min(group, key=_rank), key)]
        position = end
    return "".join([*parts, text[position:]])


def _groups(edits: Iterable[Edit]) -> Iterator[list[Edit]]:
    """Edits by place, those that overlap together."""
    group: list[Edit] = []
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end, edit.entity, edit.operator)):
        if group and edit.start >= max(member.end for member in group):
            yield group
            group = []
        group.append(edit)
    if group:
        yield group


def _rank(edit: Edit) -> tuple[int, int, float, int, str]:
    return (_STRICTEST_FIRST.index(edit.operator), edit.start - edit.end, -edit.score, edit.start, edit.entity)


def _replacement(text: str, start: int, end: int, edit: Edit, key: ScopeKey) -> str:
    covered = text[edit.start : edit.end]
    match edit.operator:
        case Operator.REPLACE:
            return f"<{edit.entity}>"
        case Operator.MASK:
            return "*" * (end - start)
        case Operator.HASH:
            return f"<{edit.entity}_{key.digest('hash', edit.entity, covered)[:_HASH_DIGITS]}>"
        case Operator.PSEUDONYM:
            digest = key.digest("pseudonym", edit.entity, normalised(covered))
            return f"<{edit.entity}_{digest[:_PSEUDONYM_DIGITS]}>"
