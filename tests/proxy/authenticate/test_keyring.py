"""The key ring: who a key speaks for, until when, and what is kept of it."""

import hmac
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from proxy.authenticate.key import Key
from proxy.authenticate.keyring import KeyRing, KeyTerms
from proxy.database import Database
from proxy.errors import Unauthenticated
from proxy.principal import Caller, Principal
from store.scope import EMPTY, Scope
from tests.proxy.test_database import on_disk

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
RESEARCHER = Principal.parse("agent:researcher")
TERMS = KeyTerms(RESEARCHER)
NARROW = KeyTerms(RESEARCHER, Scope.parse("org/acme"), read_only=True, expires_at=NOW + HOUR, note="for the ü demo")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database.open(tmp_path)
    yield database
    database.close()


@pytest.fixture
def ring(database: Database) -> KeyRing:
    return KeyRing(database)


async def issued(ring: KeyRing, terms: KeyTerms = TERMS) -> Key:
    key = Key.generate()
    await ring.issue(key, terms, NOW)
    return key


async def refused(ring: KeyRing, text: str | None, now: datetime = NOW) -> bool:
    try:
        await ring.authenticate(text, now)
    except Unauthenticated as error:
        return error.detail == Unauthenticated().detail
    return False


async def test_a_key_speaks_for_its_principal_with_its_floor_and_flag(ring: KeyRing) -> None:
    key, narrow = await issued(ring), await issued(ring, NARROW)
    assert await ring.authenticate(key.text, NOW) == Caller(RESEARCHER, key.id)
    assert await ring.authenticate(narrow.text, NOW) == Caller(RESEARCHER, narrow.id, Scope.parse("org/acme"), True)


async def test_the_empty_floor_is_not_the_absent_one(ring: KeyRing) -> None:
    key = await issued(ring, KeyTerms(RESEARCHER, EMPTY))
    assert (await ring.authenticate(key.text, NOW)).floor == EMPTY


async def test_missing_malformed_unknown_and_wrong_are_refused_alike(ring: KeyRing) -> None:
    key, other = await issued(ring), await issued(ring)
    texts = [
        None,
        "",
        "sg_",
        key.secret,
        Key.generate().text,
        Key(key.id, other.secret).text,
        Key(key.id, "A" * 43).text,
    ]
    assert [await refused(ring, text) for text in texts] == [True] * len(texts)


async def test_secrets_are_compared_also_where_there_is_no_such_key(ring: KeyRing, monkeypatch) -> None:
    compared = []
    monkeypatch.setattr(hmac, "compare_digest", lambda one, other: compared.append((one, other)) or False)
    key = await issued(ring)
    for text in (key.text, Key.generate().text):
        assert await refused(ring, text)
    assert [len(one) == len(other) == 64 for one, other in compared] == [True, True]


async def test_a_key_ends_at_the_very_moment_it_expires(ring: KeyRing) -> None:
    key = await issued(ring, NARROW)
    assert not await refused(ring, key.text, NOW + HOUR - INSTANT)
    assert await refused(ring, key.text, NOW + HOUR)


async def test_a_revoked_key_is_refused_at_once_and_is_revoked_only_once(ring: KeyRing) -> None:
    key = await issued(ring)
    assert await ring.revoke(key.id, NOW) is True
    assert await refused(ring, key.text)
    assert await ring.revoke(key.id, NOW + HOUR) is False
    assert await ring.revoke("nosuchkey000", NOW) is False
    record = await ring.find(key.id)
    assert record is not None
    assert record.revoked_at == NOW


async def test_rotation_keeps_the_terms_and_lets_the_old_key_end_after_the_overlap(ring: KeyRing) -> None:
    old, new = (
        await issued(ring, KeyTerms(RESEARCHER, Scope.parse("org/acme"), read_only=True, note="n")),
        Key.generate(),
    )
    record = await ring.rotate(old.id, new, HOUR, NOW)
    assert record is not None
    assert (
        record.terms.floor,
        record.terms.read_only,
        record.terms.note,
        record.terms.expires_at,
        record.replaces,
    ) == (
        Scope.parse("org/acme"),
        True,
        "n",
        None,
        old.id,
    )
    assert not await refused(ring, old.text, NOW + HOUR - INSTANT)
    assert await refused(ring, old.text, NOW + HOUR)
    assert not await refused(ring, new.text, NOW + HOUR)


async def test_rotation_lengthens_no_life(ring: KeyRing) -> None:
    old, new = await issued(ring, NARROW), Key.generate()
    assert await ring.rotate(old.id, new, 2 * HOUR, NOW) is not None
    assert await refused(ring, old.text, NOW + HOUR)
    assert await refused(ring, new.text, NOW + HOUR)


async def test_rotation_without_overlap_ends_the_old_key_at_once(ring: KeyRing) -> None:
    old, new = await issued(ring), Key.generate()
    await ring.rotate(old.id, new, timedelta(0), NOW)
    assert await refused(ring, old.text)
    assert not await refused(ring, new.text)


@pytest.mark.parametrize("ended", ["revoked", "expired", "unknown"])
async def test_a_key_that_has_ended_cannot_be_rotated(ring: KeyRing, ended: str) -> None:
    old, new = await issued(ring, NARROW), Key.generate()
    if ended == "revoked":
        await ring.revoke(old.id, NOW)
    now = NOW + HOUR if ended == "expired" else NOW
    assert await ring.rotate("nosuchkey000" if ended == "unknown" else old.id, new, HOUR, now) is None
    assert await ring.find(new.id) is None
    assert await refused(ring, new.text)


async def test_keys_are_listed_oldest_first_with_what_became_of_them(ring: KeyRing) -> None:
    first, second = await issued(ring, NARROW), Key.generate()
    await ring.issue(second, TERMS, NOW + INSTANT)
    await ring.revoke(second.id, NOW + HOUR)
    listed = await ring.list()
    assert [(record.id, record.terms, record.revoked_at) for record in listed] == [
        (first.id, NARROW, None),
        (second.id, TERMS, NOW + HOUR),
    ]


async def test_last_use_is_noted_to_the_minute(ring: KeyRing) -> None:
    key = await issued(ring)
    seen = []
    for passed_s in (0, 59, 60, 61):
        await ring.authenticate(key.text, NOW + timedelta(seconds=passed_s))
        record = await ring.find(key.id)
        assert record is not None
        assert record.last_used_at is not None
        seen.append((record.last_used_at - NOW).total_seconds())
    assert seen == [0, 0, 60, 60]


async def test_a_refused_key_is_not_noted_as_used(ring: KeyRing) -> None:
    key = await issued(ring)
    await refused(ring, Key(key.id, "A" * 43).text)
    record = await ring.find(key.id)
    assert record is not None
    assert record.last_used_at is None


async def test_a_key_opens_also_while_its_use_cannot_be_noted(ring: KeyRing, database: Database) -> None:
    key = await issued(ring)
    await database.run(
        lambda connection: connection.execute(
            sa.text("create trigger full before update on keys begin select raise(fail, 'full') from nowhere; end")
        )
    )
    assert await ring.authenticate(key.text, NOW) == Caller(RESEARCHER, key.id)


async def test_only_a_hash_of_the_secret_is_on_disk(ring: KeyRing, tmp_path: Path) -> None:
    key, second = await issued(ring), Key.generate()
    await ring.rotate(key.id, second, HOUR, NOW)
    kept = on_disk(tmp_path)
    assert key.hash.encode() in kept
    assert key.secret.encode() not in kept
    assert second.secret.encode() not in kept
