"""The key ring: issue, find, list, rotate and revoke keys. Only hashes are stored."""

from __future__ import annotations

import contextlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from proxy.authenticate.key import Key
from proxy.database import METADATA, Database, DatabaseError, Moment
from proxy.errors import Unauthenticated
from proxy.principal import Caller, Principal
from store.scope import EMPTY, Scope

_KEYS = sa.Table(
    "keys",
    METADATA,
    sa.Column("id", sa.String(12), primary_key=True),
    sa.Column("secret_hash", sa.String(64), nullable=False),
    sa.Column("principal", sa.String(162), nullable=False),
    sa.Column("floor", sa.Text),
    sa.Column("read_only", sa.Boolean, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("expires_at", Moment),
    sa.Column("revoked_at", Moment),
    sa.Column("last_used_at", Moment),
    sa.Column("replaces", sa.String(12)),
)
_NO_HASH = "0" * 64
_LAST_USED_STEP = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class KeyTerms:
    """What a key is issued with."""

    principal: Principal
    floor: Scope | None = None
    read_only: bool = False
    expires_at: datetime | None = None
    note: str = ""

    @property
    def scope(self) -> Scope:
        """Where the key belongs: whoever administers this scope manages it. Without a floor, the empty scope."""
        return EMPTY if self.floor is None else self.floor


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What is known of an issued key: everything but its secret."""

    id: str
    terms: KeyTerms
    created_at: datetime
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    replaces: str | None = None

    def live(self, now: datetime) -> bool:
        """Whether the key opens anything at ``now``."""
        return self.revoked_at is None and (self.terms.expires_at is None or now < self.terms.expires_at)

    @property
    def caller(self) -> Caller:
        """Who bears this key."""
        return Caller(self.terms.principal, self.id, self.terms.floor, self.terms.read_only)


class KeyRing:
    """All keys of one gateway."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def authenticate(self, text: str | None, now: datetime) -> Caller:
        """Who bears the key ``text``.

        Raises:
            Unauthenticated: it is missing, malformed, unknown, expired or revoked; the same for all.
        """
        key = Key.parse(text) if text else None
        if key is None:
            raise Unauthenticated
        row = await self._database.run(lambda connection: _find(connection, key.id))
        # Compared even when there is no such key, so that the time taken does not tell ids apart.
        same = hmac.compare_digest(key.hash, row.secret_hash if row else _NO_HASH)
        if row is None or not same:
            raise Unauthenticated
        record = _record(row)
        if not record.live(now):
            raise Unauthenticated
        if record.last_used_at is None or now - record.last_used_at >= _LAST_USED_STEP:
            # Nice to know, no more: that the request may go on is not decided by whether this can be noted.
            with contextlib.suppress(DatabaseError):
                await self._database.run(lambda connection: _set(connection, key.id, last_used_at=now))
        return record.caller

    async def issue(self, key: Key, terms: KeyTerms, now: datetime) -> KeyRecord:
        """Put a generated key in force. Its text is kept nowhere."""
        return await self._database.run(lambda connection: _issue(connection, key, terms, now))

    async def find(self, key_id: str) -> KeyRecord | None:
        """What is known of one key."""
        row = await self._database.run(lambda connection: _find(connection, key_id))
        return _record(row) if row else None

    async def list(self) -> list[KeyRecord]:
        """Every key ever issued, oldest first."""
        return await self._database.run(_list)

    async def rotate(self, key_id: str, key: Key, overlap: timedelta, now: datetime) -> KeyRecord | None:
        """Give ``key`` the terms of a live one, which itself ends after ``overlap``.

        ``None`` if it is not live, or was rotated before.
        """
        return await self._database.run(lambda connection: _rotate(connection, key_id, key, overlap, now))

    async def revoke(self, key_id: str, now: datetime) -> bool:
        """End a key at once; whether there was such a key that had not been revoked."""
        return await self._database.run(lambda connection: _revoke(connection, key_id, now))


def _issue(
    connection: sa.Connection, key: Key, terms: KeyTerms, now: datetime, replaces: str | None = None
) -> KeyRecord:
    connection.execute(
        sa.insert(_KEYS).values(
            id=key.id,
            secret_hash=key.hash,
            principal=str(terms.principal),
            floor=None if terms.floor is None else terms.floor.path(),
            read_only=terms.read_only,
            note=terms.note,
            created_at=now,
            expires_at=terms.expires_at,
            replaces=replaces,
        )
    )
    return KeyRecord(key.id, terms, created_at=now, replaces=replaces)


def _list(connection: sa.Connection) -> list[KeyRecord]:
    rows = connection.execute(sa.select(_KEYS).order_by(_KEYS.c.created_at, _KEYS.c.id))
    return [_record(row) for row in rows]


def _rotate(connection: sa.Connection, key_id: str, key: Key, overlap: timedelta, now: datetime) -> KeyRecord | None:
    row = _find(connection, key_id)
    successor = connection.scalar(sa.select(_KEYS.c.id).where(_KEYS.c.replaces == key_id))
    # Its successor has the terms that it was issued with; the key itself ends with the overlap by now.
    if row is None or successor is not None or not _record(row).live(now):
        return None
    terms = _record(row).terms
    end = now + overlap
    _set(connection, key_id, expires_at=end if terms.expires_at is None else min(end, terms.expires_at))
    return _issue(connection, key, terms, now, replaces=key_id)


def _revoke(connection: sa.Connection, key_id: str, now: datetime) -> bool:
    row = _find(connection, key_id)
    if row is None or row.revoked_at is not None:
        return False
    _set(connection, key_id, revoked_at=now)
    return True


def _find(connection: sa.Connection, key_id: str) -> sa.Row[tuple[object, ...]] | None:
    return connection.execute(sa.select(_KEYS).where(_KEYS.c.id == key_id)).first()


def _set(connection: sa.Connection, key_id: str, **values: datetime) -> None:
    connection.execute(sa.update(_KEYS).where(_KEYS.c.id == key_id).values(**values))


def _record(row: sa.Row[tuple[object, ...]]) -> KeyRecord:
    terms = KeyTerms(
        principal=Principal.parse(row.principal),
        floor=None if row.floor is None else Scope.parse(row.floor),
        read_only=row.read_only,
        expires_at=row.expires_at,
        note=row.note,
    )
    return KeyRecord(row.id, terms, row.created_at, row.revoked_at, row.last_used_at, row.replaces)
