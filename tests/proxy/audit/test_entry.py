"""One audit entry: its canonical body, and the link that depends on all of it."""

import dataclasses
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from proxy.audit.entry import GENESIS, Entry, Outcome, link

ENTRY = Entry(
    at=datetime(2026, 11, 22, 10, tzinfo=UTC),
    request_id="request-1",
    principal="agent:researcher",
    key_id="abcdefghij12",
    operation="remember",
    action="write",
    scope="org/acme/project/q3",
    outcome=Outcome.ALLOW,
    policy_version="5b8efa8612bf",
    lines=("policy.csv:7",),
    verdict="pass",
    entities=("PERSON",),
    ids=("0199aaaa-0000-7000-8000-000000000000",),
)
OTHERS = {
    "at": ENTRY.at + timedelta(microseconds=1),
    "outcome": Outcome.DENY,
    "lines": (),
    "entities": (),
    "ids": (),
    "reason": "no line allows it",
    "verdict": None,
}


def test_the_body_is_canonical_json() -> None:
    body = ENTRY.body()
    assert body == json.dumps(json.loads(body), sort_keys=True, separators=(",", ":"))
    assert body.isascii()
    assert json.loads(body)["at"] == "2026-11-22T10:00:00.000000Z"
    assert json.loads(body)["outcome"] == "allow"


def test_the_body_says_the_moment_in_utc_whatever_the_zone() -> None:
    elsewhere = ENTRY.at.astimezone(timezone(timedelta(hours=9)))
    assert dataclasses.replace(ENTRY, at=elsewhere).body() == ENTRY.body()


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Entry)])
def test_every_field_is_in_the_body(field: str) -> None:
    changed = dataclasses.replace(ENTRY, **{field: OTHERS.get(field, "changed")})
    assert changed.body() != ENTRY.body()


def test_a_link_depends_on_what_was_before_on_its_place_and_on_its_body() -> None:
    links = {
        link(GENESIS, 1, "a"),
        link(GENESIS, 2, "a"),
        link(GENESIS, 1, "b"),
        link("1" * 64, 1, "a"),
        link(GENESIS, 1, "a\n"),
        link(GENESIS, 11, "a"),
    }
    assert len(links) == 6
