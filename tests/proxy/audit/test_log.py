"""The audit log: durable before it returns, one chain whoever appends, and no change that verifying does not find."""

import asyncio
import json
import multiprocessing
import sqlite3
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from proxy.audit import log
from proxy.audit.entry import GENESIS, Entry, Outcome, link
from proxy.audit.log import AuditLog, AuditQuery, Recorded, Verification, append, find, verify
from proxy.database import FILE_NAME, Database
from proxy.errors import AuditUnavailable
from tests.proxy.audit.test_entry import ENTRY

pytestmark = pytest.mark.anyio

HIDDEN = "alter table audit rename to hidden"
SHOWN = "alter table hidden rename to audit"


def numbered(number: int) -> Entry:
    return replace(ENTRY, request_id=f"request-{number}", at=ENTRY.at + timedelta(seconds=number))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database.open(tmp_path)
    yield database
    database.close()


@pytest.fixture
async def audit(database: Database) -> AsyncIterator[AuditLog]:
    audit = AuditLog(database)
    audit.start()
    yield audit
    await audit.close()


def execute(database: Database, *statements: str) -> None:
    database.run_here(lambda connection: [connection.exec_driver_sql(statement) for statement in statements])


def verified(database: Database, anchor: tuple[int, str] | None = None) -> Verification:
    return database.run_here(lambda connection: verify(connection, anchor))


def entries(database: Database) -> list[Recorded]:
    return database.run_here(lambda connection: find(connection, AuditQuery(limit=10_000)))[::-1]


def write(database: Database, count: int, start: int = 1) -> None:
    database.run_here(lambda connection: append(connection, [numbered(start + n) for n in range(count)]))


# Appending


async def test_an_entry_is_on_disk_when_record_returns(audit: AuditLog, tmp_path: Path) -> None:
    await audit.record(ENTRY)
    with sqlite3.connect(tmp_path / FILE_NAME) as reader:
        assert [json.loads(body) for (body,) in reader.execute("select body from audit")] == [
            {**ENTRY.as_dict(), "lines": ["policy.csv:7"], "entities": ["PERSON"], "ids": list(ENTRY.ids)}
        ]
    reader.close()


async def test_hundreds_at_once_share_a_few_commits_and_make_one_chain(
    audit: AuditLog, database: Database, monkeypatch
) -> None:
    commits = []
    monkeypatch.setattr(
        log, "append", lambda connection, entries: commits.append(len(entries)) or append(connection, entries)
    )
    await asyncio.gather(*(audit.record(numbered(n)) for n in range(800)))
    assert sum(commits) == 800
    assert len(commits) < 20
    assert {json.loads(entry.body)["request_id"] for entry in entries(database)} == {f"request-{n}" for n in range(800)}
    assert verified(database) == Verification(800, entries(database)[-1].hash)


async def test_entries_of_one_call_stand_together(audit: AuditLog, database: Database) -> None:
    await asyncio.gather(*(audit.record(*[numbered(n)] * 3) for n in range(50)))
    ids = [json.loads(entry.body)["request_id"] for entry in entries(database)]
    assert all(len(set(ids[start : start + 3])) == 1 for start in range(0, 150, 3))


async def test_recording_nothing_writes_nothing(audit: AuditLog, database: Database) -> None:
    await audit.record()
    assert verified(database) == Verification(0, GENESIS)


async def test_two_databases_on_one_file_keep_one_chain(database: Database, tmp_path: Path) -> None:
    other = Database.open(tmp_path)
    logs = [AuditLog(database), AuditLog(other)]
    for one in logs:
        one.start()
    await asyncio.gather(*(logs[n % 2].record(numbered(n)) for n in range(300)))
    for one in logs:
        await one.close()
    other.close()
    assert verified(database).entries == 300
    assert verified(database).problem is None


def _append_from_another_process(folder: Path, start: int) -> None:
    database = Database.open(folder)
    for n in range(25):
        database.run_here(lambda connection, n=n: append(connection, [numbered(start + n)]))
    database.close()


