"""Idempotent writes: the same key with the same body gives the first answer again and does nothing twice."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from proxy.database import METADATA, Database, DatabaseError, Moment
from proxy.errors import Conflict

KEPT_FOR = timedelta(hours=24)

_ANSWERS = sa.Table(
    "idempotency",
    METADATA,
    sa.Column("slot", sa.String(64), primary_key=True),
    sa.Column("body_hash", sa.String(64), nullable=False),
    sa.Column("started_at", Moment, nullable=False, index=True),
    sa.Column("status", sa.Integer),
    sa.Column("answer", sa.LargeBinary),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """A stored answer: its status and its JSON body. It names ids, scopes and verdicts, never content."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Attempt:
    """A write under an idempotency key. A repeated attempt has the ``slot`` and ``started_at`` of the first."""

    slot: str
    started_at: datetime
    answer: Answer | None = None
    repeated: bool = False


class IdempotencyBook:
    """The answers of one gateway, kept for 24 hours."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # In memory only: what ran when the gateway died runs no more, and needs nobody to say so.
        self._running: set[str] = set()

    async def begin(self, principal: str, route: str, key: str, body: bytes, now: datetime) -> Attempt:
        """Claim the key for this write, or find the answer that it already got.

        Raises:
            Conflict: the key was used with another body, or the first attempt is still running.
        """
        slot = hashlib.sha256(f"{principal}\n{route}\n{key}".encode()).hexdigest()
        body_hash = hashlib.sha256(body).hexdigest()
        if slot in self._running:
            raise Conflict("a request with this Idempotency-Key is still running")
        self._running.add(slot)
        attempt = None
        try:
            attempt = await self._database.run(lambda connection: _begin(connection, slot, body_hash, now))
        finally:
            if attempt is None or attempt.answer is not None:
                self._running.discard(slot)
        return attempt

    async def finish(self, attempt: Attempt, answer: Answer) -> None:
        """Keep the answer for later attempts.

        Raises:
            DatabaseError: it could not be kept. The key is free: a retry runs again, under the same ids.
        """
        kept = sa.update(_ANSWERS).where(_ANSWERS.c.slot == attempt.slot)
        try:
            await self._database.run(
                lambda connection: connection.execute(kept.values(status=answer.status, answer=answer.body))
            )
        finally:
            self._running.discard(attempt.slot)

    async def abandon(self, attempt: Attempt, *, nothing_done: bool) -> None:
        """Free the key after a failure.

        With ``nothing_done`` another body may follow under the same key. Otherwise, or when an earlier attempt may have
        done something, only the same body may, and finishes under the same ids what was half done.
        """
        forgotten = sa.delete(_ANSWERS).where(_ANSWERS.c.slot == attempt.slot)
        try:
            if nothing_done and not attempt.repeated:
                # Kept where it cannot be deleted: then only the same body may follow, which is always safe.
                with contextlib.suppress(DatabaseError):
                    await self._database.run(lambda connection: connection.execute(forgotten))
        finally:
            self._running.discard(attempt.slot)


def _begin(connection: sa.Connection, slot: str, body_hash: str, now: datetime) -> Attempt:
    connection.execute(sa.delete(_ANSWERS).where(_ANSWERS.c.started_at < now - KEPT_FOR))
    row = connection.execute(sa.select(_ANSWERS).where(_ANSWERS.c.slot == slot)).first()
    if row is None:
        connection.execute(sa.insert(_ANSWERS).values(slot=slot, body_hash=body_hash, started_at=now))
        return Attempt(slot, now)
    if row.body_hash != body_hash:
        raise Conflict("this Idempotency-Key was used with another body")
    if row.status is not None:
        return Attempt(slot, row.started_at, Answer(row.status, row.answer), repeated=True)
    return Attempt(slot, row.started_at, repeated=True)
