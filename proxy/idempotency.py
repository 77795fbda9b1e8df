"""Idempotent writes: the same key with the same body gives the first answer again and does nothing twice."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from proxy.database import METADATA, Database, Moment
from proxy.errors import Conflict

KEPT_FOR = timedelta(hours=24)

_ANSWERS = sa.Table(
    "idempotency",
    METADATA,
    sa.Column("slot", sa.String(64), primary_key=True),
    sa.Column("body_hash", sa.String(64), nullable=False),
    sa.Column("started_at", Moment, nullable=False, index=True),
    sa.Column("run", sa.String(36), nullable=False),
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

    def __init__(self, database: Database, run: str) -> None:
        """``run`` is unique to this start of the gateway: attempts of an earlier run died with it."""
        self._database = database
        self._run = run

    async def begin(self, principal: str, route: str, key: str, body: bytes, now: datetime) -> Attempt:
        """Claim the key for this write, or find the answer that it already got.

        Raises:
            Conflict: the key was used with another body, or the first attempt is still running.
        """
        slot = hashlib.sha256(f"{principal}\n{route}\n{key}".encode()).hexdigest()
        body_hash = hashlib.sha256(body).hexdigest()
        return await self._database.run(lambda connection: self._begin(connection, slot, body_hash, now))

    async def finish(self, attempt: Attempt, answer: Answer) -> None:
        """Keep the answer for later attempts."""
        kept = sa.update(_ANSWERS).where(_ANSWERS.c.slot == attempt.slot)
        await self._database.run(
            lambda connection: connection.execute(kept.values(status=answer.status, answer=answer.body))
        )

    async def abandon(self, attempt: Attempt) -> None:
        """Free the key after a refusal. What may have been half done is finished by a retry under the same ids."""
        freed = sa.update(_ANSWERS).where(_ANSWERS.c.slot == attempt.slot).values(run="")
        await self._database.run(lambda connection: connection.execute(freed))

    def _begin(self, connection: sa.Connection, slot: str, body_hash: str, now: datetime) -> Attempt:
        connection.execute(sa.delete(_ANSWERS).where(_ANSWERS.c.started_at < now - KEPT_FOR))
        row = connection.execute(sa.select(_ANSWERS).where(_ANSWERS.c.slot == slot)).first()
        if row is None:
            entry = {"slot": slot, "body_hash": body_hash, "started_at": now, "run": self._run}
            connection.execute(sa.insert(_ANSWERS).values(**entry))
            return Attempt(slot, now)
        if row.body_hash != body_hash:
            raise Conflict("this Idempotency-Key was used with another body")
        if row.status is not None:
            return Attempt(slot, row.started_at, Answer(row.status, row.answer), repeated=True)
        if row.run == self._run:
            raise Conflict("a request with this Idempotency-Key is still running")
        connection.execute(sa.update(_ANSWERS).where(_ANSWERS.c.slot == slot).values(run=self._run))
        return Attempt(slot, row.started_at, repeated=True)
