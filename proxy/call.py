"""One authenticated request on its way through the gateway."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

from proxy.audit.entry import Entry, Outcome
from proxy.audit.log import AuditLog
from proxy.authorise.decision import Action, Deny
from proxy.errors import Forbidden, NotFound
from proxy.identity import Ids
from proxy.policy import PoliciesInForce
from proxy.principal import Caller
from store.scope import Scope


@dataclass(frozen=True, slots=True)
class Call:
    """Who calls, under which request id, at which time, and by which policies it is judged throughout.

    ``repeated`` says that an earlier attempt at the same write may have stored something under the same ``ids``.
    """

    caller: Caller
    request_id: str
    now: datetime
    rules: PoliciesInForce
    ids: Ids
    repeated: bool = False

    def entry(  # noqa: PLR0913 - an audit entry has as many fields as there are things to know
        self,
        operation: str,
        action: Action,
        scope: Scope,
        outcome: Outcome,
        *,
        lines: tuple[str, ...] = (),
        reason: str | None = None,
        verdict: str | None = None,
        entities: tuple[str, ...] = (),
        ids: tuple[str, ...] = (),
    ) -> Entry:
        """An audit entry about this call."""
        return Entry(
            at=self.now,
            request_id=self.request_id,
            principal=str(self.caller.principal),
            key_id=self.caller.key_id,
            operation=operation,
            action=action,
            scope=self.rules.config.path(scope),
            outcome=outcome,
            policy_version=self.rules.version,
            lines=lines,
            reason=reason,
            verdict=verdict,
            entities=entities,
            ids=ids,
        )


async def refuse(
    audit: AuditLog, call: Call, operation: str, action: Action, scope: Scope, deny: Deny, ids: tuple[str, ...] = ()
) -> NoReturn:
    """Record a denial, then refuse.

    Raises:
        Forbidden: with the reason, and the policy line where one decided.
    """
    await _record_denial(audit, call, operation, action, scope, deny, ids)
    raise Forbidden(deny.reason, extras={"line": deny.line} if deny.line else {})


async def hide(  # noqa: PLR0913 - what is recorded of a denial, and what is said of it
    audit: AuditLog,
    call: Call,
    operation: str,
    action: Action,
    scope: Scope,
    deny: Deny,
    ids: tuple[str, ...],
    *,
    as_if: str,
) -> NoReturn:
    """Record a denial, then answer as if there were no such thing: what may not be seen does not exist.

    Raises:
        NotFound: with ``as_if``, which is also the answer for what really does not exist.
    """
    await _record_denial(audit, call, operation, action, scope, deny, ids)
    raise NotFound(as_if)


async def _record_denial(
    audit: AuditLog, call: Call, operation: str, action: Action, scope: Scope, deny: Deny, ids: tuple[str, ...]
) -> None:
    lines = (deny.line,) if deny.line else ()
    await audit.record(call.entry(operation, action, scope, Outcome.DENY, lines=lines, reason=deny.reason, ids=ids))
