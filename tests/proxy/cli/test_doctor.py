"""``scopegate doctor``."""

from __future__ import annotations

import json
import shutil
import sqlite3

import pytest

from tests.world import POLICIES


@pytest.fixture
def installed(scopegate, tmp_path):
    """A good installation: policies, and a data folder with a key."""
    shutil.copytree(POLICIES, tmp_path / "policies")
    scopegate("key", "create", "agent:writer")
    return tmp_path


def wrong(told) -> dict[str, str]:
    """What the doctor found wrong, by name."""
    return {check["name"]: check["detail"] for check in json.loads(told.out)["checks"] if not check["ok"]}


def test_a_good_installation_is_fine(scopegate, installed) -> None:
    told = scopegate("doctor")

    assert told.code == 0, told.out
    names = [line.split()[1] for line in told.out.splitlines()]
    assert names == ["python", "detector", "policies", "embedder", "data", "keys", "audit"]
    assert {line.split()[0] for line in told.out.splitlines()} == {"ok"}


def test_the_embedder_that_the_gateway_would_use_is_tried(scopegate, installed) -> None:
    config = installed / "policies" / "gateway.yaml"
    config.write_text(config.read_text() + "\nembedder:\n  provider: hashing\n")

    told = scopegate("doctor")

    assert told.code == 0, told.out
    assert "embedder   hashing-256" in told.out


def test_each_thing_that_is_broken_is_named(scopegate, installed) -> None:
    policy = installed / "policies" / "policy.csv"
    policy.write_text(policy.read_text() + "p, role:x, org/acme, read, Deny\n")
    (installed / "data").chmod(0o755)
    connection = sqlite3.connect(installed / "data" / "gateway.sqlite3")
    connection.execute("UPDATE audit SET body = '{}'")
    connection.execute("UPDATE keys SET revoked_at = 1")
    connection.commit()
    connection.close()

    told = scopegate("doctor", "--format", "json")

    assert told.code == 1
    found = wrong(told)
    assert set(found) == {"policies", "data", "keys", "audit"}
    assert f"policy.csv:{len(policy.read_text().splitlines())}" in found["policies"]
    assert "chmod 700" in found["data"]
    assert "scopegate key create" in found["keys"]
    assert "entry 1" in found["audit"]


def test_a_folder_of_nothing_is_diagnosed_and_left_as_it_is(scopegate, tmp_path) -> None:
    (tmp_path / "file").write_text("no folder")

    nothing = scopegate("doctor", "--data", "not/yet/there", "--policies", "nowhere", "--format", "json")
    a_file = scopegate("doctor", "--data", "file", "--policies", "file")

    assert (nothing.code, a_file.code) == (1, 1)
    assert set(wrong(nothing)) == {"policies"}
    assert "file is not a folder" in a_file.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_a_damaged_database_is_named(scopegate, installed) -> None:
    (installed / "data" / "gateway.sqlite3").write_bytes(b"no database " * 100)

    told = scopegate("doctor", "--format", "json")

    assert told.code == 1
    assert set(wrong(told)) == {"keys", "audit"}
    assert all("gateway.sqlite3" in detail for detail in wrong(told).values())
