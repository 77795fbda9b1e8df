"""The review queue: what the publish gate held, for people with ``review`` on the target scope."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

from proxy.audit.entry import Outcome
from proxy.audit.log import AuditLog
from proxy.authorise.decision import Action, Allow, Deny
from proxy.call import Call, hide, refuse
from proxy.entrance import Entrance, Stored
from proxy.errors import Conflict, NotFound
from proxy.inspection.holds import Hold, HoldQueue, HoldState
from proxy.principal import Caller, Principal
from store.scope import EMPTY

_NO_HOLD = "no such hold, or none that concerns you"
_SCANNED_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Review:
    """List, approve and reject holds. Nobody decides on their own submission."""

    entrance: Entrance
    holds: HoldQueue
    audit: AuditLog

    async def list(self, call: Call, state: HoldState, after: str | None, limit: int) -> Sequence[Hold]:
        """Up to ``limit`` holds with ids greater than ``after``, oldest first: the caller's to review, and its own."""
        shown: list[Hold] = []
        while len(shown) < limit:
            page = await self.holds.page(state, after, _SCANNED_AT_ONCE)
            shown += [seen for seen in (self._seen(call, hold) for hold in page) if seen is not None]
            if len(page) < _SCANNED_AT_ONCE:
                break
            after = page[-1].id
        await self._record_shown(call, shown[:limit])
        return shown[:limit]

    async def get(self, call: Call, hold_id: str) -> Hold:
        """One hold; its memory only for a reviewer, and then recorded.

        Raises:
            NotFound: there is none, or it does not concern the caller.
        """
        hold = await self._find(call, "get_hold", hold_id)
        review = call.rules.authoriser.may_review(call.caller, hold.scope)
        if isinstance(review, Allow):
            await self._record(call, "get_hold", hold, review)
            return hold
        own = self._seen(call, hold)
        if own is None:
            await self._refuse_unseen(call, "get_hold", hold, review)
        return own

    async def approve(self, call: Call, hold_id: str, *, redact: bool) -> Stored:
        """Let a held memory into its scope, as it was written or, with ``redact``, without what was found.

        Raises:
            NotFound: there is no such hold, or it does not concern the caller.
            Forbidden: the caller may not review there, or submitted it.
            Conflict: it is decided, or its submitter may no longer write there.
            BlockedByPublishGate: a rule in force now blocks it. It stays held.
        """
        hold, review = await self._reviewable(call, "approve", hold_id)
        submitter = Caller(Principal.parse(hold.submitter), call.caller.key_id)
        write = call.rules.authoriser.may_write(submitter, hold.scope)
        if isinstance(write, Deny):
            lines = (write.line,) if write.line else ()
            await self.audit.record(
                call.entry(
                    "approve", Action.WRITE, hold.scope, Outcome.DENY, lines=lines, reason=write.reason, ids=(hold.id,)
                )
            )
            raise Conflict("its submitter may no longer write into that scope")
        return await self.entrance.admit_approved(call, hold, write, review, redact=redact)

    async def reject(self, call: Call, hold_id: str, reason: str | None) -> Hold:
        """Turn a held memory away. Its text is deleted.

        Raises:
            NotFound, Forbidden, Conflict: as for ``approve``; or it is stored, since the gateway died while approving.
        """
        hold, review = await self._reviewable(call, "reject", hold_id)
        if await self.entrance.holds_stored(hold):
            raise Conflict("it was approved before, when the gateway stopped, and is stored; approve it again")
        await self._record(call, "reject", hold, review)
        if not await self.holds.reject(hold.id, by=str(call.caller.principal), now=call.now, reason=reason):
            raise Conflict("this hold has been decided")
        return await self._find(call, "reject", hold_id)

    async def _find(self, call: Call, operation: str, hold_id: str) -> Hold:
        hold = await self.holds.find(hold_id)
        if hold is None:
            # As much is written as of a hold that the caller may not see; else the time it takes tells them apart.
            unknown = call.entry(operation, Action.REVIEW, EMPTY, Outcome.DENY, reason=_NO_HOLD, ids=(hold_id,))
            await self.audit.record(unknown)
            raise NotFound(_NO_HOLD)
        return hold

    def _seen(self, call: Call, hold: Hold) -> Hold | None:
        """The hold as the caller may see it: whole, without its memory, or not at all."""
        if isinstance(call.rules.authoriser.may_review(call.caller, hold.scope), Allow):
            return hold
        if hold.submitter == str(call.caller.principal) and _within_floor(call.caller, hold):
            return replace(hold, memory=None)
        return None

    async def _reviewable(self, call: Call, operation: str, hold_id: str) -> tuple[Hold, Allow[None]]:
        hold = await self._find(call, operation, hold_id)
        if hold.submitter == str(call.caller.principal) and self._seen(call, hold) is not None:
            own = Deny("nobody decides on their own submission")
            await refuse(self.audit, call, operation, Action.REVIEW, hold.scope, own, (hold.id,))
        review = call.rules.authoriser.may_review(call.caller, hold.scope)
        if isinstance(review, Deny):
            await self._refuse_unseen(call, operation, hold, review)
        if hold.state not in {HoldState.PENDING, HoldState.DECIDING}:
            raise Conflict(f"this hold has been decided: it is {hold.state}")
        return hold, review

    async def _refuse_unseen(self, call: Call, operation: str, hold: Hold, deny: Deny) -> NoReturn:
        """Record that the caller may not see the hold; it hears what it would of a hold that never was."""
        await hide(self.audit, call, operation, Action.REVIEW, hold.scope, deny, (hold.id,), as_if=_NO_HOLD)

    async def _record_shown(self, call: Call, holds: Sequence[Hold]) -> None:
        """Record of which holds a reviewer is about to see the text, and by which line."""
        entries = []
        for scope in {hold.scope: None for hold in holds}:
            review = call.rules.authoriser.may_review(call.caller, scope)
            if isinstance(review, Allow):
                ids = tuple(hold.id for hold in holds if hold.scope == scope)
                entries.append(
                    call.entry("list_holds", Action.REVIEW, scope, Outcome.ALLOW, lines=review.lines, ids=ids)
                )
        await self.audit.record(*entries)

    async def _record(self, call: Call, operation: str, hold: Hold, review: Allow[None]) -> None:
        await self.audit.record(
            call.entry(operation, Action.REVIEW, hold.scope, Outcome.ALLOW, lines=review.lines, ids=(hold.id,))
        )


def _within_floor(caller: Caller, hold: Hold) -> bool:
    return caller.floor is None or caller.floor <= hold.scope
