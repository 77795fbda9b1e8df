from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from store.embed.hashing import HashingEmbedder
from store.errors import StoreUnavailable
from store.lance import LanceStore
from store.memory import Category, Memory, Scalar, Selection
from store.permit import ReadPermit
from store.protocol import MemoryStore
from store.reference import ReferenceStore
from tests.store.builders import later, may_forget, may_read, may_write, memory, new_id
from tests.store.conformance import ANY
from tests.store.lance.rig import opened


def close_the_engine(store: LanceStore) -> None:
    """Behind the store's back. The engine then panics, which is not even an ``Exception``."""
    store._dataset.memories.close()  # type: ignore[no-untyped-call] # lancedb leaves close without annotations


CALLS: dict[str, Callable[[MemoryStore], Awaitable[object]]] = {
    "check": lambda store: store.check(),
    "locate": lambda store: store.locate([new_id()]),
    "recall": lambda store: store.recall(may_read("org/acme"), "rocket", ANY, 3),
    "list": lambda store: store.list(may_read("org/acme"), ANY, 3),
    "get": lambda store: store.get(may_read("org/acme"), [new_id()]),
    "remember": lambda store: store.remember(may_write(), [memory("rocket")]),
    "forget": lambda store: store.forget(may_forget(), [new_id()]),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_what_the_engine_fails_is_unavailable_and_quotes_nothing(
    store: LanceStore, call: Callable[[MemoryStore], Awaitable[object]]
) -> None:
    await store.remember(may_write(), [memory()])
    close_the_engine(store)
    with pytest.raises(StoreUnavailable) as caught:
        await call(store)
    assert "rocket" not in str(caught.value)
    assert "01900000" not in str(caught.value)


async def test_no_permitted_scope_means_that_the_engine_is_not_asked(store: LanceStore) -> None:
    close_the_engine(store)
    permit = may_read("org/nobody")
    assert await store.recall(permit, "rocket", ANY, 3) == []
    assert await store.list(permit, ANY, 3) == []
    assert await store.get(permit, [new_id()]) == []


WORDS = ["rocket", "launch", "monday", "tea", "budget", "Ana", "日本語", "o'hara"]
PATHS = ["/", "org/acme", "org/other", *(f"org/acme/agent/a{number}" for number in range(20))]
TAGS: list[Scalar] = ["red", "blue", 1, 1.0, True, False, 0, None]


def random_memory(chance: random.Random) -> Memory:
    return memory(
        " ".join(chance.choices(WORDS, k=chance.randrange(5))),
        chance.choice(PATHS),
        category=chance.choice(list(Category)),
        author=chance.choice(["agent:a", "agent:b", "human:o'hara"]),
        created_at=later(chance.randrange(20)),
        metadata={
            chance.choice(["tag", "n"]): chance.choice([*TAGS, chance.sample(TAGS, 2)])
            for _ in range(chance.randrange(3))
        },
    )


def random_permit(chance: random.Random) -> ReadPermit:
    return may_read(*chance.sample(PATHS, chance.choice([0, 1, 2, 5, len(PATHS)])), "org/nobody")


def random_selection(chance: random.Random) -> Selection:
    return Selection(
        category=chance.choice([None, None, *Category]),
        metadata={chance.choice(["tag", "n"]): chance.choice(TAGS)} if chance.random() < 0.5 else {},
        author=chance.choice([None, None, "agent:a", "human:o'hara"]),
        since=chance.choice([None, None, later(5)]),
        until=chance.choice([None, None, later(15)]),
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_every_answer_equals_the_references(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    reference = ReferenceStore(HashingEmbedder())
    async with opened(tmp_path, compact_every_commits=7) as store:
        stored: list[Memory] = []
        for _ in range(3):
            added = [random_memory(chance) for _ in range(150)]
            chance.shuffle(added)
            stored += added
            await asyncio.gather(*(store.remember(may_write(str(one.scope)), [one]) for one in added))
            for one in added:
                await reference.remember(may_write(str(one.scope)), [one])
            for doomed in chance.sample(stored, 15):
                permit = may_forget(chance.choice([str(doomed.scope), "org/acme"]))
                assert await store.forget(permit, [doomed.id]) == await reference.forget(permit, [doomed.id])
            for _ in range(40):
                await assert_same_answers(store, reference, chance, stored)
        assert await store.scopes() == await reference.scopes()
        located = [one.id for one in stored]
        assert await store.locate(located) == await reference.locate(located)


async def assert_same_answers(
    store: MemoryStore, reference: MemoryStore, chance: random.Random, stored: list[Memory]
) -> None:
    permit, selection = random_permit(chance), random_selection(chance)
    query = " ".join(chance.choices(WORDS, k=chance.randrange(4)))
    top_k = chance.choice([1, 3, 10, 70, 1000])
    before = chance.choice([None, chance.choice(stored).id])
    wanted = [one.id for one in chance.sample(stored, 5)]
    hits = await store.recall(permit, query, selection, top_k)
    expected = await reference.recall(permit, query, selection, top_k)
    assert [hit.memory for hit in hits] == [hit.memory for hit in expected]
    assert [hit.score for hit in hits] == pytest.approx([hit.score for hit in expected], abs=1e-5)
    assert await store.list(permit, selection, top_k, before) == await reference.list(permit, selection, top_k, before)
    assert await store.get(permit, wanted) == await reference.get(permit, wanted)


class Embedding(HashingEmbedder):
    """A hashing embedder that fails as told."""

    failure: Exception | None = None
    stain: float = 0

    def embed(self, texts: Sequence[str]) -> Any:
        if self.failure:
            raise self.failure
        return super().embed(texts) + np.float32(self.stain)


@pytest.mark.parametrize(
    "broken",
    [{"failure": RuntimeError("cannot embed 'the rocket flies on Monday'")}, {"stain": float("nan")}],
    ids=["raises", "gives NaN"],
)
async def test_a_failing_embedder_stores_nothing_and_quotes_nothing(tmp_path: Path, broken: dict[str, Any]) -> None:
    embedder = Embedding()
    store = await LanceStore.open(tmp_path, embedder)
    await store.remember(may_write(), [memory("tea")])
    one = memory()
    vars(embedder).update(broken)
    with pytest.raises(StoreUnavailable) as caught:
        await store.remember(may_write(), [one])
    assert "rocket" not in str(caught.value)
    with pytest.raises(StoreUnavailable) as caught:
        await store.recall(may_read("org/acme"), "rocket", ANY, 1)
    assert "rocket" not in str(caught.value)
    assert await store.locate([one.id]) == {}
    await store.close()
