"""Administration: keys, the policies in force, the audit log. Each asks for ``administer``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from proxy.audit.entry import Outcome
from proxy.audit.log import AuditLog, AuditQuery, Recorded
from proxy.authenticate.key import Key
from proxy.authenticate.keyring import KeyRecord, KeyRing, KeyTerms
from proxy.authorise.decision import Action, Allow, Deny, Effect
from proxy.authorise.policyset import PolicySet
from proxy.call import Call, hide, refuse
from proxy.errors import Conflict, FieldProblem, Invalid, NotFound, PolicyError
from proxy.policyfolder import PolicyFolder
from proxy.shadow import Shadow, Simulation
from store.scope import EMPTY, Scope

_NO_KEY = "no such key, or none that you administer"
_NO_SIMULATION = "no candidate policy is simulated"


@dataclass(frozen=True, slots=True)
class Administration:
    """What an administrator can ask for.

    Whoever has ``administer`` on ``/`` manages every key; ``administer`` on a scope manages the keys whose floor lies
    within that scope's reach.
    """

    keys: KeyRing
    policies: PolicyFolder
    audit: AuditLog
    shadow: Shadow

    async def create_key(self, call: Call, terms: KeyTerms) -> tuple[Key, KeyRecord]:
        """Issue a key.

        Raises:
            Forbidden: the caller does not administer the key's floor.
        """
        scope = terms.scope
        allow = await self._administer(call, "create_key", scope, (str(terms.principal),))
        key = Key.generate()
        await self._record(call, "create_key", scope, allow, (key.id, str(terms.principal)))
        return key, await self.keys.issue(key, terms, call.now)

    async def list_keys(self, call: Call) -> Sequence[KeyRecord]:
        """The keys that the caller administers, oldest first.

        Raises:
            Forbidden: it administers none and could administer none.
        """
        by_scope: dict[Scope, list[KeyRecord]] = {}
        for record in await self.keys.list():
            by_scope.setdefault(record.terms.scope, []).append(record)
        decisions = {scope: call.rules.authoriser.may_administer(call.caller, scope) for scope in by_scope}
        allowed = {scope: decision for scope, decision in decisions.items() if isinstance(decision, Allow)}
        if not allowed and (call.caller.floor or not _administers_somewhere(call)):
            await self._administer(call, "list_keys", call.caller.floor or EMPTY)
        await self.audit.record(
            *(
                call.entry("list_keys", Action.ADMINISTER, scope, Outcome.ALLOW, lines=allow.lines)
                for scope, allow in allowed.items()
            )
        )
        shown = [record for scope in allowed for record in by_scope[scope]]
        return sorted(shown, key=lambda record: (record.created_at, record.id))

    async def rotate_key(self, call: Call, key_id: str, overlap: timedelta) -> tuple[Key, KeyRecord]:
        """Replace a key: the new one has the same terms, the old one ends after ``overlap``.

        Raises:
            NotFound: there is no such key, or the caller does not administer it.
            Conflict: it has ended, or was rotated before.
        """
        scope, allow = await self._administered(call, "rotate_key", key_id)
        key = Key.generate()
        await self._record(call, "rotate_key", scope, allow, (key_id, key.id))
        record = await self.keys.rotate(key_id, key, overlap, call.now)
        if record is None:
            raise Conflict("this key has ended or was rotated before; rotate its successor, or issue a new one")
        return key, record

    async def revoke_key(self, call: Call, key_id: str) -> None:
        """End a key at once.

        Raises:
            NotFound: there is no such key, or the caller does not administer it.
            Conflict: it was revoked before.
        """
        scope, allow = await self._administered(call, "revoke_key", key_id)
        await self._record(call, "revoke_key", scope, allow, (key_id,))
        if not await self.keys.revoke(key_id, call.now):
            raise Conflict("this key was revoked before")

    async def policy(self, call: Call) -> PolicyFolder:
        """The policy folder, to say what is in force and what was refused.

        Raises:
            Forbidden: the caller does not administer ``/``.
        """
        await self._record(call, "policy_status", EMPTY, await self._administer(call, "policy_status", EMPTY))
        return self.policies

    async def reload(self, call: Call) -> PolicyFolder:
        """Read the policy files again.

        Raises:
            Forbidden: the caller does not administer ``/``.
            Invalid: a file holds a mistake; lists all. What was in force stays.
        """
        await self._record(call, "policy_reload", EMPTY, await self._administer(call, "policy_reload", EMPTY))
        try:
            await self.policies.reload()
        except PolicyError as error:
            raise _invalid(error) from None
        return self.policies

    async def simulate(self, call: Call, model: str, policy: str, lasts: timedelta) -> Simulation:
        """Have a candidate ``policy.csv`` decide beside the policy in force, which alone is obeyed, for a while.

        Raises:
            Forbidden: the caller does not administer ``/``.
            Invalid: a file holds a mistake; lists all. What was simulated before goes on.
        """
        await self._record(call, "shadow_start", EMPTY, await self._administer(call, "shadow_start", EMPTY))
        read = partial(PolicySet.from_text, model, policy, dimension_order=call.rules.config.dimensions)
        try:
            candidate = await asyncio.to_thread(read)
        except PolicyError as error:
            raise _invalid(error) from None
        return self.shadow.start(candidate, call.now, call.now + lasts)

    async def simulation(self, call: Call) -> Simulation:
        """How the candidate compares so far; also after its time is over.

        Raises:
            Forbidden: the caller does not administer ``/``.
            NotFound: none was started since the gateway was, or it was stopped.
        """
        await self._record(call, "shadow_status", EMPTY, await self._administer(call, "shadow_status", EMPTY))
        if self.shadow.simulation is None:
            raise NotFound(_NO_SIMULATION)
        return self.shadow.simulation

    async def stop_simulation(self, call: Call) -> None:
        """End and forget the simulation.

        Raises:
            Forbidden: the caller does not administer ``/``.
            NotFound: there is none.
        """
        await self._record(call, "shadow_stop", EMPTY, await self._administer(call, "shadow_stop", EMPTY))
        if not self.shadow.stop():
            raise NotFound(_NO_SIMULATION)

    async def query_audit(self, call: Call, query: AuditQuery) -> Sequence[Recorded]:
        """Entries of the audit log, newest first.

        Raises:
            Forbidden: the caller does not administer ``/``.
        """
        await self._record(call, "query_audit", EMPTY, await self._administer(call, "query_audit", EMPTY))
        return await self.audit.query(query)

    async def _administer(self, call: Call, operation: str, scope: Scope, ids: tuple[str, ...] = ()) -> Allow[None]:
        decision = call.rules.authoriser.may_administer(call.caller, scope)
        if isinstance(decision, Deny):
            await refuse(self.audit, call, operation, Action.ADMINISTER, scope, decision, ids)
        return decision

    async def _administered(self, call: Call, operation: str, key_id: str) -> tuple[Scope, Allow[None]]:
        """The scope of a key that the caller administers; others do not exist for it."""
        record = await self.keys.find(key_id)
        if record is None:
            # As much is written as of a key of others; else the time it takes tells them apart. The id is not
            # written: who mistakes the whole key for its id must not find it in the log.
            await self.audit.record(call.entry(operation, Action.ADMINISTER, EMPTY, Outcome.DENY, reason=_NO_KEY))
            raise NotFound(_NO_KEY)
        scope = record.terms.scope
        decision = call.rules.authoriser.may_administer(call.caller, scope)
        if isinstance(decision, Deny):
            await hide(self.audit, call, operation, Action.ADMINISTER, scope, decision, (key_id,), as_if=_NO_KEY)
        return scope, decision

    async def _record(
        self, call: Call, operation: str, scope: Scope, allow: Allow[None], ids: tuple[str, ...] = ()
    ) -> None:
        await self.audit.record(
            call.entry(operation, Action.ADMINISTER, scope, Outcome.ALLOW, lines=allow.lines, ids=ids)
        )


def _invalid(error: PolicyError) -> Invalid:
    return Invalid([FieldProblem(problem.place, problem.message) for problem in error.problems])


def _administers_somewhere(call: Call) -> bool:
    """Whether a policy line gives the caller's key ``administer`` on some scope, whether or not a key lies there."""
    grants = call.rules.authoriser.policy.grants(call.caller.principal)
    allowed = any(grant.effect == Effect.ALLOW and Action.ADMINISTER in grant.actions for grant in grants)
    return allowed and not call.caller.read_only
