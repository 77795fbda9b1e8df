"""``scopegate policy``."""

from __future__ import annotations

import json
import shutil

import httpx
import pytest

from tests.world import POLICIES


def test_the_shipped_policies_hold_no_mistake(scopegate) -> None:
    text, as_json = scopegate("policy", "check", POLICIES), scopegate("policy", "check", POLICIES, "--format", "json")

    assert (text.code, as_json.code) == (0, 0)
    assert "no mistakes" in text.out
    assert json.loads(as_json.out)["problems"] == []
    assert json.loads(as_json.out)["version"] in text.out


def test_every_mistake_is_listed_with_its_place_and_it_ends_with_3(scopegate, tmp_path) -> None:
    folder = tmp_path / "policies"
    shutil.copytree(POLICIES, folder)
    lines = (folder / "policy.csv").read_text().splitlines()
    (folder / "policy.csv").write_text(
        "\n".join([*lines, "p, role:x, org/acme, read, Deny", "p, role:y, org, read, allow"]) + "\n"
    )
    (folder / "pii.yaml").write_text((folder / "pii.yaml").read_text().replace("US_SSN", "US_SNN"))

    text, as_json = scopegate("policy", "check", folder), scopegate("policy", "check", folder, "--format", "json")

    answer = json.loads(as_json.out)
    assert (text.code, as_json.code) == (3, 3)
    assert answer["ok"] is False
    places = {(problem["source"], problem["line"]) for problem in answer["problems"]}
    assert {("policy.csv", len(lines) + 1), ("policy.csv", len(lines) + 2)} <= places
    assert "pii.yaml" in {source for source, _ in places}
    for source, line in places:
        assert f"{source}:{line}:" in text.out
    assert f"{len(answer['problems'])} mistakes" in text.out


def test_status_and_reload_of_a_running_gateway(scopegate, gateway) -> None:
    keys = gateway.issue_many(["human:ops", "human:ana"])
    env = {"SCOPEGATE_URL": gateway.url, "SCOPEGATE_KEY": keys["human:ops"]}

    status = scopegate("policy", "status", **env)
    reload = scopegate("policy", "reload", "--format", "json", **env)
    denied = scopegate("policy", "reload", **env | {"SCOPEGATE_KEY": keys["human:ana"]})
    unknown = scopegate("policy", "status", **env | {"SCOPEGATE_KEY": keys["human:ops"][:-1] + "-"})

    answer = httpx.get(f"{gateway.url}/readyz").json()
    assert (status.code, reload.code, denied.code, unknown.code) == (0, 0, 1, 1)
    assert answer["policy"]["version"] in status.out
    assert json.loads(reload.out)["version"] == answer["policy"]["version"]
    assert denied.err.startswith("error Not allowed: no policy line allows human:ana to administer in /")
    assert unknown.err.startswith("error A valid key is required")
    assert keys["human:ops"] not in status.out + reload.out + unknown.err


@pytest.mark.parametrize("path", ["/v1", "/metrics?"])
def test_an_address_that_is_no_gateway_is_told_in_one_line(scopegate, gateway, path) -> None:
    key = gateway.issue_many(["human:ops"])["human:ops"]

    told = scopegate("policy", "status", "--url", gateway.url + path, "--key", key)

    assert told.code == 1
    assert len(told.err.strip().splitlines()) == 1
