"""The hold queue: what the publish gate keeps outside every agent's reach until a person decides."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa

from proxy.database import METADATA, Database, Moment
from store.memory import JSON, Category, Memory, Provenance
from store.scope import Scope

_HOLDS = sa.Table(
    "holds",
    METADATA,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("state", sa.String(10), nullable=False, index=True),
    sa.Column("scope", sa.Text, nullable=False),
    sa.Column("operation", sa.String(40), nullable=False),
    sa.Column("submitter", sa.String(162), nullable=False, index=True),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("findings", sa.Text, nullable=False),
    # The memory as it was submitted; emptied once it is decided, so that a rejected text is kept nowhere.
    sa.Column("memory", sa.Text),
    sa.Column("decided_by", sa.String(162)),
    sa.Column("decided_at", Moment),
    sa.Column("reason", sa.Text),
    sa.Column("memory_id", sa.String(36), nullable=False),
)


class HoldState(StrEnum):
    """Where a hold stands. ``deciding`` lasts for the moment in which an approval is carried out."""

    PENDING = "pending"
    DECIDING = "deciding"
    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Hold:
    """One submission that waits, or waited, for a reviewer. ``memory`` is gone once it is decided."""

    id: str
    state: HoldState
    scope: Scope
    operation: str
    submitter: str
    created_at: datetime
    findings: tuple[Mapping[str, JSON], ...]
    memory_id: str
    memory: Memory | None
    decided_by: str | None = None
    decided_at: datetime | None = None
    reason: str | None = None


class HoldQueue:
    """All holds of one gateway."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, holds: Sequence[Hold]) -> None:
        """Queue ``holds``, all or none. One whose id is already there is left as it is."""
        await self._database.run(lambda connection: _add(connection, holds))

    async def withdraw(self, ids: Sequence[str]) -> None:
        """Take back pending holds whose request failed as a whole."""
        gone = sa.delete(_HOLDS).where(_HOLDS.c.id.in_(ids), _HOLDS.c.state == HoldState.PENDING)
        await self._database.run(lambda connection: connection.execute(gone))

    async def find(self, hold_id: str) -> Hold | None:
        """One hold."""
        found = sa.select(_HOLDS).where(_HOLDS.c.id == hold_id)
        row = await self._database.run(lambda connection: connection.execute(found).first())
        return _hold(row) if row else None

    async def page(self, state: HoldState, after: str | None, limit: int) -> list[Hold]:
        """Up to ``limit`` holds in ``state``, oldest (least id) first, with ids greater than ``after``."""
        statement = sa.select(_HOLDS).where(_HOLDS.c.state == state).order_by(_HOLDS.c.id).limit(limit)
        if after is not None:
            statement = statement.where(_HOLDS.c.id > after)
        rows = await self._database.run(lambda connection: connection.execute(statement).all())
        return [_hold(row) for row in rows]

    async def claim(self, hold_id: str) -> bool:
        """Take a pending hold for an approval; whether it was still pending."""
        return await self._move(hold_id, HoldState.PENDING, state=HoldState.DECIDING)

    async def release(self, hold_id: str) -> None:
        """Put a claimed hold back, since its approval could not be carried out."""
        await self._move(hold_id, HoldState.DECIDING, state=HoldState.PENDING)

    async def approved(self, hold_id: str, *, by: str, now: datetime) -> None:
        """Close a claimed hold: its memory is stored."""
        await self._move(hold_id, HoldState.DECIDING, state=HoldState.APPROVED, **_decided(by, now, None))

    async def reject(self, hold_id: str, *, by: str, now: datetime, reason: str | None) -> bool:
        """Close a pending hold and drop its memory; whether it was still pending."""
        return await self._move(hold_id, HoldState.PENDING, state=HoldState.REJECTED, **_decided(by, now, reason))

    async def recover(self) -> None:
        """Put back what was claimed when the gateway died. Approving again stores nothing twice."""
        back = sa.update(_HOLDS).where(_HOLDS.c.state == HoldState.DECIDING).values(state=HoldState.PENDING)
        await self._database.run(lambda connection: connection.execute(back))

    async def _move(self, hold_id: str, before: HoldState, **values: object) -> bool:
        moved = sa.update(_HOLDS).where(_HOLDS.c.id == hold_id, _HOLDS.c.state == before).values(**values)
        return await self._database.run(lambda connection: connection.execute(moved).rowcount == 1)


def _decided(by: str, now: datetime, reason: str | None) -> dict[str, object]:
    return {"decided_by": by, "decided_at": now, "reason": reason, "memory": None}


def _add(connection: sa.Connection, holds: Sequence[Hold]) -> None:
    known = connection.scalars(sa.select(_HOLDS.c.id).where(_HOLDS.c.id.in_([hold.id for hold in holds]))).all()
    rows = [_row(hold) for hold in holds if hold.id not in known]
    if rows:
        connection.execute(sa.insert(_HOLDS), rows)


def _row(hold: Hold) -> dict[str, object]:
    return {
        "id": hold.id,
        "state": hold.state,
        "scope": hold.scope.path(),
        "operation": hold.operation,
        "submitter": hold.submitter,
        "created_at": hold.created_at,
        "findings": json.dumps(hold.findings),
        "memory": None if hold.memory is None else _memory_text(hold.memory),
        "memory_id": hold.memory_id,
    }


def _hold(row: sa.Row[tuple[object, ...]]) -> Hold:
    scope = Scope.parse(row.scope)
    return Hold(
        id=row.id,
        state=HoldState(row.state),
        scope=scope,
        operation=row.operation,
        submitter=row.submitter,
        created_at=row.created_at,
        findings=tuple(json.loads(row.findings)),
        memory_id=row.memory_id,
        memory=None if row.memory is None else _memory(row.memory, row.memory_id, scope),
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        reason=row.reason,
    )


def _memory_text(memory: Memory) -> str:
    provenance = memory.provenance
    return json.dumps(
        {
            "content": memory.content,
            "category": memory.category,
            "metadata": dict(memory.metadata),
            "created_at": memory.created_at.isoformat(),
            "valid_from": memory.valid_from.isoformat(),
            "provenance": {name: getattr(provenance, name) for name in Provenance.__dataclass_fields__},
        }
    )


def _memory(text: str, memory_id: str, scope: Scope) -> Memory:
    kept = json.loads(text)
    provenance = kept["provenance"]
    return Memory(
        id=memory_id,
        scope=scope,
        content=kept["content"],
        category=Category(kept["category"]),
        created_at=datetime.fromisoformat(kept["created_at"]),
        valid_from=datetime.fromisoformat(kept["valid_from"]),
        provenance=Provenance(**provenance | {"derived_from": tuple(provenance["derived_from"])}),
        metadata=kept["metadata"],
    )
