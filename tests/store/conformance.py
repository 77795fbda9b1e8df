"""What every store promises, written once and inherited by the tests of each implementation.

A subclass gives a ``store`` fixture: an empty store on ``HashingEmbedder()``, under which texts are near when they
share words, the order of words does not matter, and a text without words is the zero vector.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from store.errors import PermitMismatch, StoreUnavailable, Unstorable
from store.memory import JSON, Category, Hit, Memory, Provenance, Scalar, Selection
from store.protocol import MemoryStore
from tests.store.builders import (
    later,
    may_forget,
    may_read,
    may_write,
    memories,
    memory,
    new_id,
    scope,
)

ANY = Selection()

CONTENTS = {
    "plain": "the rocket flies on Monday",
    "empty": "",
    "quotes": """it's "quoted" `so` -- ; DROP TABLE memories; '' \\' %_""",
    "unicode": "żółć Ελληνικά 日本語 עברית e\u0301",
    "emoji": "👩‍🚀🚀🇪🇺",
    "control characters": "a\x00b\x01c\r\n\t\x7f\u2028",
    "64 KiB": "all work and no play " * 3121,
    "64 KiB without a space": "x" * 65536,
}

CALLS: dict[str, Callable[[MemoryStore], Awaitable[object]]] = {
    "scopes": lambda store: store.scopes(),
    "locate": lambda store: store.locate([new_id()]),
    "remember": lambda store: store.remember(may_write(), [memory()]),
    "recall": lambda store: store.recall(may_read("org/acme"), "rocket", ANY, 3),
    "list": lambda store: store.list(may_read("org/acme"), ANY, 3),
    "get": lambda store: store.get(may_read("org/acme"), [new_id()]),
    "forget": lambda store: store.forget(may_forget(), [new_id()]),
    "check": lambda store: store.check(),
}

METADATA: list[tuple[dict[str, JSON], dict[str, Scalar], bool]] = [
    ({"tag": "red"}, {}, True),
    ({"tag": "red"}, {"tag": "red"}, True),
    ({"tag": "red"}, {"tag": "Red"}, False),
    ({"tag": "red"}, {"other": "red"}, False),
    ({}, {"tag": "red"}, False),
    ({"tag": "red", "size": 3}, {"tag": "red", "size": 3}, True),
    ({"tag": "red", "size": 3}, {"tag": "red", "size": 4}, False),
    ({"tag": ["red", "blue"]}, {"tag": "blue"}, True),
    ({"tag": ["red", "blue"]}, {"tag": "green"}, False),
    ({"tag": []}, {"tag": "red"}, False),
    ({"tag": [["red"]]}, {"tag": "red"}, False),
    ({"tag": {"red": True}}, {"tag": "red"}, False),
    ({"tag": "a red one"}, {"tag": "red"}, False),
    ({"n": 1}, {"n": 1}, True),
    ({"n": 1}, {"n": 1.0}, True),
    ({"n": 1.0}, {"n": 1}, True),
    ({"n": 1}, {"n": "1"}, False),
    ({"n": 1}, {"n": True}, False),
    ({"n": True}, {"n": 1}, False),
    ({"n": True}, {"n": True}, True),
    ({"n": False}, {"n": 0}, False),
    ({"n": [1, 2]}, {"n": True}, False),
    ({"n": [True]}, {"n": 1}, False),
    ({"n": [True]}, {"n": True}, True),
    ({"n": 2**80}, {"n": 2**80}, True),
    ({"n": 2**53}, {"n": 2**53 + 1}, False),
    ({"n": None}, {"n": None}, True),
    ({}, {"n": None}, False),
    ({"n": [None]}, {"n": None}, True),
    ({"n": 0}, {"n": None}, False),
    ({"": "nameless"}, {"": "nameless"}, True),
    ({"it's": 'a "quote"'}, {"it's": 'a "quote"'}, True),
    ({"tag": "x' OR '1'='1"}, {"tag": "x"}, False),
    ({"klé": "日本語"}, {"klé": "日本語"}, True),
]


def contents(hits: list[Hit]) -> list[str]:
    return [hit.memory.content for hit in hits]


def ids(found: list[Memory]) -> list[str]:
    return [one.id for one in found]


async def everything(store: MemoryStore) -> list[Memory]:
    known = await store.scopes()
    return await store.list(may_read(*map(str, known)), ANY, 10_000)


class MemoryStoreContract:
    """Inherit, and give a ``store`` fixture."""

    # --- remember and get -------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
    async def test_content_comes_back_as_it_was(self, store: MemoryStore, content: str) -> None:
        stored = memory(content)
        await store.remember(may_write(), [stored])
        assert await store.get(may_read("org/acme"), [stored.id]) == [stored]
        assert await store.list(may_read("org/acme"), ANY, 3) == [stored]
        [hit] = await store.recall(may_read("org/acme"), "rocket", ANY, 3)
        assert hit.memory == stored

    async def test_every_field_comes_back_as_it_was(self, store: MemoryStore) -> None:
        stored = Memory(
            id=new_id(),
            scope=scope("user/ana/org/acme"),
            content="tea, not coffee",
            category=Category.UNCERTAINTY,
            created_at=datetime(2026, 2, 28, 23, 59, 59, 999_999, tzinfo=UTC),
            valid_from=datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
            valid_until=datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
            metadata={"tags": ["a", 1, 1.5, None, True, {"deep": []}], "naïve": "\ud800 is fine in JSON", "n": 2**70},
            provenance=Provenance(
                principal="human:ana",
                key_id="k",
                request_id="r",
                verdict="redact",
                policy_version="v",
                session_id="s",
                derived_from=(new_id(), new_id()),
                approved_by="human:bo",
            ),
        )
        await store.remember(may_write("org/acme/user/ana"), [stored])
        [found] = await store.get(may_read("org/acme/user/ana"), [stored.id])
        assert found == stored
        assert repr(found.metadata) == repr(stored.metadata)
        assert isinstance(found.provenance.derived_from, tuple)
        assert found.valid_until is not None
        assert found.created_at.utcoffset() == timedelta(0)

    async def test_times_are_kept_as_instants(self, store: MemoryStore) -> None:
        local = datetime(2026, 3, 1, 9, 30, tzinfo=timezone(timedelta(hours=2)))
        stored = memory(created_at=local)
        await store.remember(may_write(), [stored])
        [found] = await store.get(may_read("org/acme"), [stored.id])
        assert found.created_at == local

    async def test_a_write_outside_its_permit_is_refused_and_stores_nothing(self, store: MemoryStore) -> None:
        batch = [memory(within="org/acme"), memory(within="org/acme/agent/planner")]
        with pytest.raises(PermitMismatch, match=r"org/acme|agent/planner/org/acme"):
            await store.remember(may_write("org/acme"), batch)
        assert await store.scopes() == frozenset()
        assert await store.locate([one.id for one in batch]) == {}

    @pytest.mark.parametrize(
        "broken",
        [
            {"content": "an unpaired \ud800 surrogate"},
            {"metadata": {"when": datetime(2026, 1, 1, tzinfo=UTC)}},
            {"metadata": {"tags": {"a", "set"}}},
        ],
        ids=["surrogate", "a date", "a set"],
    )
    async def test_what_nobody_can_store_is_refused_without_a_trace(
        self, store: MemoryStore, broken: dict[str, object]
    ) -> None:
        whole, defective = memory(), replace(memory("private words"), **broken)  # type: ignore[arg-type] # on purpose
        with pytest.raises(Unstorable) as caught:
            await store.remember(may_write(), [whole, defective])
        assert defective.id in str(caught.value)
        assert "private" not in str(caught.value)
        assert await store.locate([whole.id, defective.id]) == {}

    async def test_remembering_nothing_is_harmless(self, store: MemoryStore) -> None:
        await store.remember(may_write(), [])
        assert await store.scopes() == frozenset()

    async def test_a_memory_does_not_change_with_the_callers_objects(self, store: MemoryStore) -> None:
        tags: list[JSON] = ["red"]
        stored = memory(metadata={"tags": tags})
        await store.remember(may_write(), [stored])
        tags.append("blue")
        [found] = await store.get(may_read("org/acme"), [stored.id])
        assert found.metadata == {"tags": ["red"]}
        assert isinstance(found.metadata, dict)
        found.metadata["tags"] = "changed by a reader"
        [again] = await store.get(may_read("org/acme"), [stored.id])
        assert again.metadata == {"tags": ["red"]}

    async def test_many_callers_at_once_are_all_stored(self, store: MemoryStore) -> None:
        batches = [memories(f"note {number}", within=f"org/acme/agent/a{number % 7}") for number in range(60)]
        await asyncio.gather(*(store.remember(may_write(str(batch[0].scope)), batch) for batch in batches))
        assert ids(await everything(store)) == [batch[0].id for batch in reversed(batches)]

    # --- retry ------------------------------------------------------------------------------------------------------

    async def test_a_retry_leaves_what_is_stored_and_adds_the_rest(self, store: MemoryStore) -> None:
        first, second = memories("as it was", "new")
        await store.remember(may_write(), [first])
        await store.remember(may_write(), [replace(first, content="changed"), second], retry=True)
        assert await everything(store) == [second, first]

    async def test_a_retry_of_everything_changes_nothing(self, store: MemoryStore) -> None:
        batch = memories("one", "two")
        for _ in range(3):
            await store.remember(may_write(), batch, retry=True)
        assert await everything(store) == batch[::-1]

    async def test_retries_at_the_same_time_store_once(self, store: MemoryStore) -> None:
        batch = memories("one", "two")
        await asyncio.gather(*(store.remember(may_write(), batch, retry=True) for _ in range(8)))
        assert await everything(store) == batch[::-1]

    async def test_an_id_given_twice_in_a_retry_is_stored_once(self, store: MemoryStore) -> None:
        one = memory()
        await store.remember(may_write(), [one, one], retry=True)
        assert await everything(store) == [one]

    async def test_a_retry_outside_its_permit_is_refused(self, store: MemoryStore) -> None:
        one = memory()
        await store.remember(may_write(), [one])
        with pytest.raises(PermitMismatch):
            await store.remember(may_write("org/other"), [one], retry=True)

    # --- scopes and locate ------------------------------------------------------------------------------------------

    async def test_scopes_are_those_ever_written_into(self, store: MemoryStore) -> None:
        assert await store.scopes() == frozenset()
        one, two = memory(within="org/acme"), memory(within="agent/a/org/acme")
        await store.remember(may_write("org/acme"), [one])
        await store.remember(may_write("org/acme/agent/a"), [two])
        await store.forget(may_forget("org/acme"), [one.id])
        assert await store.scopes() == {one.scope, two.scope}

    async def test_the_empty_scope_is_a_scope_like_any_other(self, store: MemoryStore) -> None:
        at_the_root, below = memory(within="/"), memory(within="org/acme")
        await store.remember(may_write("/"), [at_the_root])
        await store.remember(may_write("org/acme"), [below])
        assert await store.list(may_read("/"), ANY, 5) == [at_the_root]
        assert await store.list(may_read("org/acme"), ANY, 5) == [below]
        assert scope("/") in await store.scopes()

    async def test_locate_says_where_memories_lie_and_skips_those_that_do_not_exist(self, store: MemoryStore) -> None:
        one, two = memory(within="org/acme"), memory(within="org/acme/agent/a")
        await store.remember(may_write("org/acme"), [one])
        await store.remember(may_write("org/acme/agent/a"), [two])
        assert await store.locate([new_id(), two.id, one.id, "'"]) == {one.id: one.scope, two.id: two.scope}
        assert await store.locate([]) == {}

    # --- permits ----------------------------------------------------------------------------------------------------

    async def test_a_permit_covers_its_scopes_and_neither_what_is_above_nor_below(self, store: MemoryStore) -> None:
        for path in ("org/acme", "org/acme/project/q3", "org/acme/project/q3/agent/a", "org/acme/project/q4"):
            await store.remember(may_write(path), memories("rocket", within=path))
        for path in ("org/acme/project/q3", "org/acme/project/q4"):
            permit = may_read(path)
            assert [hit.memory.scope for hit in await store.recall(permit, "rocket", ANY, 9)] == [scope(path)]
            assert [one.scope for one in await store.list(permit, ANY, 9)] == [scope(path)]

    async def test_an_empty_permit_and_an_unknown_scope_find_nothing(self, store: MemoryStore) -> None:
        one = memory()
        await store.remember(may_write(), [one])
        for permit in (may_read(), may_read("org/nobody"), may_read("/")):
            assert await store.recall(permit, "rocket", ANY, 9) == []
            assert await store.list(permit, ANY, 9) == []
            assert await store.get(permit, [one.id]) == []

    async def test_an_empty_store_finds_nothing(self, store: MemoryStore) -> None:
        assert await store.recall(may_read("org/acme"), "rocket", ANY, 9) == []
        assert await store.list(may_read("org/acme"), ANY, 9) == []
        assert await store.forget(may_forget(), [new_id()]) == []

    async def test_top_k_is_taken_among_permitted_memories_only(self, store: MemoryStore) -> None:
        nearer = [memory("rocket launch monday", "org/acme/agent/other") for _ in range(200)]
        farther = [memory(f"rocket {word} and other things", "org/acme/agent/me") for word in "abcde"]
        await store.remember(may_write("org/acme/agent/other"), nearer)
        await store.remember(may_write("org/acme/agent/me"), farther)
        hits = await store.recall(may_read("org/acme/agent/me"), "rocket launch monday", ANY, 5)
        assert {hit.memory.id for hit in hits} == {one.id for one in farther}

    async def test_answers_do_not_depend_on_memories_outside_the_permit(self, store: MemoryStore) -> None:
        await store.remember(
            may_write("org/acme/agent/me"), memories("rocket one", "tea two", within="org/acme/agent/me")
        )
        permit = may_read("org/acme/agent/me")
        before = await store.recall(permit, "rocket tea", ANY, 9), await store.list(permit, ANY, 9)
        for number in range(5):
            await store.remember(may_write("org/acme"), memories(*["rocket tea"] * (number + 1)))
        assert (await store.recall(permit, "rocket tea", ANY, 9), await store.list(permit, ANY, 9)) == before

    async def test_a_permit_of_thousands_of_scopes_works(self, store: MemoryStore) -> None:
        written = [f"org/acme/agent/a{number}" for number in range(0, 3000, 60)]
        stored = [memory(f"rocket {path}", path) for path in written]
        await asyncio.gather(*(store.remember(may_write(str(one.scope)), [one]) for one in stored))
        unread = memory("rocket", "org/other")
        await store.remember(may_write("org/other"), [unread])
        permit = may_read(*(f"org/acme/agent/a{number}" for number in range(3000)))
        hits = await store.recall(permit, "rocket", ANY, 100)
        assert {hit.memory.id for hit in hits} == {one.id for one in stored}
        assert await store.list(permit, ANY, 100) == stored[::-1]

    # --- recall -----------------------------------------------------------------------------------------------------

    async def test_the_nearest_come_first_with_cosine_scores(self, store: MemoryStore) -> None:
        await store.remember(may_write(), memories("rocket", "rocket launch", "tea", "rocket launch monday noon"))
        hits = await store.recall(may_read("org/acme"), "Rocket launch", ANY, 3)
        assert contents(hits) == ["rocket launch", "rocket launch monday noon", "rocket"]
        assert [hit.score for hit in hits] == pytest.approx([1, 0.5**0.5, 0.5**0.5], abs=1e-5)
        assert all(hit.score <= 1 for hit in hits)

    async def test_equal_scores_come_newest_first_across_scopes(self, store: MemoryStore) -> None:
        older = memory("rocket launch", "org/acme")
        copy = memory("launch rocket", "org/acme/project/q3")
        newest = memory("rocket launch", "org/acme")
        for one in (newest, older, copy):
            await store.remember(may_write(str(one.scope)), [one])
        for top_k in (1, 2, 3):
            hits = await store.recall(may_read("org/acme", "org/acme/project/q3"), "rocket launch", ANY, top_k)
            assert [hit.memory.id for hit in hits] == [newest.id, copy.id, older.id][:top_k]

    @pytest.mark.parametrize("top_k", [1, 63, 64, 65, 299])
    async def test_a_tie_at_the_last_place_goes_to_the_newest(self, store: MemoryStore, top_k: int) -> None:
        same = memories(*["rocket launch"] * 300)
        shuffled = same[1::2] + same[::2]
        await store.remember(may_write(), [memory("rocket"), *shuffled])
        hits = await store.recall(may_read("org/acme"), "rocket launch", ANY, top_k)
        assert [hit.memory.id for hit in hits] == [one.id for one in reversed(same)][:top_k]

    @pytest.mark.parametrize("query", ["", "!?", "🚀", "\ud800"])
    async def test_a_query_without_words_scores_zero_and_gives_the_newest(self, store: MemoryStore, query: str) -> None:
        stored = memories("rocket", "tea", "", "launch")
        await store.remember(may_write(), stored)
        hits = await store.recall(may_read("org/acme"), query, ANY, 3)
        assert [(hit.memory.id, hit.score) for hit in hits] == [(one.id, 0) for one in stored[:0:-1]]

    async def test_content_without_words_is_found_with_score_zero(self, store: MemoryStore) -> None:
        await store.remember(may_write(), memories("rocket", "!!!", ""))
        hits = await store.recall(may_read("org/acme"), "rocket", ANY, 9)
        assert [(hit.memory.content, hit.score) for hit in hits] == [("rocket", 1), ("", 0), ("!!!", 0)]

    @pytest.mark.parametrize("top_k", [0, -1])
    async def test_asking_for_no_hits_gives_none(self, store: MemoryStore, top_k: int) -> None:
        await store.remember(may_write(), [memory()])
        assert await store.recall(may_read("org/acme"), "rocket", ANY, top_k) == []
        assert await store.list(may_read("org/acme"), ANY, top_k) == []

    async def test_asking_for_more_than_there_is_gives_all(self, store: MemoryStore) -> None:
        await store.remember(may_write(), memories("rocket", "tea"))
        assert len(await store.recall(may_read("org/acme"), "rocket", ANY, 1_000_000)) == 2
        assert len(await store.list(may_read("org/acme"), ANY, 1_000_000)) == 2

    # --- selections -------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize(("stored", "wanted", "agrees"), METADATA)
    async def test_metadata_is_matched_by_value(
        self, store: MemoryStore, stored: dict[str, JSON], wanted: dict[str, Scalar], agrees: bool
    ) -> None:
        await store.remember(may_write(), [memory("rocket", metadata=stored)])
        selection = Selection(metadata=wanted)
        assert bool(await store.recall(may_read("org/acme"), "rocket", selection, 1)) is agrees
        assert bool(await store.list(may_read("org/acme"), selection, 1)) is agrees

    async def test_metadata_is_matched_before_the_best_are_taken(self, store: MemoryStore) -> None:
        crowd = [memory("rocket launch", metadata={"tag": "crowd"}) for _ in range(400)]
        rare = [memory(f"rocket {word} something else", metadata={"tag": ["rare"]}) for word in "abc"]
        newer = [memory("rocket launch", metadata={}) for _ in range(100)]
        await store.remember(may_write(), [*crowd, *rare, *newer])
        selection = Selection(metadata={"tag": "rare"})
        hits = await store.recall(may_read("org/acme"), "rocket launch", selection, 2)
        assert [hit.memory.id for hit in hits] == [rare[2].id, rare[1].id]
        assert await store.list(may_read("org/acme"), selection, 2) == [rare[2], rare[1]]
        assert await store.list(may_read("org/acme"), selection, 2, before=rare[1].id) == [rare[0]]

    async def test_category_and_author_and_time_narrow(self, store: MemoryStore) -> None:
        one = memory("rocket", category=Category.EPISODIC, author="agent:a", created_at=later(0))
        two = memory("rocket", category=Category.KNOWLEDGE, author="human:o'hara", created_at=later(0.000_001))
        three = memory("rocket", category=Category.KNOWLEDGE, author="agent:a", created_at=later(0.000_002))
        await store.remember(may_write(), [one, two, three])
        table = [
            (Selection(category=Category.EPISODIC), [one]),
            (Selection(category=Category.CONTEXT), []),
            (Selection(author="agent:a"), [three, one]),
            (Selection(author="human:o'hara"), [two]),
            (Selection(author="x' OR '1'='1"), []),
            (Selection(author=""), []),
            (Selection(since=two.created_at), [three, two]),
            (Selection(until=two.created_at), [one]),
            (Selection(since=two.created_at, until=two.created_at), []),
            (Selection(since=two.created_at, until=three.created_at), [two]),
            (
                Selection(since=datetime.min.replace(tzinfo=UTC), until=datetime.max.replace(tzinfo=UTC)),
                [three, two, one],
            ),
            (Selection(category=Category.KNOWLEDGE, author="agent:a", since=two.created_at), [three]),
        ]
        for selection, expected in table:
            assert await store.list(may_read("org/acme"), selection, 9) == expected, selection
            hits = await store.recall(may_read("org/acme"), "rocket", selection, 9)
            assert [hit.memory for hit in hits] == expected, selection
            hits = await store.recall(may_read("org/acme"), "", selection, 9)
            assert [hit.memory for hit in hits] == expected, selection

    # --- list and get -----------------------------------------------------------------------------------------------

    async def test_pages_go_from_newest_to_oldest_without_gap_or_overlap(self, store: MemoryStore) -> None:
        stored = memories(*(f"note {number}" for number in range(10)))
        hidden = memories(*["hidden"] * 10, within="org/other")
        await store.remember(may_write(), stored[5:])
        await store.remember(may_write("org/other"), hidden)
        await store.remember(may_write(), stored[:5])
        pages, before = [], None
        while page := await store.list(may_read("org/acme"), ANY, 4, before):
            pages.append(page)
            before = page[-1].id
        assert [len(page) for page in pages] == [4, 4, 2]
        assert [one for page in pages for one in page] == stored[::-1]

    @pytest.mark.parametrize("before", ["", "'", "\x00"])
    async def test_nothing_lies_before_the_beginning(self, store: MemoryStore, before: str) -> None:
        await store.remember(may_write(), [memory()])
        assert await store.list(may_read("org/acme"), ANY, 9, before) == []

    async def test_get_keeps_the_order_and_leaves_out_what_may_not_be_read(self, store: MemoryStore) -> None:
        one, two = memories("one", "two")
        hidden = memory(within="org/other")
        await store.remember(may_write(), [one, two])
        await store.remember(may_write("org/other"), [hidden])
        wanted = [two.id, hidden.id, new_id(), one.id, two.id, "' OR TRUE --"]
        assert await store.get(may_read("org/acme"), wanted) == [two, one]
        assert await store.get(may_read("org/acme"), []) == []

    # --- forget -----------------------------------------------------------------------------------------------------

    async def test_what_is_forgotten_is_gone_from_every_answer(self, store: MemoryStore) -> None:
        kept, gone, also_gone = memories("rocket kept", "rocket gone", "rocket also gone")
        await store.remember(may_write(), [kept, gone, also_gone])
        removed = await store.forget(may_forget(), [also_gone.id, new_id(), gone.id, gone.id])
        assert removed == [also_gone.id, gone.id]
        permit = may_read("org/acme")
        assert contents(await store.recall(permit, "rocket gone", ANY, 9)) == ["rocket kept"]
        assert await store.list(permit, ANY, 9) == [kept]
        assert await store.get(permit, [gone.id, kept.id]) == [kept]
        assert await store.locate([gone.id, also_gone.id]) == {}
        assert await store.forget(may_forget(), [gone.id]) == []

    async def test_forgetting_outside_the_permit_removes_nothing(self, store: MemoryStore) -> None:
        above, other = memory(within="org/acme"), memory(within="org/acme/agent/a")
        await store.remember(may_write("org/acme"), [above])
        await store.remember(may_write("org/acme/agent/a"), [other])
        assert await store.forget(may_forget("org/acme"), [other.id]) == []
        assert await store.forget(may_forget("org/nobody"), [other.id, above.id]) == []
        assert await store.forget(may_forget("org/acme"), []) == []
        assert await everything(store) == [other, above]

    async def test_a_forgotten_memory_can_be_remembered_again(self, store: MemoryStore) -> None:
        one = memory()
        await store.remember(may_write(), [one])
        await store.forget(may_forget(), [one.id])
        await store.remember(may_write(), [one], retry=True)
        assert await everything(store) == [one]

    async def test_writes_and_removals_take_effect_in_order(self, store: MemoryStore) -> None:
        batch = memories(*(f"note {number}" for number in range(20)))
        for one in batch:
            await store.remember(may_write(), [one])
            if int(one.content.removeprefix("note ")) % 2:
                assert await store.forget(may_forget(), [one.id]) == [one.id]
        assert await everything(store) == batch[::2][::-1]

    # --- check and close --------------------------------------------------------------------------------------------

    async def test_an_open_store_answers(self, store: MemoryStore) -> None:
        await store.check()

    @pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
    async def test_a_closed_store_says_so(
        self, store: MemoryStore, call: Callable[[MemoryStore], Awaitable[object]]
    ) -> None:
        await store.remember(may_write(), [memory()])
        await store.close()
        await store.close()
        with pytest.raises(StoreUnavailable, match="closed"):
            await call(store)