def test_two_processes_keep_one_chain(database: Database, tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_append_from_another_process, args=(tmp_path, n)) for n in (0, 1_000)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert verified(database) == Verification(50, entries(database)[-1].hash)


# Failing


async def test_what_cannot_be_written_is_refused_and_the_next_can(audit: AuditLog, database: Database) -> None:
    execute(database, HIDDEN)
    found = await asyncio.gather(*(audit.record(numbered(n)) for n in range(20)), return_exceptions=True)
    assert [type(error) for error in found] == [AuditUnavailable] * 20
    execute(database, SHOWN)
    assert verified(database) == Verification(0, GENESIS)
    await audit.record(ENTRY)
    assert verified(database).entries == 1


async def test_more_than_can_wait_is_refused_at_once(audit: AuditLog, monkeypatch, database: Database) -> None:
    monkeypatch.setattr(audit, "_waiting", asyncio.Queue(2))
    waiting = [asyncio.ensure_future(audit.record(numbered(n))) for n in range(5)]
    found = await asyncio.wait_for(asyncio.gather(*waiting[2:], return_exceptions=True), 10)
    assert [str(error) for error in found] == ["too many audit entries are waiting to be written"] * 3
    await audit.close()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert verified(database).entries == 0


@pytest.mark.parametrize("opened", [False, True])
async def test_a_log_that_is_not_open_takes_nothing(database: Database, opened: bool) -> None:
    audit = AuditLog(database)
    if opened:
        audit.start()
        await audit.close()
    with pytest.raises(AuditUnavailable):
        await audit.record(ENTRY)
    with pytest.raises(AuditUnavailable):
        await audit.check()


async def test_whoever_waits_when_it_closes_is_told(database: Database, monkeypatch) -> None:
    begun, released = asyncio.Event(), asyncio.Event()

    async def stuck(_work: object) -> None:
        begun.set()
        await released.wait()

    audit = AuditLog(database)
    monkeypatch.setattr(database, "run", stuck)
    audit.start()
    first = asyncio.ensure_future(audit.record(numbered(1)))
    await begun.wait()
    second = asyncio.ensure_future(audit.record(numbered(2)))
    await asyncio.wait([second], timeout=0)
    await audit.close()
    found = await asyncio.wait_for(asyncio.gather(first, second, return_exceptions=True), 10)
    assert [type(error) for error in found] == [AuditUnavailable] * 2


async def test_one_who_no_longer_waits_does_not_disturb_the_others(audit: AuditLog, database: Database) -> None:
    records = [asyncio.ensure_future(audit.record(numbered(n))) for n in range(10)]
    await asyncio.wait([records[3]], timeout=0)
    records[3].cancel()
    found = await asyncio.gather(*records, return_exceptions=True)
    assert [type(error) for error in found if error is not None] == [asyncio.CancelledError]
    assert verified(database).problem is None


async def test_check_says_whether_an_entry_could_be_written(audit: AuditLog, database: Database) -> None:
    await audit.check()
    await audit.record(ENTRY)
    await audit.check()
    assert verified(database).entries == 1
    execute(database, "alter table audit_head rename to hidden_head")
    with pytest.raises(AuditUnavailable):
        await audit.check()


async def test_a_file_that_can_be_read_but_not_written_is_no_log(audit: AuditLog, database: Database) -> None:
    await audit.record(ENTRY)
    await audit.check()
    sa.event.listen(database._engine, "checkout", lambda connection, *_: connection.execute("pragma query_only = on"))
    assert verified(database).entries == 1
    with pytest.raises(AuditUnavailable):
        await audit.check()
    with pytest.raises(AuditUnavailable):
        await audit.record(ENTRY)


# Asking


