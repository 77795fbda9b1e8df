"""``scopegate serve``: how it starts, refuses to start, and ends."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from proxy.authenticate.key import Key
from proxy.authenticate.keyring import KeyTerms
from proxy.cli.local import open_records, run
from proxy.moments import utc_now
from proxy.principal import Principal
from tests.world import NOTES, POLICIES, ROOT

_END_S = 30


@pytest.fixture
def policies(tmp_path) -> Path:
    return shutil.copytree(POLICIES, tmp_path / "policies")


def test_a_policy_with_a_mistake_is_refused_with_its_place(scopegate, policies) -> None:
    path = policies / "policy.csv"
    path.write_text(path.read_text() + "p, role:x, org/acme, read, Deny\n")

    told = scopegate("serve", "--port", "0")

    assert told.code == 3
    line = len(path.read_text().splitlines())
    assert f"policy.csv:{line}:" in told.err
    assert "did you mean" in told.err or "allow or deny" in told.err
    assert "listening" not in told.out
    assert not (policies.parent / "data").exists()


def test_a_taken_port_is_refused(scopegate, policies) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        told = scopegate("serve", "--port", taken.getsockname()[1])

    assert told.code == 1
    assert "--port" in told.err
    assert not (policies.parent / "data").exists()


def test_a_host_that_is_not_ours_is_refused(scopegate, policies) -> None:
    told = scopegate("serve", "--host", "192.0.2.1", "--port", "0")

    assert told.code == 1
    assert told.err.startswith("error cannot listen on 192.0.2.1")


def test_a_data_folder_in_use_is_refused(scopegate, policies, gateway) -> None:
    told = scopegate("serve", "--port", "0", "--data", gateway.data)

    assert told.code == 1
    assert str(gateway.data) in told.err
    assert httpx.get(f"{gateway.url}/readyz").status_code == 200


@pytest.mark.parametrize("broken", [".", "gateway.sqlite3", "memories", "master.key"])
def test_a_file_or_folder_in_place_of_the_other_is_refused(scopegate, policies, tmp_path, broken) -> None:
    path = tmp_path / "data" / broken
    if broken in {".", "memories"}:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("no folder") if broken != "." else (tmp_path / "data").write_text("no folder")
    else:
        path.mkdir(parents=True)

    told = scopegate("serve", "--port", "0")

    assert told.code == 1, told
    assert told.err.startswith("error ")
    assert "data" in told.err


def _serve_and_end(folder: Path, sent: signal.Signals) -> tuple[int, str, str, int]:
    """Serve in a process of its own, write a memory, send the signal: exit code, output, errors, status."""
    key = Key.generate()

    async def issue() -> None:
        async with open_records(folder / "data", create=True) as records:
            await records.keys.issue(key, KeyTerms(Principal.parse("agent:researcher")), utc_now())

    run(issue())
    words = ["serve", "--port", "0", "--data", str(folder / "data"), "--policies", str(POLICIES)]
    process = subprocess.Popen(
        [sys.executable, "-m", "proxy.cli.main", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("listening"):
                break
        url = lines[-1].split()[1]
        # Kept open while the signal comes: an idle connection must not hold up the end.
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key.text}"}) as client:
            answer = client.post("/v1/memories", json={"scope": NOTES, "content": "kept"})
            process.send_signal(sent)
            out, err = process.communicate(timeout=_END_S)
    finally:
        process.kill()
        process.wait()
    return process.returncode, "".join(lines) + out, err, answer.status_code


def test_it_says_where_it_listens_and_a_signal_ends_it_cleanly(tmp_path) -> None:
    signals = (signal.SIGTERM, signal.SIGINT)
    with ThreadPoolExecutor() as threads:
        folders = [tmp_path / each.name for each in signals]
        ends = list(threads.map(_serve_and_end, folders, signals))

    for folder, (code, out, err, status) in zip(folders, ends, strict=True):
        assert (code, status) == (0, 201), err
        shape = r"Scopegate \d\S+\npolicy +[0-9a-f]{12} from \S+\ndata +\S+\nlistening +http://127\.0\.0\.1:\d+\n"
        assert re.fullmatch(shape, out)
        assert "Traceback" not in err
        # Closed in order, not cut off: SQLite removes its log when the last connection is closed.
        assert not list((folder / "data").glob("gateway.sqlite3-*"))
