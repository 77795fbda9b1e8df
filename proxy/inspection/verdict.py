"""Verdicts: what the publish gate does with a draft."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from proxy.inspection.draft import Draft
from proxy.inspection.finding import Finding


class VerdictKind(StrEnum):
    """A verdict's name in rules and records, mildest first."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    REDACT = "redact"
    HOLD = "hold"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Pass:
    """The draft may enter as it is. ``findings`` are those that a rule, a reviewer, or no rule at all let through."""

    kind: ClassVar[VerdictKind] = VerdictKind.PASS
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Redacted:
    """``draft`` may enter in the original's place. ``findings`` are those that it no longer contains.

    Their offsets count characters of the original.
    """

    kind: ClassVar[VerdictKind] = VerdictKind.REDACT
    draft: Draft
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """The draft waits for a reviewer, because of ``findings``."""

    kind: ClassVar[VerdictKind] = VerdictKind.HOLD
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Blocked:
    """The draft may not enter, because of ``findings``."""

    kind: ClassVar[VerdictKind] = VerdictKind.BLOCK
    findings: tuple[Finding, ...]


Verdict = Pass | Redacted | Held | Blocked