QUERIES = {
    "nothing in particular": (AuditQuery(), [5, 4, 3, 2, 1]),
    "a principal": (AuditQuery(principal="agent:writer"), [4, 2]),
    "an operation": (AuditQuery(operation="recall"), [3]),
    "an outcome": (AuditQuery(outcome="deny"), [5]),
    "a request": (AuditQuery(request_id="request-2"), [2]),
    "since, inclusive": (AuditQuery(since=ENTRY.at + timedelta(seconds=4)), [5, 4]),
    "until, exclusive": (AuditQuery(until=ENTRY.at + timedelta(seconds=3)), [2, 1]),
    "the next page": (AuditQuery(before=4, limit=2), [3, 2]),
    "all at once": (AuditQuery(principal="agent:writer", before=4, outcome="allow"), [2]),
    "a name that is only like it": (AuditQuery(principal="agent:%"), []),
}


@pytest.mark.parametrize(("query", "sequences"), QUERIES.values(), ids=QUERIES)
def test_a_query_gets_what_it_asks_for_newest_first(
    database: Database, query: AuditQuery, sequences: list[int]
) -> None:
    changes = {
        2: {"principal": "agent:writer"},
        4: {"principal": "agent:writer"},
        3: {"operation": "recall"},
        5: {"outcome": Outcome.DENY},
    }
    rows = [replace(numbered(n), **changes.get(n, {})) for n in range(1, 6)]
    database.run_here(lambda connection: append(connection, rows))
    found = database.run_here(lambda connection: find(connection, query))
    assert [entry.sequence for entry in found] == sequences


# Verifying


TAMPERINGS = {
    "a changed body": (
        "update audit set body = replace(body, 'allow', 'block') where sequence = 3",
        2,
        "entry 3 was changed",
    ),
    "a body that is no JSON": ("update audit set body = 'x' where sequence = 3", 2, "entry 3 was changed"),
    "a body of bytes": ("update audit set body = x'00ff' where sequence = 3", 2, "entry 3 was changed"),
    "a changed hash": (
        "update audit set hash = replace(hash, '0', '1') || '' where sequence = 3",
        2,
        "entry 3 was changed",
    ),
    "another principal": ("update audit set principal = 'agent:b' where sequence = 3", 2, "columns of entry 3"),
    "another operation": ("update audit set operation = 'recall' where sequence = 3", 2, "columns of entry 3"),
    "another outcome": ("update audit set outcome = 'deny' where sequence = 3", 2, "columns of entry 3"),
    "another request": ("update audit set request_id = 'r' where sequence = 3", 2, "columns of entry 3"),
    "another moment": ("update audit set at = at + 1 where sequence = 3", 2, "columns of entry 3"),
    "a moment that is none": ("update audit set at = 'noon' where sequence = 3", 2, "columns of entry 3"),
    "a deleted first": ("delete from audit where sequence = 1", 0, "entry 1 is missing"),
    "a deleted middle": ("delete from audit where sequence in (3, 4)", 2, "entry 3 is missing"),
    "a deleted middle, closed up": (
        "delete from audit where sequence = 3; update audit set sequence = sequence - 1 where sequence > 3",
        2,
        "entry 3 was changed",
    ),
    "a cut-off end": ("delete from audit where sequence > 4", 4, "ends at entry 4, but its head names entry 6"),
    "a cut-off end with a new number": (
        "delete from audit where sequence > 4; update audit_head set sequence = 4",
        4,
        "ends at entry 4, but its head names entry 4",
    ),
    "everything deleted": ("delete from audit", 0, "ends at entry 0, but its head names entry 6"),
    "no head": ("delete from audit_head", 6, "ends at entry 6, but its head names entry 0"),
    "swapped entries": (
        (
            "update audit set sequence = 99 where sequence = 3; update audit set sequence = 3 where sequence = 4;"
            " update audit set sequence = 4 where sequence = 99"
        ),
        2,
        "entry 3 was changed",
    ),
    "swapped bodies": (
        (
            "update audit set body = (select body from audit a where a.sequence = 7 - audit.sequence),"
            " request_id = 'request-' || (7 - sequence) where sequence in (3, 4)"
        ),
        2,
        "entry 3 was changed",
    ),
    "an entry put in between": (
        (
            "update audit set sequence = -sequence - 1 where sequence > 3; update audit set sequence = -sequence where sequence < 0;"
            " insert into audit select 4, at, principal, operation, outcome, request_id, body, hash from audit where sequence = 3"
        ),
        3,
        "entry 4 was changed",
    ),
    "an entry put after the end": (
        "insert into audit select 7, at, principal, operation, outcome, request_id, body, hash from audit where sequence = 6",
        6,
        "entry 7 was changed",
    ),
    "a number that is none": ("update audit set sequence = 'x' where sequence = 6", 5, "entry 6 is missing"),
}


