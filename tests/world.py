"""Gateways for tests: one in this process, and one as users run it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from proxy.app import App, Parts, open_app
from proxy.audit.log import AuditQuery, find
from proxy.authenticate.key import Key
from proxy.authenticate.keyring import KeyRing, KeyTerms
from proxy.database import Database
from proxy.moments import utc_now
from proxy.principal import Principal
from proxy.settings import GatewayConfig, Settings
from store.embed.hashing import HashingEmbedder
from store.lance import LanceStore
from store.protocol import MemoryStore

ROOT = Path(__file__).resolve().parent.parent
POLICIES = ROOT / "policies"

SHARED = "org/acme/project/q3"
NOTES = f"{SHARED}/agent/researcher"
DRAFTS = f"{SHARED}/agent/writer"
ALPHA = "org/acme/project/alpha"

SSN_NOTE = "Raw data contains PII: user SSN 123-45-6789."
FINDING = "Found 3 relevant articles about AI safety."
DRAFT = "Draft has grammatical issues, fixing..."
PERSON_NOTE = "Interview with Maria Gonzalez went well"
EMAIL_NOTE = "Write to jane.doe@example.com"

_STOP_S = 30


async def open_quick_store(folder: Path, _config: GatewayConfig) -> MemoryStore:
    """The real store with an embedder that needs no model."""
    return await LanceStore.open(folder, HashingEmbedder())


class ManualClock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        # Microseconds pass between any two looks at a clock; a standing one would hide wrong orders.
        self.now += timedelta(microseconds=1)
        return self.now

    def pass_by(self, span: timedelta) -> None:
        self.now += span


@dataclass
class World:
    """A gateway in this process, on a folder of its own and a copy of the policies."""

    app: App
    data: Path
    policies: Path
    clock: ManualClock
    clients: list[httpx.AsyncClient] = field(default_factory=list)

    async def agent(self, principal: str, **terms) -> httpx.AsyncClient:
        """A client with a new key of that principal's."""
        return self.client((await self.issue(principal, **terms)).text)

    async def issue(self, principal: str, **terms) -> Key:
        key = Key.generate()
        database = Database.open(self.data)
        try:
            await KeyRing(database).issue(key, KeyTerms(Principal.parse(principal), **terms), self.clock())
        finally:
            database.close()
        return key

    def client(self, key: str | None = None) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=self.app.asgi)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        client = httpx.AsyncClient(transport=transport, base_url="http://gateway", headers=headers)
        self.clients.append(client)
        return client

    async def audit(self) -> list[dict]:
        """The audit log, oldest first."""
        database = Database.open(self.data)
        try:
            entries = await database.run(lambda connection: find(connection, AuditQuery(limit=100_000)))
        finally:
            database.close()
        return [entry.as_dict() for entry in reversed(entries)]


@contextlib.asynccontextmanager
async def open_world(folder: Path, parts: Parts) -> AsyncIterator[World]:
    """A world in ``folder``; opening it again there finds what was stored."""
    policies = folder / "policies"
    if not policies.exists():
        # Without the policy tests: what a test changes the policies to, those would refuse.
        shutil.copytree(POLICIES, policies, ignore=shutil.ignore_patterns("tests"))
    data = folder / "data"
    clock = parts.clock if isinstance(parts.clock, ManualClock) else ManualClock()
    async with open_app(Settings(data, policies), Parts(parts.detector, parts.store, clock)) as app:
        world = World(app, data, policies, clock)
        try:
            yield world
        finally:
            for client in world.clients:
                await client.aclose()


@dataclass
class LiveGateway:
    """``scopegate serve`` in a process of its own."""

    process: subprocess.Popen[str]
    url: str
    data: Path
    policies: Path

    def key(self, principal: str, **options) -> str:
        """A new key, issued as an operator would while the gateway runs."""
        words = ["key", "create", principal, "--data", str(self.data), "--format", "json"]
        for name, value in options.items():
            words += [f"--{name.replace('_', '-')}"] + ([] if value is True else [str(value)])
        return json.loads(run_cli(*words))["key"]

    def issue_many(self, principals: list[str]) -> dict[str, str]:
        """Keys for many principals at once."""
        keys = {principal: Key.generate() for principal in principals}

        async def issue() -> None:
            database = Database.open(self.data)
            ring = KeyRing(database)
            for principal, key in keys.items():
                await ring.issue(key, KeyTerms(Principal.parse(principal)), utc_now())
            database.close()

        asyncio.run(issue())
        return {principal: key.text for principal, key in keys.items()}


@contextlib.contextmanager
def serving(data: Path, policies: Path, *options: str) -> Iterator[LiveGateway]:
    """A live gateway on a free port, stopped at the end."""
    command = [sys.executable, "-m", "proxy.cli.main", "serve", "--data", str(data), "--policies", str(policies)]
    command += ["--port", "0", "--log-level", "WARNING", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            url = next(line.split()[1] for line in process.stdout if line.startswith("listening"))
            yield LiveGateway(process, url, data, policies)
        finally:
            process.terminate()
            process.wait(_STOP_S)


def run_cli(*words: str, env: dict[str, str] | None = None, expect: int = 0) -> str:
    """Standard output of ``scopegate`` with these words; its exit code must be as expected."""
    command = [sys.executable, "-m", "proxy.cli.main", *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=env, timeout=120, check=False)
    assert done.returncode == expect, f"{words} ended with {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout if expect == 0 else done.stdout + done.stderr
