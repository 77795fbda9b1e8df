"""``scopegate audit``: what a hand in the database leaves behind."""

from __future__ import annotations

import json
import sqlite3

import pytest

from tests.world import SHARED


@pytest.fixture
def log(scopegate, tmp_path):
    """A data folder with four entries in its log."""
    for name in ("one", "two", "three", "four"):
        scopegate("key", "create", f"agent:{name}", "--floor", SHARED)

    def tamper(*statements: str) -> None:
        connection = sqlite3.connect(tmp_path / "data" / "gateway.sqlite3")
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.close()

    return tamper


def test_an_untouched_log_verifies(scopegate, log) -> None:
    text, as_json = scopegate("audit", "verify"), scopegate("audit", "verify", "--format", "json")

    answer = json.loads(as_json.out)
    assert (text.code, as_json.code) == (0, 0)
    assert (answer["ok"], answer["entries"], answer["problem"]) == (True, 4, None)
    assert text.out == f"4 entries, every link holds; the last is {answer['last']}\n"
    scopegate("key", "create", "agent:five")
    assert scopegate("audit", "verify", "--anchor", answer["last"]).code == 0


@pytest.mark.parametrize(
    ("statement", "entry"),
    [
        ("UPDATE audit SET body = replace(body, 'agent:two', 'agent:2wo') WHERE sequence = 2", 2),
        ("UPDATE audit SET hash = replace(hash, substr(hash, 1, 1), 'g') WHERE sequence = 3", 3),
        ("UPDATE audit SET principal = 'local:nobody' WHERE sequence = 1", 1),
        ("UPDATE audit SET outcome = 'deny' WHERE sequence = 4", 4),
        ("UPDATE audit SET at = at + 1 WHERE sequence = 4", 4),
        ("DELETE FROM audit WHERE sequence = 2", 2),
        ("DELETE FROM audit WHERE sequence = 1", 1),
        ("DELETE FROM audit WHERE sequence = 4", None),
        ("DELETE FROM audit", None),
        ("UPDATE audit SET sequence = 9 WHERE sequence = 4", 4),
    ],
)
def test_tampering_is_found_and_ends_with_1(scopegate, log, statement, entry) -> None:
    log(statement)

    text, as_json = scopegate("audit", "verify"), scopegate("audit", "verify", "--format", "json")

    assert (text.code, as_json.code) == (1, 1)
    assert json.loads(as_json.out)["ok"] is False
    assert len(text.err.strip().splitlines()) == 1
    if entry is not None:
        assert f"entry {entry}" in text.err


def test_a_log_that_was_rewritten_as_a_whole_is_found_by_its_anchor(scopegate, log) -> None:
    noted = json.loads(scopegate("audit", "verify", "--format", "json").out)["last"]
    log("DELETE FROM audit", "DELETE FROM audit_head")
    for name in ("one", "two", "three", "four", "five"):
        scopegate("key", "create", f"agent:{name}", "--floor", SHARED)

    assert scopegate("audit", "verify").code == 0
    told = scopegate("audit", "verify", "--anchor", noted)

    assert told.code == 1
    assert "entry 4 is not the one that was noted" in told.err


def test_list_shows_entries_newest_first_and_filters(scopegate, log) -> None:
    text = scopegate("audit", "list", "--limit", "2")
    none = scopegate("audit", "list", "--operation", "publish")
    some = json.loads(scopegate("audit", "list", "--operation", "create_key", "--format", "json").out)["items"]

    assert text.code == 0
    assert len(text.out.splitlines()) == 3
    assert none.out == "no entries\n"
    assert [item["sequence"] for item in some] == [4, 3, 2, 1]
    assert {item["scope"] for item in some} == {SHARED}