@pytest.mark.parametrize(("statements", "good", "problem"), TAMPERINGS.values(), ids=TAMPERINGS)
def test_whatever_is_changed_is_found(database: Database, statements: str, good: int, problem: str) -> None:
    write(database, 6)
    assert verified(database).problem is None
    execute(database, *statements.split(";"))
    found = verified(database)
    assert found.problem is not None
    assert problem in found.problem
    assert found.entries == good


def test_an_entry_forged_with_its_hash_is_found_by_the_next(database: Database) -> None:
    write(database, 6)
    before = entries(database)
    forged = replace(numbered(3), outcome=Outcome.DENY).body()
    new = link(before[1].hash, 3, forged)
    execute(database, f"update audit set body = '{forged}', hash = '{new}', outcome = 'deny' where sequence = 3")
    assert verified(database) == Verification(3, new, "entry 4 was changed, or one before it")


def test_a_chain_written_anew_is_found_by_what_was_noted_elsewhere(database: Database) -> None:
    write(database, 6)
    noted = (4, entries(database)[3].hash)
    assert verified(database, noted).problem is None
    execute(database, "delete from audit", "delete from audit_head")
    database.run_here(
        lambda connection: append(connection, [replace(numbered(n), outcome=Outcome.DENY) for n in range(1, 7)])
    )
    assert verified(database).problem is None
    assert verified(database, noted).problem == "entry 4 is not the one that was noted"


@pytest.mark.parametrize("anchor", [(4, GENESIS), (5, None), (99, GENESIS), (0, "f" * 64)])
def test_a_note_that_the_chain_does_not_hold_is_told(database: Database, anchor: tuple[int, str | None]) -> None:
    write(database, 6)
    number, noted = anchor
    problem = verified(database, (number, noted or entries(database)[3].hash)).problem
    assert problem == f"entry {number} is not the one that was noted"


def test_a_note_of_the_empty_log_holds(database: Database) -> None:
    assert verified(database, (0, GENESIS)).problem is None
    write(database, 2)
    assert verified(database, (0, GENESIS)).problem is None


def test_pages_of_the_walk_join_without_a_seam(database: Database, monkeypatch) -> None:
    monkeypatch.setattr(log, "_PAGE_ROWS", 3)
    write(database, 9)
    assert verified(database) == Verification(9, entries(database)[-1].hash)
    execute(database, "delete from audit where sequence = 4")
    assert verified(database).problem == "entry 4 is missing"


def test_what_is_appended_meanwhile_is_no_tampering(database: Database, tmp_path: Path, monkeypatch) -> None:
    write(database, 6)
    other, read_head = Database.open(tmp_path), log._head

    def overtaken(connection: sa.Connection) -> tuple[int, str]:
        write(other, 1, start=7)
        return read_head(connection)

    monkeypatch.setattr(log, "_head", overtaken)
    assert verified(database).problem is None
    other.close()
    monkeypatch.undo()
    assert verified(database).entries == 7


def test_after_tampering_nothing_more_is_linked_as_if_it_were_whole(database: Database) -> None:
    write(database, 6)
    execute(database, "delete from audit where sequence = 6")
    write(database, 1, start=7)
    assert verified(database).problem == "entry 6 is missing"
