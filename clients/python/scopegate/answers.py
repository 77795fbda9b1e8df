"""What the gateway answers, as values. Fields that a newer gateway adds are passed over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Generic, Literal, TypeVar

from scopegate.errors import Problem, ScopegateError, error_of
from scopegate.findings import Finding, read_findings

Item = TypeVar("Item")
Body = Mapping[str, Any]
"""A JSON object, not yet looked at."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a memory comes from, as the gateway stamped it; no client can set it."""

    principal: str
    key_id: str | None
    session_id: str | None
    request_id: str | None
    derived_from: tuple[str, ...]
    verdict: str | None
    policy_version: str | None
    approved_by: str | None

    @classmethod
    def read(cls, body: Body) -> Provenance:
        """The provenance in a JSON object."""
        return cls(
            principal=body["principal"],
            key_id=body.get("key_id"),
            session_id=body.get("session_id"),
            request_id=body.get("request_id"),
            derived_from=tuple(body.get("derived_from") or ()),
            verdict=body.get("verdict"),
            policy_version=body.get("policy_version"),
            approved_by=body.get("approved_by"),
        )


@dataclass(frozen=True, slots=True)
class Memory:
    """One stored memory."""

    id: str
    scope: str
    content: str
    category: str
    metadata: Mapping[str, Any]
    created_at: datetime
    valid_from: datetime | None
    valid_until: datetime | None
    provenance: Provenance

    @classmethod
    def read(cls, body: Body) -> Memory:
        """The memory in a JSON object."""
        return cls(**_memory_fields(body))


@dataclass(frozen=True, slots=True)
class Hit(Memory):
    """A memory that a recall found. Scores compare within one recall only; greater is better."""

    score: float

    @classmethod
    def read(cls, body: Body) -> Hit:
        """The hit in a JSON object."""
        return cls(**_memory_fields(body), score=body["score"])


def _memory_fields(body: Body) -> dict[str, Any]:
    return {
        "id": body["id"],
        "scope": body["scope"],
        "content": body["content"],
        "category": body["category"],
        "metadata": body.get("metadata") or {},
        "created_at": datetime.fromisoformat(body["created_at"]),
        "valid_from": _time(body, "valid_from"),
        "valid_until": _time(body, "valid_until"),
        "provenance": Provenance.read(body["provenance"]),
    }


@dataclass(frozen=True, slots=True)
class Recall:
    """What a recall found, best first. It is false when nothing was found."""

    items: tuple[Hit, ...]
    formatted: str
    """The items as text for a prompt; empty when nothing was found."""

    @classmethod
    def read(cls, body: Body) -> Recall:
        """The hits in a JSON object."""
        return cls(tuple(Hit.read(item) for item in body["items"]), body["formatted"])

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items of a longer list. Pass ``next_cursor`` as ``cursor`` for those after them; None: there are no more."""

    items: tuple[Item, ...]
    next_cursor: str | None

    @classmethod
    def reader(cls, read_item: Callable[[Body], Item]) -> Callable[[Body], Page[Item]]:
        """What reads a page whose items ``read_item`` reads."""
        return lambda body: Page(tuple(read_item(item) for item in body["items"]), body.get("next_cursor"))

    def __iter__(self) -> Iterator[Item]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True, slots=True)
class Stored:
    """It is stored. With the verdict ``redact`` it is stored without what ``findings`` point at."""

    id: str
    """The new memory's id."""
    scope: str
    verdict: str
    findings: tuple[Finding, ...]
    created_at: datetime | None

    held: ClassVar[Literal[False]] = False

    @classmethod
    def read(cls, body: Body) -> Stored:
        """The outcome in a JSON object."""
        return cls(
            id=body["id"],
            scope=body["scope"],
            verdict=body["verdict"],
            findings=read_findings(body.get("findings")),
            created_at=_time(body, "created_at"),
        )


@dataclass(frozen=True, slots=True)
class Held:
    """It waits for a reviewer, out of every agent's reach. There is no memory yet."""

    id: str
    """The hold's id, for ``client.holds``."""
    scope: str
    verdict: str
    findings: tuple[Finding, ...]

    held: ClassVar[Literal[True]] = True

    @classmethod
    def read(cls, body: Body) -> Held:
        """The outcome in a JSON object."""
        return cls(
            id=body["hold_id"],
            scope=body["scope"],
            verdict=body["verdict"],
            findings=read_findings(body.get("findings")),
        )


Outcome = Stored | Held


@dataclass(frozen=True, slots=True)
class Refused:
    """One memory of a batch that was not stored, and the error that storing it alone would have raised."""

    error: ScopegateError

    held: ClassVar[Literal[False]] = False

    @classmethod
    def read(cls, body: Body) -> Refused:
        """The refusal in a JSON object."""
        return cls(error_of(Problem.read(body["problem"])))


def read_outcome(body: Body) -> Outcome:
    """The outcome in a JSON object."""
    return Held.read(body) if body["status"] == "held" else Stored.read(body)


def read_outcomes(body: Body) -> tuple[Outcome, ...]:
    """The outcomes of a publish."""
    return tuple(read_outcome(result) for result in body["results"])


def read_batch(body: Body) -> tuple[Outcome | Refused, ...]:
    """The outcomes of a batch."""
    results = body["results"]
    return tuple(Refused.read(result) if result["status"] == "refused" else read_outcome(result) for result in results)


