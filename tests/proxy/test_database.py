"""The gateway's own records: one file, many processes, and nothing half done."""

import multiprocessing
import sqlite3
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa

from proxy.database import FILE_NAME, METADATA, SCHEMA_VERSION, Database, DatabaseError, Moment

VERSION = sa.text("select version from schema_version")
ADD = sa.text("insert into schema_version (version) values (:version)")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database.open(tmp_path)
    yield database
    database.close()


def on_disk(folder: Path) -> bytes:
    """Every byte of the database and of what SQLite keeps beside it."""
    return b"".join(path.read_bytes() for path in folder.iterdir())


def versions(database: Database) -> list[int]:
    return list(database.run_here(lambda connection: connection.scalars(VERSION).all()))


def test_a_new_folder_gets_every_table(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "a" / "new" / "folder")
    found = database.run_here(lambda connection: set(sa.inspect(connection).get_table_names()))
    database.close()
    assert found == set(METADATA.tables)


def test_nobody_else_may_read_the_file_nor_those_that_sqlite_keeps_beside_it(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    database = Database.open(tmp_path)
    database.run_here(lambda connection: connection.execute(ADD, {"version": 7}))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    database.close()
    assert modes == dict.fromkeys([FILE_NAME, f"{FILE_NAME}-wal", f"{FILE_NAME}-shm"], 0o600)


def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    Database.open(tmp_path).close()
    (tmp_path / FILE_NAME).chmod(0o644)
    Database.open(tmp_path).close()
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


def test_many_may_open_a_new_folder_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as threads:
        databases = list(threads.map(lambda _: Database.open(tmp_path), range(16)))
    assert versions(databases[0]) == [SCHEMA_VERSION]
    for database in databases:
        database.close()


def _open(folder: Path) -> None:
    Database.open(folder).close()


def test_many_processes_may_open_a_new_folder_at_once(tmp_path: Path) -> None:
    processes = [multiprocessing.get_context("spawn").Process(target=_open, args=(tmp_path,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]


def test_a_newer_file_is_left_as_it_is(tmp_path: Path) -> None:
    Database.open(tmp_path).close()
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute("update schema_version set version = 99")
    connection.close()
    with pytest.raises(DatabaseError, match="schema version 99, this Scopegate knows 1: use the version that wrote it"):
        Database.open(tmp_path)
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        assert connection.execute("select version from schema_version").fetchall() == [(99,)]
    connection.close()


def _a_file_as_folder(folder: Path) -> Path:
    folder.write_bytes(b"")
    return folder


def _no_database(folder: Path) -> Path:
    folder.mkdir()
    (folder / FILE_NAME).write_bytes(b"this is no database, but long enough to be read as one" * 100)
    return folder


def _a_folder_as_file(folder: Path) -> Path:
    (folder / FILE_NAME).mkdir(parents=True)
    return folder


@pytest.mark.parametrize("make", [_a_file_as_folder, _no_database, _a_folder_as_file])
def test_what_cannot_be_opened_is_named(tmp_path: Path, make) -> None:
    folder = make(tmp_path / "data")
    with pytest.raises(DatabaseError, match="cannot open") as caught:
        Database.open(folder)
    assert str(folder / FILE_NAME) in str(caught.value)


def test_work_that_fails_leaves_nothing_behind(database: Database) -> None:
    def work(connection: sa.Connection) -> None:
        connection.execute(ADD, {"version": 7})
        connection.execute(sa.text("select * from nowhere"))

    with pytest.raises(DatabaseError):
        database.run_here(work)
    assert versions(database) == [SCHEMA_VERSION]


def test_work_that_gives_up_leaves_nothing_behind(database: Database) -> None:
    def work(connection: sa.Connection) -> None:
        connection.execute(ADD, {"version": 7})
        raise KeyError("nobody foresaw this")

    with pytest.raises(KeyError):
        database.run_here(work)
    assert versions(database) == [SCHEMA_VERSION]


def test_a_failure_repeats_no_value(database: Database) -> None:
    with pytest.raises(DatabaseError) as caught:
        database.run_here(
            lambda connection: connection.execute(sa.text("insert into nowhere values (:v)"), {"v": "secret"})
        )
    assert str(caught.value) == "the database failed: OperationalError"
    assert caught.value.__cause__ is None


@pytest.mark.anyio
async def test_work_runs_outside_the_event_loop_and_is_kept(tmp_path: Path) -> None:
    database = Database.open(tmp_path)
    await database.run(lambda connection: connection.execute(ADD, {"version": 7}))
    database.close()
    again = Database.open(tmp_path / ".")
    assert sorted(versions(again)) == [SCHEMA_VERSION, 7]
    again.close()


def test_a_commit_is_on_disk_before_it_is_believed(database: Database) -> None:
    def pragmas(connection: sa.Connection) -> dict[str, object]:
        names = ("journal_mode", "synchronous", "busy_timeout")
        return {name: connection.scalar(sa.text(f"pragma {name}")) for name in names}

    assert database.run_here(pragmas) == {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 10_000}


@pytest.mark.parametrize(
    "moment",
    [
        None,
        datetime(2026, 11, 22, 10, 0, 0, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2026, 11, 22, 10, tzinfo=timezone(timedelta(hours=-5))),
    ],
)
def test_a_moment_comes_back_as_it_was(database: Database, moment: datetime | None) -> None:
    statement = sa.select(sa.bindparam("moment", moment, Moment))
    assert database.run_here(lambda connection: connection.scalar(statement)) == moment
