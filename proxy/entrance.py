"""The one way into the store: inspect, record, forward. Whatever enters a scope, by any door, enters here."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar

from proxy.audit.entry import Outcome
from proxy.audit.log import AuditLog
from proxy.authorise.decision import Action, Allow
from proxy.call import Call
from proxy.database import DatabaseError
from proxy.errors import AuditUnavailable, BlockedByPublishGate, Conflict, StoreUnavailable
from proxy.inspection.draft import Draft
from proxy.inspection.finding import Finding
from proxy.inspection.gate import PublishGate
from proxy.inspection.holds import Hold, HoldQueue, HoldState
from proxy.inspection.verdict import Blocked, Held, Redacted, Verdict
from store import errors as store_errors
from store.memory import Category, Memory, Provenance
from store.permit import WritePermit
from store.protocol import MemoryStore
from store.scope import Scope

_INSPECTED_TOGETHER = 16


@dataclass(frozen=True, slots=True)
class NotInspected:
    """The scope is private: the publish gate has no say."""

    kind: ClassVar[str] = "not_inspected"
    findings: tuple[Finding, ...] = ()


Judgement = Verdict | NotInspected


@dataclass(frozen=True, slots=True)
class Entrant:
    """What the policy allowed to enter a scope and the publish gate has yet to judge."""

    id: str
    write: Allow[WritePermit]
    draft: Draft
    category: Category
    valid_from: datetime
    session_id: str | None = None
    derived_from: tuple[str, ...] = ()

    @property
    def scope(self) -> Scope:
        """Where it wants to go."""
        return self.write.permit.scope


@dataclass(frozen=True, slots=True)
class Stored:
    """A memory was stored, as it was or redacted."""

    id: str
    scope: Scope
    verdict: str
    findings: tuple[Finding, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class HeldBack:
    """The publish gate keeps it for a reviewer."""

    hold_id: str
    scope: Scope
    findings: tuple[Finding, ...]


Result = Stored | HeldBack


@dataclass(frozen=True, slots=True)
class Entrance:
    """The publish gate with what lies behind it: the store, and the hold queue."""

    store: MemoryStore
    gate: PublishGate
    audit: AuditLog
    holds: HoldQueue

    async def judge(self, call: Call, entrants: Sequence[Entrant]) -> list[Judgement]:
        """A judgement for each entrant, in order.

        Raises:
            GateUnavailable: one of them could not be judged.
        """
        judgements: list[Judgement] = []
        for start in range(0, len(entrants), _INSPECTED_TOGETHER):
            together = entrants[start : start + _INSPECTED_TOGETHER]
            judgements += await asyncio.gather(*(self._judge(call, entrant) for entrant in together))
        return judgements

    async def admit(self, call: Call, operation: str, judged: Sequence[tuple[Entrant, Judgement]]) -> list[Result]:
        """Record what was judged, then store it or queue it for review: all or nothing, within one scope.

        Raises:
            BlockedByPublishGate: one of them may not enter. Nothing was stored.
            AuditUnavailable, StoreUnavailable: nothing was stored.
        """
        blocked = [(entrant, judgement) for entrant, judgement in judged if isinstance(judgement, Blocked)]
        if blocked:
            await self._record(call, operation, blocked)
            raise _blocked(blocked)
        await self._record(call, operation, judged)
        held = [_hold(call, operation, entrant, verdict) for entrant, verdict in judged if isinstance(verdict, Held)]
        try:
            await self._queue(held)
            await self._forward(call, judged)
        except BaseException:
            await self._withdraw(held)
            ids = tuple(entrant.id for entrant, _ in judged)
            await self._record_failure(call, operation, Action.WRITE, judged[0][0].scope, ids)
            raise
        return [_result(call, entrant, judgement) for entrant, judgement in judged]

    async def admit_approved(
        self, call: Call, hold: Hold, write: Allow[WritePermit], review: Allow[None], *, redact: bool
    ) -> Stored:
        """Store what a reviewer approved, as its submitter wrote it or redacted, by the rules in force now.

        Raises:
            Conflict: somebody else decided it meanwhile.
            BlockedByPublishGate: a rule in force now blocks it. It stays held.
        """
        if hold.memory is None or not await self.holds.claim(hold.id):
            raise Conflict("this hold has been decided")
        try:
            stored = await self._store_approved(call, hold, hold.memory, write, review, redact=redact)
        except (BlockedByPublishGate, Conflict):
            await self.holds.release(hold.id)
            raise
        except BaseException:
            await self.holds.release(hold.id)
            await self._record_failure(call, "approve", Action.REVIEW, hold.scope, (hold.id, hold.memory_id))
            raise
        await self.holds.approved(hold.id, by=str(call.caller.principal), now=call.now)
        return stored

    async def holds_stored(self, hold: Hold) -> bool:
        """Whether the memory of a pending hold is stored already, since the gateway died while it was approved.

        Raises:
            StoreUnavailable: nobody knows.
        """
        with forwarding():
            return hold.memory_id in await self.store.locate([hold.memory_id])

    async def _store_approved(
        self,
        call: Call,
        hold: Hold,
        memory: Memory,
        write: Allow[WritePermit],
        review: Allow[None],
        *,
        redact: bool,
    ) -> Stored:
        if redact and await self.holds_stored(hold):
            raise Conflict("it was approved before, when the gateway stopped, and is stored; approve it as it is")
        draft = Draft(memory.content, memory.metadata)
        verdict = await self.gate.inspect(draft, hold.scope, call.rules.pii, approved=True, redact_held=redact)
        if isinstance(verdict, Held):
            raise Conflict("the publish gate still holds it")
        entry = call.entry(
            "approve",
            Action.REVIEW,
            hold.scope,
            Outcome.BLOCKED if isinstance(verdict, Blocked) else Outcome.ALLOW,
            lines=review.lines,
            verdict=verdict.kind,
            entities=_entities(verdict),
            ids=(hold.id, memory.id),
        )
        await self.audit.record(entry)
        if isinstance(verdict, Blocked):
            raise _blocked([(None, verdict)])
        admitted = verdict.draft if isinstance(verdict, Redacted) else draft
        provenance = replace(
            memory.provenance,
            verdict=verdict.kind,
            policy_version=call.rules.version,
            approved_by=str(call.caller.principal),
        )
        approved = replace(memory, content=admitted.content, metadata=admitted.metadata, provenance=provenance)
        with forwarding():
            await self.store.remember(write.permit, [approved], retry=True)
        return Stored(memory.id, hold.scope, provenance.verdict, tuple(verdict.findings), memory.created_at)

    async def _judge(self, call: Call, entrant: Entrant) -> Judgement:
        if not call.rules.config.is_shared(entrant.scope):
            return NotInspected()
        return await self.gate.inspect(entrant.draft, entrant.scope, call.rules.pii)

    async def _queue(self, held: Sequence[Hold]) -> None:
        try:
            if held:
                await self.holds.add(held)
        except DatabaseError:
            raise StoreUnavailable("the hold queue cannot be written; nothing was stored") from None

    async def _withdraw(self, held: Sequence[Hold]) -> None:
        """Take back what was queued. The caller must learn what failed first, whether or not this does."""
        with contextlib.suppress(DatabaseError):
            await self.holds.withdraw([hold.id for hold in held])

    async def _forward(self, call: Call, judged: Sequence[tuple[Entrant, Judgement]]) -> None:
        memories = [_memory(call, entrant, verdict) for entrant, verdict in judged if not isinstance(verdict, Held)]
        if memories:
            with forwarding():
                await self.store.remember(judged[0][0].write.permit, memories, retry=call.repeated)

    async def _record(self, call: Call, operation: str, judged: Sequence[tuple[Entrant, Judgement]]) -> None:
        """One audit entry for each kind of judgement, naming all ids that it is about."""
        groups: dict[str, list[tuple[Entrant, Judgement]]] = {}
        for entrant, judgement in judged:
            groups.setdefault(judgement.kind, []).append((entrant, judgement))
        await self.audit.record(
            *(
                call.entry(
                    operation,
                    Action.WRITE,
                    group[0][0].scope,
                    _outcome(group[0][1]),
                    lines=group[0][0].write.lines,
                    verdict=kind,
                    entities=_entities(*(judgement for _, judgement in group)),
                    ids=tuple(entrant.id for entrant, _ in group),
                )
                for kind, group in groups.items()
            )
        )

    async def _record_failure(
        self, call: Call, operation: str, action: Action, scope: Scope, ids: tuple[str, ...]
    ) -> None:
        entry = call.entry(operation, action, scope, Outcome.FAILED, ids=ids)
        # The caller must learn what failed, whether or not that can be written down.
        with contextlib.suppress(AuditUnavailable):
            await self.audit.record(entry)


@contextlib.contextmanager
def forwarding() -> Iterator[None]:
    """Around a call to the store: its failures become refusals.

    Raises:
        StoreUnavailable: the store could not answer.
    """
    try:
        yield
    except store_errors.StoreUnavailable:
        raise StoreUnavailable("the store did not answer; try again later") from None


def _outcome(judgement: Judgement) -> Outcome:
    match judgement:
        case Blocked():
            return Outcome.BLOCKED
        case Held():
            return Outcome.HELD
        case _:
            return Outcome.ALLOW


def _entities(*judgements: Judgement) -> tuple[str, ...]:
    return tuple(sorted({finding.entity for judgement in judgements for finding in judgement.findings}))


def _blocked(blocked: Collection[tuple[Entrant | None, Blocked]]) -> BlockedByPublishGate:
    findings: list[dict[str, object]] = []
    for entrant, verdict in blocked:
        source = {"memory_id": entrant.derived_from[0]} if entrant and entrant.derived_from else {}
        findings += [{**finding.as_dict(), **source} for finding in verdict.findings]
    kinds = ", ".join(sorted({str(finding["entity"]) for finding in findings}))
    return BlockedByPublishGate(
        f"the publish gate found {kinds}, which may not enter this scope; nothing was stored",
        extras={"findings": findings},
    )


def _memory(call: Call, entrant: Entrant, judgement: Judgement) -> Memory:
    draft = judgement.draft if isinstance(judgement, Redacted) else entrant.draft
    return Memory(
        id=entrant.id,
        scope=entrant.scope,
        content=draft.content,
        category=entrant.category,
        created_at=call.now,
        valid_from=entrant.valid_from,
        metadata=draft.metadata,
        provenance=Provenance(
            principal=str(call.caller.principal),
            key_id=call.caller.key_id,
            request_id=call.request_id,
            verdict=judgement.kind,
            policy_version=call.rules.version,
            session_id=entrant.session_id,
            derived_from=entrant.derived_from,
        ),
    )


def _hold(call: Call, operation: str, entrant: Entrant, held: Held) -> Hold:
    """A hold and the memory that it keeps share one id."""
    return Hold(
        id=entrant.id,
        state=HoldState.PENDING,
        scope=entrant.scope,
        operation=operation,
        submitter=str(call.caller.principal),
        created_at=call.now,
        findings=tuple(finding.as_dict() for finding in held.findings),
        memory_id=entrant.id,
        memory=_memory(call, entrant, held),
    )


def _result(call: Call, entrant: Entrant, judgement: Judgement) -> Result:
    findings = tuple(judgement.findings)
    if isinstance(judgement, Held):
        return HeldBack(entrant.id, entrant.scope, findings)
    return Stored(entrant.id, entrant.scope, judgement.kind, findings, call.now)
