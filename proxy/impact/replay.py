"""Which recorded requests another policy would have decided differently."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from proxy.audit.entry import Outcome
from proxy.audit.log import AuditLog, AuditQuery
from proxy.authorise.decision import Action
from proxy.authorise.policyset import PolicySet
from proxy.principal import Principal
from store.scope import EMPTY, Scope

_PAGE = 1_000
_SHOWN = 200

# A read through a lens is granted as a whole when anything in or below the lens could be read.
_THROUGH_A_LENS = frozenset({"recall", "list", "open_session"})
# The policy let these pass, and the publish gate or the store stopped them.
_ALLOWED_BY_POLICY = frozenset({Outcome.ALLOW, Outcome.BLOCKED, Outcome.HELD})
_DENIED_BY_POLICY = ("no policy line allows ", "the policy ")
_NOTHING_TO_SEE = " may read nothing in "


@dataclass(frozen=True, slots=True)
class Redecided:
    """One recorded request whose answer changes; ``lines`` decided then, ``line`` would decide now."""

    sequence: int
    request_id: str
    at: str
    principal: str
    operation: str
    action: str
    scope: str
    allowed: bool
    lines: tuple[str, ...]
    line: str | None


@dataclass(slots=True)
class Replay:
    """What a walk over the log found. ``changed`` keeps the newest 200; the ``skipped`` were no policy decisions."""

    decided: int = 0
    skipped: int = 0
    now_allowed: int = 0
    now_denied: int = 0
    changed: list[Redecided] = field(default_factory=list)

    def add(self, entry: Mapping[str, Any], policy: PolicySet) -> None:
        """Decide one entry again."""
        was = _was_allowed(entry)
        if was is None:
            self.skipped += 1
            return
        self.decided += 1
        allowed, line = _now(entry, policy)
        if allowed == was:
            return
        self.now_allowed += allowed
        self.now_denied += was
        if len(self.changed) < _SHOWN:
            self.changed.append(_redecided(entry, allowed=allowed, line=line))


async def replay(audit: AuditLog, policy: PolicySet) -> Replay:
    """Decide every recorded policy decision again, newest first.

    A read through a lens is compared as granted or refused; which memories it shows is not in the log. Denials by a
    key's floor or its read-only flag, requests for what does not exist, and what an operator did on the machine are
    no policy decisions.
    """
    found = Replay()
    async for entry in _entries(audit):
        found.add(entry, policy)
    return found


async def _entries(audit: AuditLog) -> AsyncIterator[dict[str, Any]]:
    before: int | None = None
    while page := await audit.query(AuditQuery(before=before, limit=_PAGE)):
        for recorded in page:
            yield recorded.as_dict()
        before = page[-1].sequence


def _was_allowed(entry: Mapping[str, Any]) -> bool | None:
    """What the policy said then; ``None`` where it was not the policy that spoke."""
    if not entry["policy_version"]:
        return None
    if entry["outcome"] in _ALLOWED_BY_POLICY:
        return True if entry["lines"] or entry["operation"] in _THROUGH_A_LENS else None
    reason = entry["reason"] or ""
    said = entry["lines"] or reason.startswith(_DENIED_BY_POLICY) or _NOTHING_TO_SEE in reason
    return False if entry["outcome"] == Outcome.DENY and said else None


def _now(entry: Mapping[str, Any], policy: PolicySet) -> tuple[bool, str | None]:
    principal, action = Principal.parse(entry["principal"]), Action(entry["action"])
    scope = Scope.parse(entry["scope"])
    ruling = policy.decide(principal, action, scope)
    if ruling.allowed and action is Action.PUBLISH:
        # Taking content out of a scope needs to read it as well.
        ruling = policy.decide(principal, Action.READ, scope)
    if ruling.allowed:
        return True, ruling.line
    if entry["operation"] in _THROUGH_A_LENS and action is Action.READ and policy.may_look(principal, scope):
        return True, None
    if action is Action.ADMINISTER:
        everywhere = policy.decide(principal, action, EMPTY)
        return everywhere.allowed, everywhere.line or ruling.line
    return False, ruling.line


def _redecided(entry: Mapping[str, Any], *, allowed: bool, line: str | None) -> Redecided:
    named = {
        name: entry[name] for name in ("sequence", "request_id", "at", "principal", "operation", "action", "scope")
    }
    return Redecided(**named, allowed=allowed, lines=tuple(entry["lines"]), line=line)
