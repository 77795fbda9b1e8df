"""A candidate policy beside the one in force: asked the same questions, compared, and never obeyed."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from proxy.authorise.authoriser import Authoriser
from proxy.authorise.decision import Action, Allow, Deny
from proxy.authorise.policyset import PolicySet
from proxy.authorise.registry import ScopeRegistry
from proxy.policy import PoliciesInForce
from proxy.principal import Caller
from store.permit import ForgetPermit, ReadPermit, WritePermit
from store.scope import Direction, Scope

DIFFERENCES_KEPT = 100

_log = logging.getLogger("scopegate.shadow")

Decision = Allow[ReadPermit] | Allow[WritePermit] | Allow[ForgetPermit] | Allow[None] | Deny


class Outcome(StrEnum):
    """How a candidate's decision compares with the one that was enforced."""

    SAME = "same"
    WOULD_ALLOW = "would_allow"
    WOULD_DENY = "would_deny"
    OTHER_SCOPES = "other_scopes"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Asked:
    """One question to the policy, and for which request. It never holds content."""

    at: datetime
    request_id: str
    operation: str
    principal: str
    action: Action
    scope: Scope


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A decision that the candidate would have taken otherwise.

    Where both allow a read through a lens, ``gained`` and ``lost`` count the scopes that only the one or the other
    would have searched.
    """

    asked: Asked
    outcome: Outcome
    enforced_lines: tuple[str, ...]
    candidate_lines: tuple[str, ...]
    gained: int = 0
    lost: int = 0


@dataclass(slots=True)
class Simulation:
    """One candidate, and how it compared so far; the last 100 disagreements are kept, newest first."""

    candidate: Authoriser
    started_at: datetime
    ends_at: datetime
    counts: Counter[Outcome] = field(default_factory=Counter)
    disagreements: deque[Disagreement] = field(default_factory=lambda: deque(maxlen=DIFFERENCES_KEPT))

    def compare(self, asked: Asked, enforced: Decision, ask: Callable[[Authoriser], Decision]) -> None:
        """Ask the candidate what was just decided. Never raises: a candidate's failure is counted and nothing more."""
        try:
            answer = ask(self.candidate)
            found = _compared(asked, enforced, answer)
        except Exception as error:  # noqa: BLE001 - whatever it is, the request goes on as if nobody had asked
            _log.warning("the candidate policy failed: %s", type(error).__name__)
            self.counts[Outcome.FAILED] += 1
            return
        self.counts[found.outcome] += 1
        if found.outcome is not Outcome.SAME:
            self.disagreements.appendleft(found)


class Shadow:
    """At most one simulation at a time. Lives in the event loop; a restart ends it."""

    def __init__(self) -> None:
        self.simulation: Simulation | None = None

    def start(self, candidate: PolicySet, now: datetime, ends_at: datetime) -> Simulation:
        """Compare every decision until ``ends_at``; replaces what ran before."""
        self.simulation = Simulation(Authoriser(candidate), now, ends_at)
        return self.simulation

    def stop(self) -> bool:
        """End and forget the simulation; whether there was one."""
        running, self.simulation = self.simulation is not None, None
        return running

    def observed(self, rules: PoliciesInForce, request_id: str, operation: str, now: datetime) -> PoliciesInForce:
        """``rules`` for one request, overheard by the simulation while it runs. They decide the same."""
        simulation = self.simulation
        if simulation is None or now >= simulation.ends_at:
            return rules
        overheard = ObservedAuthoriser(rules.authoriser.policy, simulation, request_id, operation, now)
        return replace(rules, authoriser=overheard)


@dataclass(frozen=True, slots=True)
class ObservedAuthoriser(Authoriser):
    """Decides as an authoriser does, by the policy in force, and then has a simulation compare."""

    simulation: Simulation
    request_id: str
    operation: str
    now: datetime

    # Authoriser is named in full below: in a slotted dataclass, super() without arguments means another class.

    def may_read(
        self, caller: Caller, lens: Scope, direction: Direction, known: ScopeRegistry | Iterable[Scope]
    ) -> Allow[ReadPermit] | Deny:
        """``Authoriser.may_read``."""
        scopes = known if isinstance(known, ScopeRegistry) else tuple(known)
        decision = Authoriser.may_read(self, caller, lens, direction, scopes)
        self._compare(
            caller, Action.READ, lens, decision, lambda other: other.may_read(caller, lens, direction, scopes)
        )
        return decision

    def may_read_memory(self, caller: Caller, scope: Scope) -> Allow[ReadPermit] | Deny:
        """``Authoriser.may_read_memory``."""
        decision = Authoriser.may_read_memory(self, caller, scope)
        self._compare(caller, Action.READ, scope, decision, lambda other: other.may_read_memory(caller, scope))
        return decision

    def may_write(self, caller: Caller, scope: Scope) -> Allow[WritePermit] | Deny:
        """``Authoriser.may_write``."""
        decision = Authoriser.may_write(self, caller, scope)
        self._compare(caller, Action.WRITE, scope, decision, lambda other: other.may_write(caller, scope))
        return decision

    def may_forget(self, caller: Caller, scope: Scope) -> Allow[ForgetPermit] | Deny:
        """``Authoriser.may_forget``."""
        decision = Authoriser.may_forget(self, caller, scope)
        self._compare(caller, Action.FORGET, scope, decision, lambda other: other.may_forget(caller, scope))
        return decision

    def may_publish(self, caller: Caller, source: Scope) -> Allow[ReadPermit] | Deny:
        """``Authoriser.may_publish``."""
        decision = Authoriser.may_publish(self, caller, source)
        self._compare(caller, Action.PUBLISH, source, decision, lambda other: other.may_publish(caller, source))
        return decision

    def may_review(self, caller: Caller, scope: Scope) -> Allow[None] | Deny:
        """``Authoriser.may_review``."""
        decision = Authoriser.may_review(self, caller, scope)
        self._compare(caller, Action.REVIEW, scope, decision, lambda other: other.may_review(caller, scope))
        return decision

    def may_administer(self, caller: Caller, scope: Scope) -> Allow[None] | Deny:
        """``Authoriser.may_administer``."""
        decision = Authoriser.may_administer(self, caller, scope)
        self._compare(caller, Action.ADMINISTER, scope, decision, lambda other: other.may_administer(caller, scope))
        return decision

    def _compare(
        self, caller: Caller, action: Action, scope: Scope, decision: Decision, ask: Callable[[Authoriser], Decision]
    ) -> None:
        asked = Asked(self.now, self.request_id, self.operation, str(caller.principal), action, scope)
        self.simulation.compare(asked, decision, ask)


def _compared(asked: Asked, enforced: Decision, answer: Decision) -> Disagreement:
    lines = _lines(enforced), _lines(answer)
    match enforced, answer:
        case Deny(), Allow():
            return Disagreement(asked, Outcome.WOULD_ALLOW, *lines)
        case Allow(), Deny():
            return Disagreement(asked, Outcome.WOULD_DENY, *lines)
        case Allow(permit=ReadPermit(scopes=searched)), Allow(permit=ReadPermit(scopes=candidate)):
            outcome = Outcome.SAME if searched == candidate else Outcome.OTHER_SCOPES
            return Disagreement(asked, outcome, *lines, len(candidate - searched), len(searched - candidate))
        case _:
            return Disagreement(asked, Outcome.SAME, *lines)


def _lines(decision: Decision) -> tuple[str, ...]:
    match decision:
        case Allow(lines=lines):
            return lines
        case Deny(line=line):
            return (line,) if line else ()
