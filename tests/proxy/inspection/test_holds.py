"""The hold queue: what waits, for whom it is decided once, and what is left of it afterwards."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from proxy.database import Database, DatabaseError
from proxy.inspection.holds import Hold, HoldQueue, HoldState
from store.memory import Category, Memory, Provenance
from store.scope import Scope

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
SCOPE = Scope.parse("org/acme/project/q3")
TEXT = "Interview with Maria Gonzalez went well"
MEMORY = Memory(
    id="0199aaaa-0000-7000-8000-000000000001",
    scope=SCOPE,
    content=TEXT,
    category=Category.IDENTITY,
    created_at=NOW,
    valid_from=datetime(1999, 1, 1, tzinfo=timezone(timedelta(hours=2))),
    metadata={"tags": ["ü", 1.5, None, True], "deep": {"k": {}}},
    provenance=Provenance(
        principal="agent:researcher",
        key_id="key",
        request_id="request",
        verdict="hold",
        policy_version="1",
        session_id="0199aaaa-0000-7000-8000-00000000000f",
        derived_from=("0199aaaa-0000-7000-8000-00000000000a", "0199aaaa-0000-7000-8000-00000000000b"),
    ),
)


def hold(number: int = 1) -> Hold:
    memory = replace(MEMORY, id=f"0199aaaa-0000-7000-8000-{number:012}")
    return Hold(
        id=memory.id,
        state=HoldState.PENDING,
        scope=SCOPE,
        operation="remember",
        submitter="agent:researcher",
        created_at=NOW,
        findings=({"entity": "PERSON", "field": "content", "start": 15, "end": 29, "score": 0.85},),
        memory_id=memory.id,
        memory=memory,
    )


HOLD = hold()


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[HoldQueue]:
    database = Database.open(tmp_path)
    yield HoldQueue(database)
    database.close()


async def state(queue: HoldQueue, hold_id: str = HOLD.id) -> HoldState | None:
    found = await queue.find(hold_id)
    return found.state if found else None


async def test_a_hold_is_found_with_its_memory_as_it_was_submitted(queue: HoldQueue) -> None:
    await queue.add([HOLD])
    assert await queue.find(HOLD.id) == HOLD


async def test_there_is_nothing_where_nothing_was_queued(queue: HoldQueue) -> None:
    await queue.add([])
    assert await queue.find(HOLD.id) is None
    assert await queue.page(HoldState.PENDING, None, 10) == []


async def test_queueing_again_after_a_failure_leaves_what_is_there(queue: HoldQueue) -> None:
    await queue.add([HOLD])
    await queue.reject(HOLD.id, by="human:ana", now=NOW, reason=None)
    await queue.add([HOLD, hold(2)])
    assert [await state(queue), await state(queue, hold(2).id)] == [HoldState.REJECTED, HoldState.PENDING]


async def test_holds_are_queued_all_or_none(queue: HoldQueue) -> None:
    broken = replace(hold(2), operation=None)
    with pytest.raises(Exception, match="NOT NULL"):
        await queue.add([HOLD, broken])
    assert await queue.page(HoldState.PENDING, None, 10) == []


async def test_pages_go_from_old_to_new_without_gap_or_repetition(queue: HoldQueue) -> None:
    await queue.add([hold(number) for number in (5, 3, 1, 4, 2)])
    await queue.reject(hold(3).id, by="human:ana", now=NOW, reason=None)
    first = await queue.page(HoldState.PENDING, None, 2)
    rest = await queue.page(HoldState.PENDING, first[-1].id, 10)
    assert [found.id for found in first + rest] == [hold(number).id for number in (1, 2, 4, 5)]
    assert [found.id for found in await queue.page(HoldState.REJECTED, None, 10)] == [hold(3).id]


async def test_a_hold_is_claimed_by_one(queue: HoldQueue) -> None:
    await queue.add([HOLD])
    assert sorted(await asyncio.gather(*(queue.claim(HOLD.id) for _ in range(20)))) == [False] * 19 + [True]
    assert await state(queue) is HoldState.DECIDING


async def test_of_claim_and_rejection_one_succeeds(queue: HoldQueue) -> None:
    numbers = range(1, 11)
    await queue.add([hold(number) for number in numbers])
    for number in numbers:
        outcomes = await asyncio.gather(
            queue.claim(hold(number).id), queue.reject(hold(number).id, by="human:ana", now=NOW, reason=None)
        )
        assert sorted(outcomes) == [False, True]


async def test_a_released_claim_is_pending_again_with_its_memory(queue: HoldQueue) -> None:
    await queue.add([HOLD])
    await queue.claim(HOLD.id)
    await queue.release(HOLD.id)
    assert await queue.find(HOLD.id) == HOLD
    assert await queue.claim(HOLD.id)


async def test_an_approved_hold_says_by_whom_and_keeps_no_text(queue: HoldQueue, tmp_path: Path) -> None:
    await queue.add([HOLD])
    await queue.claim(HOLD.id)
    await queue.approved(HOLD.id, by="human:ana", now=NOW + timedelta(hours=1))
    assert await queue.find(HOLD.id) == replace(
        HOLD, state=HoldState.APPROVED, memory=None, decided_by="human:ana", decided_at=NOW + timedelta(hours=1)
    )


async def test_a_rejected_hold_says_by_whom_and_why_and_keeps_no_text(queue: HoldQueue) -> None:
    await queue.add([HOLD])
    assert await queue.reject(HOLD.id, by="human:ana", now=NOW, reason="names a person")
    assert await queue.find(HOLD.id) == replace(
        HOLD, state=HoldState.REJECTED, memory=None, decided_by="human:ana", decided_at=NOW, reason="names a person"
    )


async def test_what_is_decided_stays_decided(queue: HoldQueue) -> None:
    await queue.add([HOLD, hold(2)])
    await queue.reject(HOLD.id, by="human:ana", now=NOW, reason="first")
    await queue.claim(hold(2).id)
    await queue.approved(hold(2).id, by="human:ana", now=NOW)
    decided = [await queue.find(HOLD.id), await queue.find(hold(2).id)]
    for number in (1, 2):
        assert not await queue.claim(hold(number).id)
        assert not await queue.reject(hold(number).id, by="human:eve", now=NOW, reason="second")
        await queue.release(hold(number).id)
        await queue.approved(hold(number).id, by="human:eve", now=NOW)
    await queue.withdraw([HOLD.id, hold(2).id])
    await queue.recover()
    assert [await queue.find(HOLD.id), await queue.find(hold(2).id)] == decided


async def test_an_approval_needs_a_claim(queue: HoldQueue) -> None:
    await queue.add([HOLD])
    await queue.approved(HOLD.id, by="human:ana", now=NOW)
    assert await queue.find(HOLD.id) == HOLD


async def test_a_withdrawn_hold_never_was(queue: HoldQueue) -> None:
    await queue.add([HOLD, hold(2), hold(3)])
    await queue.claim(hold(3).id)
    await queue.withdraw([HOLD.id, hold(3).id, hold(4).id])
    await queue.withdraw([])
    assert [await state(queue, hold(number).id) for number in (1, 2, 3)] == [
        None,
        HoldState.PENDING,
        HoldState.DECIDING,
    ]


async def test_what_was_claimed_when_the_gateway_died_is_pending_again(queue: HoldQueue) -> None:
    await queue.add([HOLD, hold(2)])
    await queue.claim(HOLD.id)
    await queue.reject(hold(2).id, by="human:ana", now=NOW, reason=None)
    await queue.recover()
    assert [await state(queue), await state(queue, hold(2).id)] == [HoldState.PENDING, HoldState.REJECTED]


async def test_a_queue_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    database = Database.open(tmp_path)
    queue = HoldQueue(database)
    await database.run(lambda connection: connection.exec_driver_sql("alter table holds rename to gone"))
    with pytest.raises(DatabaseError) as caught:
        await queue.add([HOLD])
    database.close()
    assert TEXT not in str(caught.value)
