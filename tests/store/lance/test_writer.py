from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from store.errors import StoreBusy, StoreUnavailable
from store.lance import LanceStore
from tests.store.builders import may_forget, may_write, memories, memory
from tests.store.conformance import everything
from tests.store.lance.rig import HeldUp, disk_full, held_up, intercepted, opened, panic, versions


async def test_hundreds_of_callers_share_a_few_commits(store: LanceStore) -> None:
    before = await versions(store)
    batches = [memories(f"note {number}", within=f"org/acme/agent/a{number % 9}") for number in range(400)]
    await asyncio.gather(*(store.remember(may_write(str(batch[0].scope)), batch) for batch in batches))
    assert {one.id for one in await everything(store)} == {one.id for batch in batches for one in batch}
    assert await versions(store) - before < 100


async def test_callers_that_wait_for_the_writer_are_committed_together(store: LanceStore) -> None:
    async with held_up(store) as rig:
        before = await versions(store)
        waiting = [asyncio.create_task(store.remember(may_write(), memories("note"))) for _ in range(50)]
        await rig.queued(50)
        rig.release()
        await asyncio.gather(*waiting)
    assert await versions(store) - before == 2


async def test_a_full_queue_refuses_at_once_and_stores_nothing_of_it(tmp_path: Path) -> None:
    async with opened(tmp_path, queue_max_calls=2) as store, held_up(store) as rig:
        first, second, refused = memories("first", "second", "refused")
        waiting = [asyncio.create_task(store.remember(may_write(), [one])) for one in (first, second)]
        await rig.queued(2)
        with pytest.raises(StoreBusy):
            await store.remember(may_write(), [refused])
        with pytest.raises(StoreBusy):
            await store.forget(may_forget(), [first.id])
        rig.release()
        await asyncio.gather(*waiting)
        located = await store.locate([first.id, second.id, refused.id])
        assert located.keys() == {first.id, second.id}
        await store.remember(may_write(), [refused])


@pytest.mark.parametrize("failure", [disk_full, panic])
async def test_a_failing_commit_reaches_every_caller_and_stores_nothing(
    store: LanceStore, caplog: pytest.LogCaptureFixture, failure: Callable[[], Awaitable[None]]
) -> None:
    batches = [memories("the rocket flies on Monday", "tea") for _ in range(10)]
    with intercepted(store, "add", failure):
        results = await asyncio.gather(
            *(store.remember(may_write(), batch) for batch in batches), return_exceptions=True
        )
    assert [type(result) for result in results] == [StoreUnavailable] * 10
    assert len({id(result) for result in results}) == 10
    for result in results:
        assert "rocket" not in str(result)
        assert isinstance(result, StoreUnavailable)
        assert result.__suppress_context__ or result.__context__ is None
    assert "rocket" not in caplog.text
    assert await everything(store) == []
    await store.remember(may_write(), batches[0])
    assert await everything(store) == batches[0][::-1]


async def test_a_failing_removal_reaches_its_caller_and_the_writer_goes_on(store: LanceStore) -> None:
    one = memory()
    await store.remember(may_write(), [one])
    with intercepted(store, "delete", disk_full), pytest.raises(StoreUnavailable):
        await store.forget(may_forget(), [one.id])
    assert await everything(store) == [one]
    assert await store.forget(may_forget(), [one.id]) == [one.id]


async def test_a_caller_that_gives_up_while_waiting_stores_nothing_and_breaks_nobody(store: LanceStore) -> None:
    async with held_up(store) as rig:
        kept, given_up = memories("kept", "given up")
        waiting = asyncio.create_task(store.remember(may_write(), [kept]))
        leaving = asyncio.create_task(store.remember(may_write(), [given_up]))
        await rig.queued(2)
        leaving.cancel()
        rig.release()
        await waiting
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert (await store.locate([kept.id, given_up.id])).keys() == {kept.id}


async def test_a_caller_that_gives_up_during_its_commit_breaks_nobody(store: LanceStore) -> None:
    rig = HeldUp()
    with intercepted(store, "add", rig.hold):
        leaving = asyncio.create_task(store.remember(may_write(), memories("leaving")))
        await rig.stuck()
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        rig.release()
        await store.remember(may_write(), memories("staying"))
    assert "staying" in [one.content for one in await everything(store)]


async def test_closing_finishes_what_was_accepted(tmp_path: Path) -> None:
    batch = memories(*(f"note {number}" for number in range(30)))
    async with opened(tmp_path) as store, held_up(store) as rig:
        waiting = [asyncio.create_task(store.remember(may_write(), [one])) for one in batch]
        await rig.queued(30)
        closing = asyncio.create_task(store.close())
        too_late = asyncio.create_task(store.remember(may_write(), memories("too late")))
        with pytest.raises(StoreUnavailable, match="closed"):
            await too_late
        rig.release()
        await asyncio.gather(*waiting, closing)
    async with opened(tmp_path) as store:
        assert (await store.locate([one.id for one in batch])).keys() == {one.id for one in batch}
