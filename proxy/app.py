"""The composition root: the only place where real parts are made and joined."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from starlette.routing import Router
from starlette.types import ASGIApp

from proxy.administration import Administration
from proxy.api.endpoints import Endpoints
from proxy.api.entry import Entry
from proxy.api.middleware import RequestBoundary
from proxy.api.openapi import openapi
from proxy.api.operations import OperatorPaths
from proxy.api.ratelimit import RateLimiter
from proxy.api.routes import operations, routes
from proxy.audit.log import AuditLog
from proxy.authenticate.keyring import KeyRing
from proxy.database import Database, DatabaseError
from proxy.entrance import Entrance
from proxy.gateway import Gateway
from proxy.idempotency import IdempotencyBook
from proxy.inspection.detector import Detector
from proxy.inspection.gate import PublishGate
from proxy.inspection.holds import HoldQueue
from proxy.inspection.presidio import PresidioDetector
from proxy.moments import Clock, utc_now
from proxy.policyfolder import PolicyFolder
from proxy.review import Review
from proxy.sessions import SessionBook
from proxy.settings import EmbedderSettings, GatewayConfig, Settings
from proxy.shadow import Shadow
from proxy.telemetry import Metrics
from store.embed.hashing import HashingEmbedder
from store.embed.protocol import Embedder
from store.embed.wordllama import WordLlamaEmbedder
from store.lance import LanceStore
from store.protocol import MemoryStore

MASTER_KEY_FILE = "master.key"
MEMORIES_FOLDER = "memories"

_MASTER_KEY_BYTES = 32


def make_detector() -> Detector:
    """Presidio, twice: a text made to be slow can hold one engine up to the deadline; the other goes on."""
    return PresidioDetector(engines=2)


def make_embedder(settings: EmbedderSettings) -> Embedder:
    """The embedder that ``gateway.yaml`` names."""
    return HashingEmbedder() if settings.provider == "hashing" else WordLlamaEmbedder()


async def open_store(folder: Path, config: GatewayConfig) -> MemoryStore:
    """The store in ``folder``."""
    return await LanceStore.open(folder, make_embedder(config.embedder))


@dataclass(frozen=True, slots=True)
class Parts:
    """How the exchangeable parts are made. Tests put their own in place of one or the other."""

    detector: Callable[[], Detector] = make_detector
    store: Callable[[Path, GatewayConfig], Awaitable[MemoryStore]] = open_store
    clock: Clock = utc_now


@dataclass(frozen=True, slots=True)
class App:
    """A running gateway."""

    asgi: ASGIApp
    gateway: Gateway
    policies: PolicyFolder


@contextlib.asynccontextmanager
async def open_app(settings: Settings, parts: Parts | None = None) -> AsyncIterator[App]:
    """Open the data folder, load the policies, and give the gateway as an ASGI application; close it all at the end.

    Raises:
        PolicyError: the policy files hold a mistake.
        DatabaseError, StoreError: the data folder cannot be used.
    """
    parts = parts or Parts()
    detector = parts.detector()
    policies = PolicyFolder(settings.policies, detector, parts.clock)
    async with AsyncExitStack() as stack:
        database = Database.open(settings.data)
        stack.callback(database.close)
        store = await parts.store(settings.data / MEMORIES_FOLDER, policies.in_force.config)
        stack.push_async_callback(store.close)
        gate = _gate(detector, policies.in_force.config, master_key(settings.data))
        stack.callback(gate.close)
        audit = AuditLog(database)
        audit.start()
        stack.push_async_callback(audit.close)
        holds = HoldQueue(database)
        await holds.recover()
        watch = asyncio.create_task(policies.watch(), name="policy watch")
        stack.push_async_callback(_stop, watch)

        entrance = Entrance(store, gate, audit, holds)
        gateway = Gateway(store, entrance, audit, SessionBook(database))
        keys = KeyRing(database)
        metrics = Metrics()
        shadow = Shadow()
        administration = Administration(keys, policies, audit, shadow)
        endpoints = Endpoints(gateway, Review(entrance, holds, audit), administration, metrics)
        entry = Entry(keys, policies, IdempotencyBook(database), parts.clock, RateLimiter(), shadow)
        document = openapi(operations(endpoints), version("scopegate"))
        checks = {"store": store.check, "gate": gate.check, "audit": audit.check}
        operators = OperatorPaths(checks, policies, metrics, document)
        router = Router([*routes(endpoints, entry), *operators.routes()], redirect_slashes=False)
        boundary = RequestBoundary(router, metrics, lambda: policies.in_force.config.limits.body_max_bytes)
        yield App(boundary, gateway, policies)


def master_key(folder: Path) -> bytes:
    """The key under which pseudonyms and hashes are made; made itself when the folder is new, and never changed.

    Raises:
        DatabaseError: the file is damaged. Another key would tear every pseudonym from those made before.
    """
    path = folder / MASTER_KEY_FILE
    if not path.exists():
        path.touch(mode=0o600)
        with path.open("wb") as file:
            file.write(secrets.token_bytes(_MASTER_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
    key = path.read_bytes()
    if len(key) != _MASTER_KEY_BYTES:
        raise DatabaseError(f"{path} is damaged: restore it from a backup of this folder")
    return key


def _gate(detector: Detector, config: GatewayConfig, key: bytes) -> PublishGate:
    limits = config.gate
    return PublishGate(detector, key, deadline_s=limits.deadline_s, workers=limits.workers, queue=limits.queue)


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