@dataclass(frozen=True, slots=True)
class Grant:
    """One policy line about the caller, as whoami tells it."""

    scope: str
    actions: tuple[str, ...]
    effect: str
    line: str | None

    @classmethod
    def read(cls, body: Body) -> Grant:
        """The grant in a JSON object."""
        return cls(body["scope"], _names(body["actions"]), body["effect"], body.get("line"))


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a key speaks for, and what it may do where."""

    principal: str
    key_id: str
    floor: str | None
    read_only: bool
    roles: tuple[str, ...]
    grants: tuple[Grant, ...]
    policy_version: str | None

    @classmethod
    def read(cls, body: Body) -> Identity:
        """The identity in a JSON object."""
        return cls(
            principal=body["principal"],
            key_id=body["key_id"],
            floor=body.get("floor"),
            read_only=bool(body.get("read_only")),
            roles=_names(body.get("roles")),
            grants=tuple(Grant.read(grant) for grant in body.get("grants") or ()),
            policy_version=body.get("policy_version"),
        )


@dataclass(frozen=True, slots=True)
class Considered:
    """One policy line that a decision looked at, and why it counted or did not."""

    line: str
    scope: str
    actions: tuple[str, ...]
    effect: str
    matches: bool
    because: str

    @classmethod
    def read(cls, body: Body) -> Considered:
        """The line in a JSON object."""
        return cls(
            line=body["line"],
            scope=body["scope"],
            actions=_names(body["actions"]),
            effect=body["effect"],
            matches=body["matches"],
            because=body["because"],
        )


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a principal may do an action in a scope, and which policy line says so. It is true when allowed."""

    allowed: bool
    principal: str
    action: str
    scope: str
    line: str | None
    reason: str
    considered: tuple[Considered, ...]
    policy_version: str | None

    @classmethod
    def read(cls, body: Body) -> Decision:
        """The decision in a JSON object."""
        return cls(
            # Anything but the JSON value true counts as a denial.
            allowed=body["allowed"] is True,
            principal=body["principal"],
            action=body["action"],
            scope=body["scope"],
            line=body.get("line"),
            reason=body["reason"],
            considered=tuple(Considered.read(line) for line in body.get("considered") or ()),
            policy_version=body.get("policy_version"),
        )

    def __bool__(self) -> bool:
        return self.allowed


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A session as the gateway keeps it."""

    id: str
    scope: str
    metadata: Mapping[str, Any]
    created_at: datetime | None
    expires_at: datetime | None

    @classmethod
    def read(cls, body: Body) -> OpenedSession:
        """The session in a JSON object."""
        return cls(
            id=body["id"],
            scope=body["scope"],
            metadata=body.get("metadata") or {},
            created_at=_time(body, "created_at"),
            expires_at=_time(body, "expires_at"),
        )


@dataclass(frozen=True, slots=True)
class Hold:
    """Something that waits for a reviewer, or was decided. Only reviewers see ``content`` and ``metadata``."""

    id: str
    state: str
    scope: str
    operation: str
    submitter: str
    created_at: datetime
    findings: tuple[Finding, ...]
    decided_by: str | None
    decided_at: datetime | None
    reason: str | None
    memory_id: str | None
    content: str | None
    metadata: Mapping[str, Any] | None

    @classmethod
    def read(cls, body: Body) -> Hold:
        """The hold in a JSON object."""
        return cls(
            id=body["id"],
            state=body["state"],
            scope=body["scope"],
            operation=body["operation"],
            submitter=body["submitter"],
            created_at=datetime.fromisoformat(body["created_at"]),
            findings=read_findings(body.get("findings")),
            decided_by=body.get("decided_by"),
            decided_at=_time(body, "decided_at"),
            reason=body.get("reason"),
            memory_id=body.get("memory_id"),
            content=body.get("content"),
            metadata=body.get("metadata"),
        )


@dataclass(frozen=True, slots=True)
class Key:
    """A key as the gateway keeps it: everything but the key's text."""

    id: str
    principal: str
    floor: str | None
    read_only: bool
    note: str | None
    created_at: datetime | None
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None

    @classmethod
    def read(cls, body: Body) -> Key:
        """The key in a JSON object."""
        return cls(**_key_fields(body))


@dataclass(frozen=True, slots=True)
class NewKey(Key):
    """A key that was just made. ``key`` is its text: it is shown this once, and no repr shows it."""

    key: str = field(repr=False)

    @classmethod
    def read(cls, body: Body) -> NewKey:
        """The key in a JSON object."""
        return cls(**_key_fields(body), key=body["key"])


def _key_fields(body: Body) -> dict[str, Any]:
    return {
        "id": body["id"],
        "principal": body["principal"],
        "floor": body.get("floor"),
        "read_only": bool(body.get("read_only")),
        "note": body.get("note"),
        "created_at": _time(body, "created_at"),
        "expires_at": _time(body, "expires_at"),
        "last_used_at": _time(body, "last_used_at"),
        "revoked_at": _time(body, "revoked_at"),
    }


def read_keys(body: Body) -> tuple[Key, ...]:
    """The keys in a listing."""
    return tuple(Key.read(item) for item in body["items"])


def read_nothing(_body: object) -> None:
    """Nothing: the answer is that it was done."""


def _time(body: Body, name: str) -> datetime | None:
    text = body.get(name)
    return datetime.fromisoformat(text) if text else None


def _names(listed: str | list[str] | None) -> tuple[str, ...]:
    # One line's actions may come as the policy file spells them: read|write.
    return tuple(listed.split("|") if isinstance(listed, str) else listed or ())
