"""The only issuer of permits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from proxy.authorise.decision import Action, Allow, Deny, Explanation
from proxy.authorise.policyset import PolicySet
from proxy.authorise.registry import ScopeRegistry
from proxy.principal import Caller
from store.permit import ForgetPermit, ReadPermit, WritePermit
from store.scope import EMPTY, Direction, Scope


@dataclass(frozen=True, slots=True)
class Authoriser:
    """Decides what a caller may do, by one policy set, and proves it with permits.

    A key's floor and its read-only flag are asked before the policy and only ever narrow it.
    """

    policy: PolicySet

    def may_read(
        self, caller: Caller, lens: Scope, direction: Direction, known: ScopeRegistry | Iterable[Scope]
    ) -> Allow[ReadPermit] | Deny:
        """Which of the ``known`` scopes the caller may read through ``lens``.

        A lens in and below which the policy lets it read nothing is denied in the same words whatever exists there.
        The permit may be empty: nothing that exists is readable, but something could be. Hand over a ``ScopeRegistry``
        where the scopes are many: others are laid out anew for each call.
        """
        if denial := self._outside_floor(caller, lens):
            return denial
        if not self.policy.may_look(caller.principal, lens):
            return Deny(f"{caller.principal} may read nothing in {self._spelled(lens)} or below it")
        registry = known if isinstance(known, ScopeRegistry) else ScopeRegistry.of(known)
        readable, lines = self.policy.readable(caller.principal, lens, direction, registry)
        return Allow(self._read_permit(caller, readable), lines or self._allowing(caller, lens))

    def may_read_memory(self, caller: Caller, scope: Scope) -> Allow[ReadPermit] | Deny:
        """Whether the caller may read a stored memory of ``scope``: within its floor, or shared above it."""
        floor = caller.floor
        if floor is not None and not scope.seen_through(floor):
            return self._beyond_floor(floor)
        match self._decided(caller, Action.READ, scope):
            case Deny() as denial:
                return denial
            case Allow(lines=lines):
                return Allow(self._read_permit(caller, {scope}), lines)

    def may_write(self, caller: Caller, scope: Scope) -> Allow[WritePermit] | Deny:
        """Whether the caller may write into ``scope``."""
        match self._changing(caller, Action.WRITE, scope):
            case Deny() as denial:
                return denial
            case Allow(lines=lines):
                return Allow(WritePermit(str(caller.principal), scope, self.policy.version), lines)

    def may_forget(self, caller: Caller, scope: Scope) -> Allow[ForgetPermit] | Deny:
        """Whether the caller may forget memories of ``scope``."""
        match self._changing(caller, Action.FORGET, scope):
            case Deny() as denial:
                return denial
            case Allow(lines=lines):
                return Allow(ForgetPermit(str(caller.principal), scope, self.policy.version), lines)

    def may_publish(self, caller: Caller, source: Scope) -> Allow[ReadPermit] | Deny:
        """Whether the caller may take content out of ``source``: it needs ``read`` and ``publish`` there."""
        lines: set[str] = set()
        for action in (Action.PUBLISH, Action.READ):
            match self._changing(caller, action, source):
                case Deny() as denial:
                    return denial
                case Allow(lines=deciding):
                    lines.update(deciding)
        return Allow(self._read_permit(caller, {source}), _in_file_order(lines))

    def may_review(self, caller: Caller, scope: Scope) -> Allow[None] | Deny:
        """Whether the caller may judge what is held for ``scope``."""
        return self._changing(caller, Action.REVIEW, scope)

    def may_administer(self, caller: Caller, scope: Scope) -> Allow[None] | Deny:
        """Whether the caller may administer ``scope``, by right on it or on the empty scope."""
        there = self._changing(caller, Action.ADMINISTER, scope)
        if isinstance(there, Allow):
            return there
        everywhere = self._changing(caller, Action.ADMINISTER, EMPTY)
        return everywhere if isinstance(everywhere, Allow) else there

    def _allowing(self, caller: Caller, lens: Scope) -> tuple[str, ...]:
        """The line that would allow reading in the lens itself, if one does."""
        ruling = self.policy.decide(caller.principal, Action.READ, lens)
        return (ruling.line,) if ruling.allowed and ruling.line else ()

    def explain(self, caller: Caller, action: Action, scope: Scope) -> Explanation:
        """The policy's answer to the caller about itself, narrowed by what its key allows."""
        explanation = self.policy.explain(caller.principal, action, scope)
        narrowed = self._narrowed(caller, action, scope)
        if narrowed is None or not explanation.allowed:
            return explanation
        return replace(explanation, allowed=False, line=None, reason=narrowed.reason)

    def _changing(self, caller: Caller, action: Action, scope: Scope) -> Allow[None] | Deny:
        """The decision about a request that names ``scope`` and that a read-only key may not make."""
        return self._narrowed(caller, action, scope) or self._decided(caller, action, scope)

    def _narrowed(self, caller: Caller, action: Action, scope: Scope) -> Deny | None:
        """The denial by the key itself, whatever the policy says of its bearer."""
        if caller.read_only and action is not Action.READ:
            return Deny("this key is read-only")
        return self._outside_floor(caller, scope)

    def _decided(self, caller: Caller, action: Action, scope: Scope) -> Allow[None] | Deny:
        ruling = self.policy.decide(caller.principal, action, scope)
        if ruling.allowed and ruling.line:
            return Allow(None, (ruling.line,))
        return Deny(ruling.reason, ruling.line)

    def _outside_floor(self, caller: Caller, scope: Scope) -> Deny | None:
        if caller.floor is None or caller.floor <= scope:
            return None
        return self._beyond_floor(caller.floor)

    def _beyond_floor(self, floor: Scope) -> Deny:
        return Deny(f"this key reaches only scopes that contain {self._spelled(floor)}")

    def _read_permit(self, caller: Caller, scopes: Iterable[Scope]) -> ReadPermit:
        return ReadPermit(str(caller.principal), frozenset(scopes), self.policy.version)

    def _spelled(self, scope: Scope) -> str:
        return scope.path(self.policy.dimension_order)


def _in_file_order(lines: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(lines, key=lambda line: int(line.rpartition(":")[2])))
