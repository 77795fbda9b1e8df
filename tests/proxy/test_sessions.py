"""Sessions: kept for whoever opened them, and for nobody else."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from proxy.database import Database
from proxy.sessions import Session, SessionBook
from store.scope import Scope

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
SESSION = Session(
    id="0199aaaa-0000-7000-8000-000000000000",
    principal="agent:researcher",
    scope=Scope.parse("org/acme/project/q3"),
    metadata={"task": ["ü", 1, None, {"deep": True}]},
    created_at=NOW,
    expires_at=NOW + timedelta(days=1),
)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[SessionBook]:
    database = Database.open(tmp_path)
    yield SessionBook(database)
    database.close()


async def test_a_session_is_found_as_it_was_opened(book: SessionBook) -> None:
    assert await book.open(SESSION) == SESSION
    assert await book.find(SESSION.id, SESSION.principal) == SESSION


@pytest.mark.parametrize("principal", ["agent:writer", "agent:Researcher", "agent:research", "%", ""])
async def test_to_others_it_does_not_exist(book: SessionBook, principal: str) -> None:
    await book.open(SESSION)
    assert await book.find(SESSION.id, principal) is None


async def test_a_session_that_nobody_opened_is_not_found(book: SessionBook) -> None:
    await book.open(SESSION)
    assert await book.find("0199aaaa-0000-7000-8000-000000000001", SESSION.principal) is None


async def test_a_closed_session_says_since_when(book: SessionBook) -> None:
    await book.open(SESSION)
    await book.close(SESSION.id, NOW + timedelta(hours=1))
    assert await book.find(SESSION.id, SESSION.principal) == replace(SESSION, closed_at=NOW + timedelta(hours=1))


async def test_opening_it_again_after_a_failure_leaves_it_as_it_was(book: SessionBook) -> None:
    await book.open(SESSION)
    later = replace(SESSION, created_at=NOW + timedelta(hours=1), expires_at=NOW + timedelta(days=2))
    assert await book.open(later) == SESSION
    assert await book.find(SESSION.id, SESSION.principal) == SESSION
