"""Ids: unique, in the order of time, and the same again for a retried write."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from proxy.identity import FreshIds, RepeatableIds, is_id

START = datetime(2026, 11, 22, 10, tzinfo=UTC)


def taken(ids: FreshIds | RepeatableIds, count: int) -> list[str]:
    return [ids.next() for _ in range(count)]


@pytest.mark.parametrize("ids", [FreshIds(), RepeatableIds("seed", START)], ids=["fresh", "repeatable"])
def test_ids_are_distinct_rising_uuids_of_version_7(ids: FreshIds | RepeatableIds) -> None:
    found = taken(ids, 1_000)
    assert found == sorted(set(found))
    assert {uuid.UUID(text).version for text in found} == {7}
    assert {uuid.UUID(text).variant for text in found} == {uuid.RFC_4122}
    assert all(is_id(text) for text in found)


def test_the_same_seed_and_start_give_the_same_ids() -> None:
    assert taken(RepeatableIds("seed", START), 50) == taken(RepeatableIds("seed", START), 50)


def test_another_seed_gives_none_of_them() -> None:
    assert not set(taken(RepeatableIds("seed", START), 50)) & set(taken(RepeatableIds("other", START), 50))


def test_a_later_start_gives_greater_ids() -> None:
    later = RepeatableIds("a", START + timedelta(milliseconds=1))
    assert taken(RepeatableIds("b", START), 4_096)[-1] < later.next()


def test_a_request_names_no_more_ids_than_fit() -> None:
    ids = RepeatableIds("seed", START)
    assert len(set(taken(ids, 4_096))) == 4_096
    with pytest.raises(OverflowError, match="4096"):
        ids.next()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "batch",
        "0199AAAA-0000-7000-8000-000000000000",
        "0199aaaa00007000800000000000000 0",
        "0199aaaa000070008000000000000000",
        "{0199aaaa-0000-7000-8000-000000000000}",
        "urn:uuid:0199aaaa-0000-7000-8000-000000000000",
        "0199aaaa-0000-7000-8000-00000000000",
        "0199aaaa-0000-7000-8000-0000000000000",
        "0199aaaa-0000-7000-8000-00000000000٣",
        "0199aaaa-0000-7000-8000-000000000000\n",
        "0199aaaa-0000-7000-8000-00000000000\0",
    ],
)
def test_an_id_has_one_spelling(text: str) -> None:
    assert not is_id(text)
    assert is_id("0199aaaa-0000-7000-8000-000000000000")
