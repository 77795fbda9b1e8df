"""The book of idempotent writes: one claim at a time, one answer for 24 hours, and no key lost to a failure."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from proxy.database import Database, DatabaseError
from proxy.errors import Conflict
from proxy.idempotency import KEPT_FOR, Answer, Attempt, IdempotencyBook
from tests.proxy.test_database import on_disk

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
ANSWER = Answer(201, b'{"id": "1"}')


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database.open(tmp_path)
    yield database
    database.close()


@pytest.fixture
def book(database: Database) -> IdempotencyBook:
    return IdempotencyBook(database)


async def begin(
    book: IdempotencyBook,
    body: bytes = b"{}",
    now: datetime = NOW,
    principal: str = "agent:a",
    route: str = "POST /v1/memories",
    key: str = "k",
) -> Attempt:
    return await book.begin(principal, route, key, body, now)


async def test_a_later_attempt_gets_the_answer_of_the_first(book: IdempotencyBook) -> None:
    await book.finish(await begin(book), ANSWER)
    again = await begin(book, now=NOW + timedelta(hours=1))
    assert (again.answer, again.started_at) == (ANSWER, NOW)


async def test_the_answer_outlives_the_gateway(book: IdempotencyBook, database: Database) -> None:
    await book.finish(await begin(book), ANSWER)
    assert (await begin(IdempotencyBook(database))).answer == ANSWER


async def test_another_body_under_the_same_key_is_a_conflict(book: IdempotencyBook) -> None:
    await book.finish(await begin(book), ANSWER)
    with pytest.raises(Conflict, match="another body"):
        await begin(book, b'{"a": 1}')
    assert (await begin(book)).answer == ANSWER


@pytest.mark.parametrize("other", [{"principal": "agent:b"}, {"route": "POST /v1/publish"}, {"key": "K"}])
async def test_a_key_is_bound_to_principal_and_route(book: IdempotencyBook, other: dict[str, str]) -> None:
    await book.finish(await begin(book), ANSWER)
    attempt = await begin(book, b"other", **other)
    assert (attempt.answer, attempt.repeated) == (None, False)


async def test_while_the_first_attempt_runs_a_second_is_a_conflict(book: IdempotencyBook) -> None:
    attempt = await begin(book)
    with pytest.raises(Conflict, match="still running"):
        await begin(book)
    await book.finish(attempt, ANSWER)
    assert (await begin(book)).answer == ANSWER


async def test_of_many_at_once_exactly_one_runs(book: IdempotencyBook) -> None:
    attempts = await asyncio.gather(*(begin(book) for _ in range(50)), return_exceptions=True)
    assert sum(isinstance(attempt, Attempt) for attempt in attempts) == 1
    assert sum(isinstance(attempt, Conflict) for attempt in attempts) == 49


async def test_after_a_refusal_the_key_is_free_for_a_better_body(book: IdempotencyBook) -> None:
    await book.abandon(await begin(book, b"bad"), nothing_done=True)
    attempt = await begin(book, b"good")
    assert not attempt.repeated


async def test_after_a_failure_only_the_same_body_may_follow_and_is_a_repetition(book: IdempotencyBook) -> None:
    await book.abandon(await begin(book), nothing_done=False)
    with pytest.raises(Conflict, match="another body"):
        await begin(book, b"other")
    again = await begin(book, now=NOW + timedelta(minutes=1))
    assert (again.repeated, again.started_at, again.answer) == (True, NOW, None)


async def test_a_refused_repetition_does_not_forget_what_the_first_attempt_may_have_done(book: IdempotencyBook) -> None:
    await book.abandon(await begin(book), nothing_done=False)
    await book.abandon(await begin(book), nothing_done=True)
    with pytest.raises(Conflict, match="another body"):
        await begin(book, b"other")
    assert (await begin(book)).repeated


async def test_an_attempt_that_died_with_the_gateway_is_repeated_under_the_same_slot(
    book: IdempotencyBook, database: Database
) -> None:
    first = await begin(book)
    again = await begin(IdempotencyBook(database))
    assert (again.slot, again.started_at, again.repeated) == (first.slot, first.started_at, True)


async def test_an_answer_that_cannot_be_kept_does_not_lock_the_key(book: IdempotencyBook, database: Database) -> None:
    attempt = await begin(book)
    await database.run(lambda connection: connection.execute(sa.text("alter table idempotency rename to gone")))
    with pytest.raises(DatabaseError):
        await book.finish(attempt, ANSWER)
    await database.run(lambda connection: connection.execute(sa.text("alter table gone rename to idempotency")))
    assert (await begin(book)).repeated


async def test_a_claim_that_cannot_be_kept_does_not_lock_the_key(book: IdempotencyBook, database: Database) -> None:
    await database.run(lambda connection: connection.execute(sa.text("alter table idempotency rename to gone")))
    with pytest.raises(DatabaseError):
        await begin(book)
    await database.run(lambda connection: connection.execute(sa.text("alter table gone rename to idempotency")))
    assert not (await begin(book)).repeated


async def test_a_key_means_nothing_after_a_day(book: IdempotencyBook) -> None:
    await book.finish(await begin(book), ANSWER)
    assert (await begin(book, now=NOW + KEPT_FOR)).answer == ANSWER
    late = await begin(book, b"other", now=NOW + KEPT_FOR + timedelta(microseconds=1))
    assert (late.answer, late.repeated) == (None, False)


async def test_neither_key_nor_body_nor_principal_is_kept(book: IdempotencyBook, tmp_path: Path) -> None:
    await book.finish(
        await begin(book, b"very private body", key="very-private-key", principal="agent:private"), ANSWER
    )
    kept = on_disk(tmp_path)
    assert ANSWER.body in kept
    assert b"private" not in kept
