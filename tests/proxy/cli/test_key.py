"""``scopegate key``."""

from __future__ import annotations

import getpass
import json

import pytest

from tests.world import SHARED


def created(scopegate, *words: str, **env: str) -> dict:
    told = scopegate("key", "create", *words, "--format", "json", **env)
    assert told.code == 0, told.err
    return json.loads(told.out)


def test_create_shows_the_key_once_with_its_terms(scopegate, tmp_path) -> None:
    shown = created(
        scopegate, "agent:writer", "--floor", SHARED, "--read-only", "--expires-in", "30d", "--note", "für wen?"
    )

    assert list(shown) == [
        "key",
        "id",
        "principal",
        "floor",
        "read_only",
        "expires_at",
        "note",
        "created_at",
        "replaces",
    ]
    assert (shown["principal"], shown["floor"], shown["read_only"], shown["note"]) == (
        "agent:writer",
        SHARED,
        True,
        "für wen?",
    )
    assert shown["expires_at"] > shown["created_at"]
    secret = shown["key"].split("_", 2)[2]
    listed = scopegate("key", "list", "--format", "json")
    assert [item["id"] for item in json.loads(listed.out)["items"]] == [shown["id"]]
    assert secret not in listed.out + scopegate("key", "list").out
    assert not any(secret.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert (tmp_path / "data").stat().st_mode & 0o077 == 0
    assert (tmp_path / "data" / "gateway.sqlite3").stat().st_mode & 0o077 == 0


def test_every_option_is_an_environment_variable_too(scopegate, tmp_path) -> None:
    env = {
        "SCOPEGATE_DATA": str(tmp_path / "elsewhere"),
        "SCOPEGATE_FORMAT": "json",
        "SCOPEGATE_KEY_CREATE_FLOOR": SHARED,
        "SCOPEGATE_KEY_CREATE_READ_ONLY": "1",
        "SCOPEGATE_KEY_CREATE_EXPIRES_IN": "1h",
        "SCOPEGATE_KEY_CREATE_NOTE": "by environment",
    }

    shown = json.loads(scopegate("key", "create", "agent:writer", **env).out)

    assert (shown["floor"], shown["read_only"], shown["note"]) == (SHARED, True, "by environment")
    assert (tmp_path / "elsewhere").is_dir()


def test_in_text_it_says_to_keep_the_key(scopegate) -> None:
    told = scopegate("key", "create", "agent:writer", "--note", "[red]x[/] \x1b[2J")

    assert told.code == 0
    assert "Keep the key now" in told.out
    assert "[red]x[/] \\x1b[2J" in told.out
    assert "\x1b[2J" not in scopegate("key", "list").out


def test_rotate_and_revoke(scopegate) -> None:
    old = created(scopegate, "agent:writer", "--floor", SHARED)

    new = json.loads(scopegate("key", "rotate", old["id"], "--overlap", "10m", "--format", "json").out)
    revoked = scopegate("key", "revoke", new["id"])
    again = scopegate("key", "revoke", new["id"])
    late = scopegate("key", "rotate", new["id"])

    assert (new["replaces"], new["floor"]) == (old["id"], SHARED)
    assert (revoked.code, revoked.out) == (0, f"key {new['id']} is revoked\n")
    assert (again.code, late.code) == (1, 1)
    assert new["id"] in again.err
    entries = json.loads(scopegate("audit", "list", "--format", "json").out)["items"]
    assert [entry["operation"] for entry in entries] == ["revoke_key", "rotate_key", "create_key"]
    assert {entry["principal"] for entry in entries} == {f"local:{getpass.getuser()}"}


@pytest.mark.parametrize("failure", [KeyError("uid not found"), OSError("no username")])
def test_a_user_without_a_name_may_issue_keys(scopegate, monkeypatch, failure) -> None:
    def getuser() -> str:
        raise failure

    monkeypatch.setattr(getpass, "getuser", getuser)

    created(scopegate, "agent:writer")

    [entry] = json.loads(scopegate("audit", "list", "--format", "json").out)["items"]
    assert entry["principal"].startswith("local:uid-")
