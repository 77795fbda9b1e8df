"""``scopegate demo``: a gateway on this machine, and agents that share memory through it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from proxy.authenticate.key import Key
from proxy.authenticate.keyring import KeyTerms
from proxy.cli.local import open_records
from proxy.cli.options import POLICIES, Policies
from proxy.cli.output import console, fail
from proxy.moments import utc_now
from proxy.principal import Principal

_AGENTS = {
    "SCOPEGATE_KEY_RESEARCHER": "agent:researcher",
    "SCOPEGATE_KEY_WRITER": "agent:writer",
    "SCOPEGATE_KEY_REVIEWER": "agent:reviewer",
    "SCOPEGATE_KEY_LEAD": "supervisor:lead",
    "SCOPEGATE_KEY_WORKER_1": "agent:worker-1",
    "SCOPEGATE_KEY_WORKER_2": "agent:worker-2",
    "SCOPEGATE_KEY_WORKER_3": "agent:worker-3",
}
_STORIES = ("researcher_writer", "supervisor_workers")
_LISTENING = "listening"
_STOP_S = 30


def demo(
    policies: Policies = POLICIES,
    examples: Annotated[
        Path,
        typer.Option(envvar="SCOPEGATE_EXAMPLES", metavar="DIR", help="Folder of the example programs."),
    ] = Path("examples"),
) -> None:
    """Start a gateway on a folder that is thrown away, and run the examples against it. Needs no network.

    Run it from the folder of the repository: it uses the policies and the example programs there.
    """
    missing = [name for name in _STORIES if not (examples / name / "main.py").exists()]
    if missing:
        fail(
            f"{examples} holds no {missing[0]}/main.py; run this in the repository, or name the folder with --examples"
        )
    with tempfile.TemporaryDirectory(prefix="scopegate-demo-") as folder:
        data = Path(folder)
        keys = asyncio.run(_issue(data))
        console.print("[bold]A gateway starts, on the policies in this folder:[/]")
        with _gateway(data, policies) as gateway:
            try:
                url = _announced(gateway)
                failed = [story for story in _STORIES if not _tell(examples / story / "main.py", url, keys)]
            finally:
                gateway.terminate()
                gateway.wait(_STOP_S)
        if failed:
            fail(f"this did not go as it should: {', '.join(failed)}")
        console.print("\n[bold]What the audit log says of it:[/]")
        console.print(_run_here("audit", "verify", "--data", str(data)), markup=False, end="")
        console.print("\nNext: README.md shows how to put a gateway in front of your own agents.")


async def _issue(data: Path) -> Mapping[str, str]:
    """A key for each agent of the examples, by the variable in which its program looks for it."""
    issued = {}
    async with open_records(data, create=True) as records:
        for variable, principal in _AGENTS.items():
            key = Key.generate()
            await records.keys.issue(key, KeyTerms(Principal.parse(principal), note="demo"), utc_now())
            issued[variable] = key.text
    return issued


def _gateway(data: Path, policies: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "proxy.cli.main", "serve", "--data", str(data), "--policies", str(policies)]
    command += ["--port", "0", "--log-level", "ERROR", "--log-format", "text"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own command, fixed words


def _announced(gateway: subprocess.Popen[str]) -> str:
    """Shows what the gateway says of itself; the address on which it listens."""
    for line in gateway.stdout or ():
        console.print(f"  {line.rstrip()}", markup=False)
        if line.startswith(_LISTENING):
            return line.split()[1]
    return fail("the gateway did not start")


def _tell(program: Path, url: str, keys: Mapping[str, str]) -> bool:
    console.rule(f"[bold]{program}[/]", align="left")
    console.file.flush()
    environment = {**os.environ, **keys, "SCOPEGATE_URL": url, "PYTHONUNBUFFERED": "1"}
    return subprocess.run([sys.executable, str(program)], env=environment, check=False).returncode == 0  # noqa: S603 - as above


def _run_here(*arguments: str) -> str:
    command = [sys.executable, "-m", "proxy.cli.main", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - as above
