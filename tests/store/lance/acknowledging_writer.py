"""A program that a test kills: it writes without end and prints each id once its write was acknowledged."""

from __future__ import annotations

import asyncio
import sys
from itertools import count
from pathlib import Path

from store.embed.hashing import HashingEmbedder
from store.lance import LanceStore
from tests.store.builders import may_forget, may_write, memory


async def write_without_end(folder: Path) -> None:
    store = await LanceStore.open(folder, HashingEmbedder(16), compact_every_commits=5)
    await asyncio.gather(*(_writer(store, f"org/acme/agent/a{number}") for number in range(8)))


async def _writer(store: LanceStore, path: str) -> None:
    for number in count():
        batch = [memory(f"note {number}", path) for _ in range(1 + number % 3)]
        await store.remember(may_write(path), batch)
        for one in batch:
            say("stored", one.id)
        if number % 5 == 0:
            await store.forget(may_forget(path), [batch[0].id])
            say("forgotten", batch[0].id)


def say(what: str, memory_id: str) -> None:
    sys.stdout.write(f"{what} {memory_id}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(write_without_end(Path(sys.argv[1])))
