from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from store.lance import LanceStore
from tests.store.builders import may_forget, may_read, may_write, memories, memory
from tests.store.conformance import ANY, contents, everything
from tests.store.lance.rig import disk_full, opened


async def test_compaction_keeps_fragments_few_and_answers_the_same(tmp_path: Path) -> None:
    stored = memories(*(f"rocket {number}" for number in range(60)))
    async with opened(tmp_path, compact_every_commits=10) as store:
        for one in stored:
            await store.remember(may_write(), [one])
        await store._upkeep.close()
        stats = await store._dataset.memories.stats()
        assert stats["fragment_stats"]["num_fragments"] < 30
        assert await everything(store) == stored[::-1]
        assert contents(await store.recall(may_read("org/acme"), "rocket 7", ANY, 1)) == ["rocket 7"]


async def test_reads_and_writes_and_removals_go_on_during_compaction(
    store: LanceStore, caplog: pytest.LogCaptureFixture
) -> None:
    stored = memories(*(f"rocket {number}" for number in range(40)))
    for one in stored:
        await store.remember(may_write(), [one])

    async def churn() -> None:
        for one in stored[::2]:
            assert await store.forget(may_forget(), [one.id]) == [one.id]
            await store.remember(may_write(), memories("later rocket", within="org/acme"))
            assert await store.recall(may_read("org/acme"), "rocket", ANY, 3)

    async def compact() -> None:
        for _ in range(10):
            await store._upkeep.compact()

    await asyncio.gather(churn(), compact())
    assert not caplog.records, "a removal made a compaction fail"
    left = await everything(store)
    assert [one.content for one in left].count("later rocket") == 20
    assert [one for one in left if one.content != "later rocket"] == stored[1::2][::-1]


async def test_a_failing_compaction_is_logged_without_content_and_disturbs_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing:
        name = "memories"

        async def optimize(self, **_: object) -> None:
            await disk_full()

    async with opened(tmp_path, compact_every_commits=1) as store:
        store._upkeep._tables = [Failing()]  # type: ignore[list-item] # stands in
        with caplog.at_level(logging.INFO, "scopegate.store"):
            await store.remember(may_write(), [memory()])
            await store._upkeep.close()
            await store.remember(may_write(), [memory()])
        assert len(await everything(store)) == 2
    [record, *_] = [record for record in caplog.records if vars(record).get("operation") == "compact"]
    assert vars(record)["error_kind"] == "OSError"
    assert "rocket" not in caplog.text
