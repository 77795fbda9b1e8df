"""One entry of the audit log. It never holds memory content, a key or the text of a finding."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum

from proxy.moments import moment_text

GENESIS = "0" * 64


class Outcome(StrEnum):
    """How a decision, or what followed from it, ended."""

    ALLOW = "allow"
    DENY = "deny"
    BLOCKED = "blocked"
    HELD = "held"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Entry:
    """One decision.

    ``lines`` are the policy lines that decided, as file:line; ``reason`` says why nothing was allowed; ``entities``
    the kinds of finding that the publish gate saw; ``ids`` the memories, holds or keys that it is about.
    """

    at: datetime
    request_id: str
    principal: str
    key_id: str
    operation: str
    action: str
    scope: str
    outcome: Outcome
    policy_version: str
    lines: tuple[str, ...] = ()
    reason: str | None = None
    verdict: str | None = None
    entities: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """The entry as JSON values."""
        return {**asdict(self), "at": moment_text(self.at), "outcome": str(self.outcome)}

    def body(self) -> str:
        """The canonical JSON that is stored and hashed: keys by name, no spaces, ASCII."""
        return json.dumps(self.as_dict(), sort_keys=True, separators=(",", ":"))


def link(previous: str, sequence: int, body: str) -> str:
    """The hash of entry ``sequence``: SHA-256 over the hash before it, its own number and its body."""
    return hashlib.sha256(f"{previous}\n{sequence}\n{body}".encode()).hexdigest()
