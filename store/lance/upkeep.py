"""Keeping the tables small: a commit leaves a fragment and a version behind, and both slow every later read."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from lancedb.table import AsyncTable

from store.errors import StoreUnavailable
from store.lance.engine import answering

logger = logging.getLogger("scopegate.store")

# A search that began on an older version must be able to end on it.
KEEP_VERSIONS = timedelta(minutes=2)


class Upkeep:
    """Compacts ``tables`` in the background after every ``every_commits`` commits. Its failures are logged only."""

    def __init__(self, tables: Sequence[AsyncTable], every_commits: int) -> None:
        self._tables = tables
        self._every_commits = every_commits
        self._commits = 0
        self._task: asyncio.Task[None] | None = None
        self._rewriting = asyncio.Lock()

    def committed(self) -> None:
        """Count a commit; start a compaction when one is due and none runs."""
        self._commits += 1
        if self._commits >= self._every_commits and (self._task is None or self._task.done()):
            self._commits = 0
            self._task = asyncio.create_task(self.compact())

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Keep compaction away: it conflicts with whatever else rewrites fragments, such as a delete."""
        async with self._rewriting:
            yield

    async def compact(self) -> None:
        """Merge small fragments, bring indices up to date, remove versions that nobody reads any more."""
        for table in self._tables:
            began = time.monotonic()
            with suppress(StoreUnavailable), answering("compact"):
                async with self._rewriting:
                    await table.optimize(cleanup_older_than=KEEP_VERSIONS)
                seconds = round(time.monotonic() - began, 3)
                logger.info("compacted", extra={"table": table.name, "duration_s": seconds})

    async def close(self) -> None:
        """Wait for a running compaction."""
        if self._task is not None:
            await self._task
