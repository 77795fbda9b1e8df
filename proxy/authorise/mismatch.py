"""Why a policy line does not bear on a question."""

from __future__ import annotations

from collections.abc import Sequence

from proxy.authorise.decision import Action
from proxy.authorise.rules import PolicyLine
from proxy.pattern import ANY
from proxy.principal import Principal
from store.scope import Scope


def mismatch(line: PolicyLine, principal: Principal, action: Action, scope: Scope) -> str | None:
    """What keeps the line from matching, or ``None`` if it does. Asks the line and the scope's spelling, no data."""
    reasons = list(_scope_reasons(line, principal, scope))
    if action not in line.actions:
        reasons.append(f"{action} is not among its actions")
    return "; ".join(reasons) or None


def _scope_reasons(line: PolicyLine, principal: Principal, scope: Scope) -> Sequence[str]:
    pattern = line.pattern
    wanted = {term.dimension: term.value for term in pattern.literals}
    wanted |= dict.fromkeys(pattern.selves, principal.name)
    asked = scope.as_dict()
    reasons = [
        f"it is about {dimension}/{value}, not {dimension}/{asked[dimension]}"
        for dimension, value in sorted(wanted.items())
        if asked.get(dimension, value) != value
    ]
    lacking = sorted(pattern.dimensions - asked.keys())
    if lacking:
        named = (f"{dimension}/{wanted.get(dimension, ANY)}" for dimension in lacking)
        reasons.append(f"it is about scopes with {' and '.join(named)}")
    beyond = sorted(asked.keys() - pattern.dimensions)
    if beyond and not pattern.open:
        reasons.append(f"it is not about scopes with {' and '.join(beyond)}")
    return reasons
