"""Sessions: a scope that an agent keeps, named by an id."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from proxy.database import METADATA, Database, Moment
from store.memory import JSON
from store.scope import Scope

_SESSIONS = sa.Table(
    "sessions",
    METADATA,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("principal", sa.String(162), nullable=False),
    sa.Column("scope", sa.Text, nullable=False),
    sa.Column("metadata", sa.Text, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("expires_at", Moment, nullable=False),
    sa.Column("closed_at", Moment),
)


@dataclass(frozen=True, slots=True)
class Session:
    """A scope that one principal works in for a while."""

    id: str
    principal: str
    scope: Scope
    metadata: Mapping[str, JSON]
    created_at: datetime
    expires_at: datetime
    closed_at: datetime | None = None


class SessionBook:
    """All sessions of one gateway."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, session: Session) -> Session:
        """Enter a new session. One with its id, from an earlier attempt, is left as it is and returned instead."""
        return await self._database.run(lambda connection: _open(connection, session))

    async def find(self, session_id: str, principal: str) -> Session | None:
        """The session, if ``principal`` opened it; open, closed or expired."""
        found = sa.select(_SESSIONS).where(_SESSIONS.c.id == session_id, _SESSIONS.c.principal == principal)
        row = await self._database.run(lambda connection: connection.execute(found).first())
        return _session(row) if row else None

    async def close(self, session_id: str, now: datetime) -> None:
        """End a session for every later call."""
        ended = sa.update(_SESSIONS).where(_SESSIONS.c.id == session_id).values(closed_at=now)
        await self._database.run(lambda connection: connection.execute(ended))


def _open(connection: sa.Connection, session: Session) -> Session:
    earlier = connection.execute(sa.select(_SESSIONS).where(_SESSIONS.c.id == session.id)).first()
    if earlier is not None:
        return _session(earlier)
    connection.execute(
        sa.insert(_SESSIONS).values(
            id=session.id,
            principal=session.principal,
            scope=session.scope.path(),
            metadata=json.dumps(dict(session.metadata)),
            created_at=session.created_at,
            expires_at=session.expires_at,
        )
    )
    return session


def _session(row: sa.Row[tuple[object, ...]]) -> Session:
    return Session(
        id=row.id,
        principal=row.principal,
        scope=Scope.parse(row.scope),
        metadata=json.loads(row.metadata),
        created_at=row.created_at,
        expires_at=row.expires_at,
        closed_at=row.closed_at,
    )
