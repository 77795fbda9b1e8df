"""The gateway's own records (keys, sessions, holds, idempotent answers, audit): SQLite through SQLAlchemy.

Each room declares its tables on ``METADATA``. Work runs in a small pool of threads, one transaction a call, so
that the event loop never waits for the disk.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor, Dialect
from sqlalchemy.pool import ConnectionPoolEntry

METADATA = sa.MetaData()
SCHEMA_VERSION = 1
FILE_NAME = "gateway.sqlite3"

_THREADS = 4
_BUSY_TIMEOUT_MS = 10_000
_SWITCH_TRIES = 200
_SWITCH_AGAIN_S = 0.02
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_SCHEMA = sa.Table("schema_version", METADATA, sa.Column("version", sa.Integer, primary_key=True))

Result = TypeVar("Result")


class DatabaseError(Exception):
    """The database cannot be used; the message says why and what to do, and holds no row's content."""


def microseconds(moment: datetime) -> int:
    """``moment`` as it stands in a column: microseconds since 1970."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


class Moment(sa.types.TypeDecorator[datetime]):
    """An aware datetime, kept as microseconds since 1970 so that every database orders it alike."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's signature
        """To microseconds."""
        return None if value is None else microseconds(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """From microseconds."""
        return None if value is None else _EPOCH + timedelta(microseconds=value)


class Database:
    """One SQLite file, opened by any number of processes at once."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="database")

    @classmethod
    def open(cls, folder: Path) -> Database:
        """The database in ``folder``, made with all its tables when it is new.

        Raises:
            DatabaseError: it cannot be opened, or a newer Scopegate wrote it.
        """
        path = folder / FILE_NAME
        engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)))
        sa.event.listen(engine, "connect", _prepare)
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Before SQLite writes: the log that it keeps beside the file gets the file's rights.
            path.touch(mode=0o600)
            path.chmod(0o600)
            with engine.begin() as connection:
                # Two processes may open a new folder at once; one makes the tables, the other waits.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                METADATA.create_all(connection)
                _check_version(connection, path)
        except (sa.exc.SQLAlchemyError, OSError) as error:
            engine.dispose()
            reason = error.orig if isinstance(error, sa.exc.DBAPIError) else error
            raise DatabaseError(f"cannot open {path}: {reason}") from None
        except DatabaseError:
            engine.dispose()
            raise
        return cls(engine)

    async def run(self, work: Callable[[sa.Connection], Result]) -> Result:
        """Run ``work`` in one transaction, in a thread; committed and on disk when this returns.

        Raises:
            DatabaseError: it failed. Nothing of ``work`` was kept.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, self.run_here, work)

    def run_here(self, work: Callable[[sa.Connection], Result]) -> Result:
        """``run`` without the thread, for command-line programs."""
        try:
            with self._engine.begin() as connection:
                return work(connection)
        except sa.exc.IntegrityError:
            raise
        except sa.exc.SQLAlchemyError as error:
            raise DatabaseError(f"the database failed: {type(error).__name__}") from None

    def close(self) -> None:
        """Finish what runs and close every connection."""
        self._threads.shutdown(wait=True)
        self._engine.dispose()


def _prepare(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
    _write_ahead(cursor)
    # FULL: a committed audit entry or key must survive a power cut, not only the death of the process.
    cursor.execute("PRAGMA synchronous = FULL")
    # A rejected text is overwritten, not only let go of.
    cursor.execute("PRAGMA secure_delete = ON")
    cursor.close()


def _write_ahead(cursor: DBAPICursor) -> None:
    """Switch the file to its write-ahead log: the one lock for which SQLite does not wait by itself."""
    for tries_left in reversed(range(_SWITCH_TRIES)):
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if not tries_left:
                raise
            time.sleep(_SWITCH_AGAIN_S)
        else:
            return


def _check_version(connection: sa.Connection, path: Path) -> None:
    found = connection.scalar(sa.select(_SCHEMA.c.version))
    if found is None:
        connection.execute(sa.insert(_SCHEMA).values(version=SCHEMA_VERSION))
    elif found != SCHEMA_VERSION:
        raise DatabaseError(
            f"{path} has schema version {found}, this Scopegate knows {SCHEMA_VERSION}: use the version that wrote it"
        )
