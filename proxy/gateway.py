"""The gateway: authorise, inspect, record, forward; the one-way path, once. Every face of Scopegate holds one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NoReturn

from proxy.audit.entry import Outcome
from proxy.audit.log import AuditLog
from proxy.authorise.decision import Action, Allow, Deny, Explanation
from proxy.authorise.registry import KnownScopes
from proxy.call import Call, hide, refuse
from proxy.entrance import Entrance, Entrant, Judgement, Result, forwarding
from proxy.errors import Conflict, FieldProblem, Forbidden, GatewayError, Invalid, NotFound
from proxy.inspection.draft import Draft
from proxy.inspection.verdict import Blocked
from proxy.limits import draft_problems, metadata_problems
from proxy.principal import Principal
from proxy.sessions import Session, SessionBook
from store.memory import JSON, Category, Hit, Memory, Selection
from store.permit import ReadPermit, WritePermit
from store.protocol import MemoryStore
from store.scope import EMPTY, Direction, Scope

_NO_MEMORY = "no such memory, or none that you may read"
_NO_SESSION = "no such session, or not one of yours"


@dataclass(frozen=True, slots=True)
class Where:
    """Which scope a request means: one that it names, or that of a session."""

    scope: Scope | None = None
    session_id: str | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """What a caller wants to be remembered."""

    where: Where
    draft: Draft
    category: Category = Category.EPISODIC
    valid_from: datetime | None = None


@dataclass(frozen=True, slots=True)
class Publication:
    """What a caller wants to copy into another scope: memories, or ``content`` once as derived from them."""

    memory_ids: tuple[str, ...]
    to: Scope
    content: str | None = None
    metadata: Mapping[str, JSON] | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """Through which scope, in which direction and at which memories a caller wants to look."""

    where: Where
    selection: Selection
    direction: Direction = Direction.BOTH


@dataclass(frozen=True, slots=True)
class Gateway:
    """Everything an agent can ask for. Each method decides, records, and only then acts."""

    store: MemoryStore
    entrance: Entrance
    audit: AuditLog
    sessions: SessionBook
    known: KnownScopes = field(default_factory=KnownScopes)

    async def remember(self, call: Call, submission: Submission) -> Result:
        """Store one memory.

        Raises:
            Forbidden, BlockedByPublishGate, GateUnavailable, StoreUnavailable: nothing was stored.
        """
        _refuse_invalid(draft_problems(submission.draft, call.rules.config.limits))
        entrant = await self._entrant(call, submission)
        judgements = await self.entrance.judge(call, [entrant])
        [result] = await self.entrance.admit(call, "remember", [(entrant, judgements[0])])
        return result

    async def remember_many(self, call: Call, submissions: Sequence[Submission]) -> list[Result | GatewayError]:
        """Store many memories: for each, in order, what became of it. One refused does not keep out the others.

        Raises:
            Invalid: a submission is not well formed. Nothing was stored.
            GateUnavailable: not all could be inspected. Nothing was stored.
        """
        limits = call.rules.config.limits
        problems = [draft_problems(item.draft, limits, f"memories[{n}].") for n, item in enumerate(submissions)]
        _refuse_invalid([problem for found in problems for problem in found])
        outcomes: dict[int, Result | GatewayError] = {}
        entrants: dict[int, Entrant] = {}
        for position, submission in enumerate(submissions):
            try:
                entrants[position] = await self._entrant(call, submission)
            except (Forbidden, NotFound, Conflict) as refusal:
                outcomes[position] = refusal
        judgements = await self.entrance.judge(call, list(entrants.values()))
        judged = {
            position: (entrant, judgement)
            for (position, entrant), judgement in zip(entrants.items(), judgements, strict=True)
        }
        for group in _by_scope(judged):
            outcomes |= await self._admit_group(call, group)
        return [outcomes[position] for position in range(len(submissions))]

    async def publish(self, call: Call, publication: Publication) -> list[Result]:
        """Copy memories into another scope: all or nothing.

        Raises:
            NotFound: one of the memories does not exist or may not be read.
            Forbidden, BlockedByPublishGate, GateUnavailable, StoreUnavailable: nothing was stored.
        """
        sources = await self._sources(call, publication)
        write = await self._writable(call, "publish", publication.to)
        entrants = _copies(call, publication, sources, write)
        limits = call.rules.config.limits
        _refuse_invalid([problem for entrant in entrants for problem in draft_problems(entrant.draft, limits)])
        judgements = await self.entrance.judge(call, entrants)
        return await self.entrance.admit(call, "publish", list(zip(entrants, judgements, strict=True)))

    async def recall(self, call: Call, look: Look, query: str, top_k: int) -> list[Hit]:
        """The memories nearest to ``query`` among those that the caller may read through the scope.

        Raises:
            Forbidden: the caller may read nothing on the scope or below it.
        """
        permit = await self._look(call, "recall", look)
        with forwarding():
            hits = await self.store.recall(permit, query, look.selection, top_k)
        shown = await self._shown(call, [hit.memory for hit in hits])
        return [replace(hit, memory=memory) for hit, memory in zip(hits, shown, strict=True)]

    async def list(self, call: Call, look: Look, limit: int, before: str | None) -> Sequence[Memory]:
        """Memories that the caller may read through the scope, newest first, with ids less than ``before``.

        Raises:
            Forbidden: the caller may read nothing on the scope or below it.
        """
        permit = await self._look(call, "list", look)
        with forwarding():
            memories = await self.store.list(permit, look.selection, limit, before)
        return await self._shown(call, memories)

    async def get(self, call: Call, memory_id: str) -> Memory:
        """One memory.

        Raises:
            NotFound: it does not exist, or the caller may not read it.
        """
        [memory] = await self._shown(call, await self._read(call, "get", [memory_id]))
        return memory

    async def forget(self, call: Call, memory_id: str) -> None:
        """Remove one memory from every later answer.

        Raises:
            NotFound: it does not exist, or the caller may not read it.
            Forbidden: the caller may read it but not forget it.
        """
        [memory] = await self._read(call, "forget", [memory_id])
        decision = call.rules.authoriser.may_forget(call.caller, memory.scope)
        if isinstance(decision, Deny):
            await refuse(self.audit, call, "forget", Action.FORGET, memory.scope, decision, (memory_id,))
        await self._record(call, "forget", Action.FORGET, memory.scope, decision.lines, (memory_id,))
        with forwarding():
            forgotten = await self.store.forget(decision.permit, [memory_id])
        if not forgotten:
            await self._refuse_unknown(call, "forget", Action.FORGET, _NO_MEMORY, (memory_id,))

    async def check(self, call: Call, action: Action, scope: Scope, principal: Principal | None) -> Explanation:
        """Whether the caller, or another principal, may do ``action`` in ``scope``, and why.

        Raises:
            Forbidden: asking about another principal needs ``administer`` on the scope or on ``/``.
        """
        authoriser = call.rules.authoriser
        if principal is not None and principal != call.caller.principal:
            allow = authoriser.may_administer(call.caller, scope)
            if isinstance(allow, Deny):
                await refuse(self.audit, call, "check", Action.ADMINISTER, scope, allow)
            await self._record(call, "check", Action.ADMINISTER, scope, allow.lines, (str(principal),))
            return authoriser.policy.explain(principal, action, scope)
        explanation = authoriser.explain(call.caller, action, scope)
        outcome = Outcome.ALLOW if explanation.allowed else Outcome.DENY
        lines = (explanation.line,) if explanation.line else ()
        await self.audit.record(call.entry("check", action, scope, outcome, lines=lines, reason=explanation.reason))
        return explanation

    async def open_session(self, call: Call, scope: Scope, metadata: Mapping[str, JSON], ends_at: datetime) -> Session:
        """Open a session on a scope that the caller may look through or write into.

        Raises:
            Forbidden: it may do neither.
        """
        _refuse_invalid(metadata_problems(metadata, call.rules.config.limits))
        authoriser = call.rules.authoriser
        read = authoriser.may_read(call.caller, scope, Direction.BOTH, ())
        write = authoriser.may_write(call.caller, scope)
        if isinstance(read, Deny) and isinstance(write, Deny):
            await refuse(self.audit, call, "open_session", Action.READ, scope, read)
        session = Session(
            id=call.ids.next(),
            principal=str(call.caller.principal),
            scope=scope,
            metadata=metadata,
            created_at=call.now,
            expires_at=ends_at,
        )
        action = Action.WRITE if isinstance(read, Deny) else Action.READ
        lines = tuple(line for allow in (read, write) if isinstance(allow, Allow) for line in allow.lines)
        await self._record(call, "open_session", action, scope, tuple(dict.fromkeys(lines)), (session.id,))
        return await self.sessions.open(session)

    async def close_session(self, call: Call, session_id: str) -> None:
        """End a session for every later call.

        Raises:
            NotFound: there is no such open session of the caller's.
        """
        session = await self.sessions.find(session_id, str(call.caller.principal))
        if session is None or session.closed_at is not None:
            await self._refuse_unknown(call, "close_session", Action.READ, _NO_SESSION, (session_id,))
        await self._record(call, "close_session", Action.READ, session.scope, (), (session_id,))
        await self.sessions.close(session_id, call.now)

    async def _entrant(self, call: Call, submission: Submission) -> Entrant:
        # Before anything can be refused: in a repeated batch, each submission must get the id that it had at first.
        memory_id = call.ids.next()
        scope = await self._resolve(call, "remember", Action.WRITE, submission.where)
        return Entrant(
            id=memory_id,
            write=await self._writable(call, "remember", scope),
            draft=submission.draft,
            category=submission.category,
            valid_from=submission.valid_from or call.now,
            session_id=submission.where.session_id,
        )

    async def _admit_group(
        self, call: Call, group: Mapping[int, tuple[Entrant, Judgement]]
    ) -> dict[int, Result | GatewayError]:
        """What became of each of a group that shares one scope; those that are blocked are refused one by one."""
        outcomes: dict[int, Result | GatewayError] = {}
        for position, judged in group.items():
            if isinstance(judged[1], Blocked):
                try:
                    await self.entrance.admit(call, "remember", [judged])
                except GatewayError as refusal:
                    outcomes[position] = refusal
        admitted = {position: judged for position, judged in group.items() if position not in outcomes}
        try:
            results: Sequence[Result | GatewayError] = await self.entrance.admit(
                call, "remember", list(admitted.values())
            )
        except GatewayError as refusal:
            results = [refusal] * len(admitted)
        return outcomes | dict(zip(admitted, results, strict=True))

    async def _resolve(self, call: Call, operation: str, action: Action, where: Where) -> Scope:
        """The scope that is meant.

        Raises:
            Invalid: neither or both of scope and session are given.
            NotFound: there is no such session of the caller's.
            Conflict: the session has ended.
        """
        if (where.scope is None) == (where.session_id is None):
            raise Invalid.field("scope", "give either scope or session_id")
        if where.scope is not None:
            return where.scope
        session_id = where.session_id or ""
        session = await self.sessions.find(session_id, str(call.caller.principal))
        if session is None:
            await self._refuse_unknown(call, operation, action, _NO_SESSION, (session_id,))
        if session.closed_at is not None:
            raise Conflict("this session was closed; open another")
        if session.expires_at <= call.now:
            raise Conflict("this session has expired; open another")
        return session.scope

    async def _writable(self, call: Call, operation: str, scope: Scope) -> Allow[WritePermit]:
        decision = call.rules.authoriser.may_write(call.caller, scope)
        if isinstance(decision, Deny):
            await refuse(self.audit, call, operation, Action.WRITE, scope, decision)
        return decision

    async def _look(self, call: Call, operation: str, look: Look) -> ReadPermit:
        """The permit for a read through a scope, recorded."""
        lens = await self._resolve(call, operation, Action.READ, look.where)
        with forwarding():
            known = await self.known.snapshot(await self.store.scopes())
        decision = call.rules.authoriser.may_read(call.caller, lens, look.direction, known)
        if isinstance(decision, Deny):
            await refuse(self.audit, call, operation, Action.READ, lens, decision)
        await self._record(call, operation, Action.READ, lens, decision.lines)
        return decision.permit

    async def _read(self, call: Call, operation: str, ids: Sequence[str]) -> Sequence[Memory]:
        """Memories by id, each decision recorded.

        Raises:
            NotFound: one does not exist or may not be read; the answer is the same for both.
        """
        with forwarding():
            places = await self.store.locate(ids)
        permits: dict[Scope, ReadPermit] = {}
        for scope in {places[memory_id]: None for memory_id in ids if memory_id in places}:
            decision = call.rules.authoriser.may_read_memory(call.caller, scope)
            concerned = tuple(memory_id for memory_id in ids if places.get(memory_id) == scope)
            if isinstance(decision, Deny):
                await hide(self.audit, call, operation, Action.READ, scope, decision, concerned, as_if=_NO_MEMORY)
            await self._record(call, operation, Action.READ, scope, decision.lines, concerned)
            permits[scope] = decision.permit
        found: dict[str, Memory] = {}
        with forwarding():
            for permit in permits.values():
                found |= {memory.id: memory for memory in await self.store.get(permit, ids)}
        missing = tuple(memory_id for memory_id in ids if memory_id not in found)
        if missing:
            await self._refuse_unknown(call, operation, Action.READ, _NO_MEMORY, missing)
        return [found[memory_id] for memory_id in ids]

    async def _sources(self, call: Call, publication: Publication) -> Sequence[Memory]:
        """The memories to publish, all of which may be read and taken out of their scopes."""
        sources = await self._read(call, "publish", publication.memory_ids)
        for scope in {memory.scope: None for memory in sources}:
            ids = tuple(memory.id for memory in sources if memory.scope == scope)
            if scope == publication.to:
                raise Invalid.field("to", f"memory {ids[0]} is in that scope already")
            decision = call.rules.authoriser.may_publish(call.caller, scope)
            if isinstance(decision, Deny):
                await refuse(self.audit, call, "publish", Action.PUBLISH, scope, decision, ids)
            await self._record(call, "publish", Action.PUBLISH, scope, decision.lines, ids)
        return sources

    async def _shown(self, call: Call, memories: Sequence[Memory]) -> Sequence[Memory]:
        """``memories`` as the caller may see them: naming only those sources that it may read as well."""
        sources = {source for memory in memories for source in memory.provenance.derived_from}
        if not sources:
            return list(memories)
        with forwarding():
            places = await self.store.locate(list(sources))
        authoriser = call.rules.authoriser
        visible = {
            source
            for source, scope in places.items()
            if isinstance(authoriser.may_read_memory(call.caller, scope), Allow)
        }
        return [_naming_only(visible, memory) for memory in memories]

    async def _refuse_unknown(
        self, call: Call, operation: str, action: Action, message: str, ids: tuple[str, ...]
    ) -> NoReturn:
        """Record that something was asked for which, to the caller, does not exist.

        As much is written of an id that nobody has as of one that the caller may not know: otherwise the time that the
        answer takes, or a log that cannot be written, would tell the two apart.
        """
        await self.audit.record(call.entry(operation, action, EMPTY, Outcome.DENY, reason=message, ids=ids))
        raise NotFound(message)

    async def _record(
        self,
        call: Call,
        operation: str,
        action: Action,
        scope: Scope,
        lines: tuple[str, ...],
        ids: tuple[str, ...] = (),
    ) -> None:
        await self.audit.record(call.entry(operation, action, scope, Outcome.ALLOW, lines=lines, ids=ids))


def _refuse_invalid(problems: Sequence[FieldProblem]) -> None:
    if problems:
        raise Invalid(problems)


def _by_scope(judged: Mapping[int, tuple[Entrant, Judgement]]) -> list[dict[int, tuple[Entrant, Judgement]]]:
    groups: dict[Scope, dict[int, tuple[Entrant, Judgement]]] = {}
    for position, (entrant, judgement) in judged.items():
        groups.setdefault(entrant.scope, {})[position] = (entrant, judgement)
    return list(groups.values())


def _copies(
    call: Call, publication: Publication, sources: Sequence[Memory], write: Allow[WritePermit]
) -> list[Entrant]:
    def entrant(source: Memory, content: str, derived_from: tuple[str, ...]) -> Entrant:
        metadata = source.metadata if publication.metadata is None else publication.metadata
        return Entrant(
            id=call.ids.next(),
            write=write,
            draft=Draft(content, metadata),
            category=source.category,
            valid_from=source.valid_from,
            derived_from=derived_from,
        )

    if publication.content is not None:
        return [entrant(sources[0], publication.content, publication.memory_ids)]
    return [entrant(source, source.content, (source.id,)) for source in sources]


def _naming_only(visible: set[str], memory: Memory) -> Memory:
    kept = tuple(source for source in memory.provenance.derived_from if source in visible)
    return replace(memory, provenance=replace(memory.provenance, derived_from=kept))
