"""The audit log in the database: append, query, verify."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import sqlalchemy as sa

from proxy.audit.entry import GENESIS, Entry, link
from proxy.database import METADATA, Database, DatabaseError, Moment, microseconds
from proxy.errors import AuditUnavailable

_ENTRIES = sa.Table(
    "audit",
    METADATA,
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", Moment, nullable=False, index=True),
    sa.Column("principal", sa.String(162), nullable=False, index=True),
    sa.Column("operation", sa.String(40), nullable=False),
    sa.Column("outcome", sa.String(10), nullable=False),
    sa.Column("request_id", sa.String(64), nullable=False, index=True),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)
# One row: the number and hash of the newest entry. Writing it first takes the database's write lock, so that two
# processes never link to the same entry; and a chain whose end was cut off no longer agrees with it.
_HEAD = sa.Table(
    "audit_head",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)
# Takes the write lock as every entry does, and changes nothing.
_TOUCH = sa.update(_HEAD).values(sequence=_HEAD.c.sequence)
_INDEXED = ("at", "principal", "operation", "outcome", "request_id")
_QUEUE_LENGTH = 4_096
_BATCH_LENGTH = 512
_PAGE_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which entries to show: those that match every field given, newest first, before the sequence ``before``."""

    principal: str | None = None
    operation: str | None = None
    outcome: str | None = None
    request_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Recorded:
    """An entry as it stands in the log."""

    sequence: int
    hash: str
    body: str

    def as_dict(self) -> dict[str, object]:
        """The entry's fields with its place in the chain."""
        return {"sequence": self.sequence, "hash": self.hash, **json.loads(self.body)}


@dataclass(frozen=True, slots=True)
class Verification:
    """What a walk along the chain found; ``problem`` is ``None`` when every link holds."""

    entries: int
    head: str
    problem: str | None = None


class AuditLog:
    """Appends entries. Those of concurrent requests share one commit, and each is durable when ``record`` returns."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: asyncio.Queue[tuple[Sequence[Entry], asyncio.Future[None]]] = asyncio.Queue(_QUEUE_LENGTH)
        self._writer: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin writing, in the running event loop."""
        self._writer = asyncio.get_running_loop().create_task(self._write(), name="audit")

    async def close(self) -> None:
        """Stop writing. Entries that wait are dropped; whoever waits for them is told and does nothing."""
        if self._writer is not None:
            self._writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._writer
        while not self._waiting.empty():
            _settle([self._waiting.get_nowait()], AuditUnavailable("the audit log is closed"))

    async def record(self, *entries: Entry) -> None:
        """Append ``entries``, all or none; on disk when this returns.

        Raises:
            AuditUnavailable: they could not be written. Then nothing may be done that they speak of.
        """
        if not entries:
            return
        if self._writer is None or self._writer.done():
            raise AuditUnavailable("the audit log is closed")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            self._waiting.put_nowait((entries, done))
        except asyncio.QueueFull:
            raise AuditUnavailable("too many audit entries are waiting to be written") from None
        await done

    async def query(self, query: AuditQuery) -> list[Recorded]:
        """The entries that ``query`` asks for."""
        return await self._database.run(lambda connection: find(connection, query))

    async def check(self) -> None:
        """Return when an entry could be written.

        Raises:
            AuditUnavailable: it could not.
        """
        if self._writer is None or self._writer.done():
            raise AuditUnavailable("the audit log is closed")
        try:
            await self._database.run(lambda connection: connection.execute(_TOUCH))
        except DatabaseError:
            raise AuditUnavailable("the audit log cannot be written") from None

    async def _write(self) -> None:
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < _BATCH_LENGTH and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            entries = [entry for waiting, _ in batch for entry in waiting]
            try:
                await self._database.run(partial(append, entries=entries))
            except BaseException as error:
                # Whatever it was, being closed too, every caller must learn that it may do nothing.
                _settle(batch, AuditUnavailable("the audit log could not be written; nothing was done"))
                if not isinstance(error, Exception):
                    raise
            else:
                _settle(batch, None)


def _settle(batch: Sequence[tuple[Sequence[Entry], asyncio.Future[None]]], failure: AuditUnavailable | None) -> None:
    for _, done in batch:
        if done.done():
            continue
        if failure is None:
            done.set_result(None)
        else:
            done.set_exception(AuditUnavailable(failure.detail))


def append(connection: sa.Connection, entries: Sequence[Entry]) -> None:
    """Link ``entries`` to the chain, within a transaction."""
    advanced = connection.execute(sa.update(_HEAD).values(sequence=_HEAD.c.sequence + len(entries)))
    if advanced.rowcount == 0:
        connection.execute(sa.insert(_HEAD).values(id=1, sequence=len(entries), hash=GENESIS))
    last, previous = connection.execute(sa.select(_HEAD.c.sequence, _HEAD.c.hash)).one()
    rows = []
    for sequence, entry in enumerate(entries, start=last - len(entries) + 1):
        body = entry.body()
        previous = link(previous, sequence, body)
        rows.append(
            {"sequence": sequence, "body": body, "hash": previous} | {name: getattr(entry, name) for name in _INDEXED}
        )
    connection.execute(sa.insert(_ENTRIES), rows)
    connection.execute(sa.update(_HEAD).values(hash=previous))


def find(connection: sa.Connection, query: AuditQuery) -> list[Recorded]:
    """``AuditLog.query`` within a transaction."""
    statement = sa.select(_ENTRIES.c.sequence, _ENTRIES.c.hash, _ENTRIES.c.body)
    for name in ("principal", "operation", "outcome", "request_id"):
        wanted = getattr(query, name)
        if wanted is not None:
            statement = statement.where(_ENTRIES.c[name] == wanted)
    if query.since is not None:
        statement = statement.where(_ENTRIES.c.at >= query.since)
    if query.until is not None:
        statement = statement.where(_ENTRIES.c.at < query.until)
    if query.before is not None:
        statement = statement.where(_ENTRIES.c.sequence < query.before)
    rows = connection.execute(statement.order_by(_ENTRIES.c.sequence.desc()).limit(query.limit))
    return [Recorded(row.sequence, row.hash, row.body) for row in rows]


def verify(connection: sa.Connection, anchor: tuple[int, str] | None = None) -> Verification:
    """Walk the whole chain from its first entry to its head.

    ``anchor`` is the number and hash of an entry that was noted earlier, elsewhere; the chain must still contain it,
    which also catches a log that was rewritten from some point on.
    """
    # sqlite3 begins a transaction at the first write only. In this one, all pages and the head are of one moment: what
    # a running gateway appends meanwhile must not look like a chain that does not agree with its head.
    connection.exec_driver_sql("BEGIN")
    count, previous = 0, GENESIS
    anchored = anchor in {None, (0, GENESIS)}
    for row in _walk(connection):
        count += 1
        problem = _broken(row, count, previous)
        if problem:
            return Verification(count - 1, previous, problem)
        previous = row.hash
        anchored = anchored or anchor == (count, previous)
    head = _head(connection)
    if head != (count, previous):
        return Verification(count, previous, f"the log ends at entry {count}, but its head names entry {head[0]}")
    if not anchored and anchor is not None:
        return Verification(count, previous, f"entry {anchor[0]} is not the one that was noted")
    return Verification(count, previous)


def _broken(row: sa.Row[tuple[object, ...]], expected: int, previous: str) -> str | None:
    if row.sequence != expected:
        return f"entry {expected} is missing"
    if row.hash != link(previous, row.sequence, row.body):
        return f"entry {expected} was changed, or one before it"
    body = json.loads(row.body)
    said = {name: body[name] for name in _INDEXED} | {"at": microseconds(datetime.fromisoformat(body["at"]))}
    if said != {name: getattr(row, name) for name in _INDEXED}:
        return f"the searchable columns of entry {expected} were changed"
    return None


def _walk(connection: sa.Connection) -> Iterator[sa.Row[tuple[object, ...]]]:
    # The moment as it stands there: somebody may have put something else in its place.
    columns = [sa.type_coerce(column, sa.BigInteger) if column is _ENTRIES.c.at else column for column in _ENTRIES.c]
    last: int | None = None
    while True:
        statement = sa.select(*columns).order_by(_ENTRIES.c.sequence).limit(_PAGE_ROWS)
        if last is not None:
            statement = statement.where(_ENTRIES.c.sequence > last)
        rows = connection.execute(statement).all()
        yield from rows
        if len(rows) < _PAGE_ROWS:
            return
        last = rows[-1].sequence


def _head(connection: sa.Connection) -> tuple[int, str]:
    row = connection.execute(sa.select(_HEAD.c.sequence, _HEAD.c.hash)).first()
    return (row.sequence, row.hash) if row else (0, GENESIS)
