"""The folder of a dataset: who holds it, what wrote it, and its tables."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lancedb
from filelock import FileLock, Timeout
from lancedb import AsyncConnection
from lancedb.index import BTree
from lancedb.table import AsyncTable

from store.embed.protocol import Embedder
from store.errors import (
    DatasetDamaged,
    DatasetLocked,
    DatasetRefused,
    DatasetTooNew,
    EmbedderMismatch,
    StoreUnavailable,
)
from store.lance.columns import SCOPES, memories_schema
from store.lance.engine import answering
from store.lance.filters import of_unknown_scopes
from store.lance.registry import Registry

SCHEMA_VERSION = 1
IDENTITY_FILE = "dataset.json"
LOCK_FILE = ".lock"
MEMORIES = "memories"
REGISTRY = "scopes"


@dataclass(frozen=True, slots=True)
class Identity:
    """What a dataset was written with."""

    schema_version: int
    embedder: str
    dimension: int

    @classmethod
    def of(cls, embedder: Embedder) -> Identity:
        """What this version writes with ``embedder``."""
        return cls(SCHEMA_VERSION, embedder.name, embedder.dimension)


@dataclass(frozen=True, slots=True)
class Dataset:
    """An open dataset, locked for one writer."""

    lock: FileLock
    connection: AsyncConnection
    memories: AsyncTable
    scopes: AsyncTable
    registry: Registry

    @classmethod
    async def open(cls, folder: Path, embedder: Embedder) -> Dataset:
        """Open the dataset in ``folder``, or create it where there is none.

        Raises:
            DatasetRefused: see its kinds.
            StoreUnavailable: the folder cannot be made or locked.
        """
        lock = await asyncio.to_thread(_locked, folder)
        try:
            with answering("open"):
                return await cls._open_locked(lock, folder, Identity.of(embedder))
        except StoreUnavailable as failure:
            lock.release()
            raise _damaged(folder, f"cannot be read: {failure}") from None
        except BaseException:
            lock.release()
            raise

    @classmethod
    async def _open_locked(cls, lock: FileLock, folder: Path, expected: Identity) -> Dataset:
        written = await asyncio.to_thread(_read_identity, folder)
        connection = await lancedb.connect_async(folder)
        if written is None:
            await _create(connection, folder, expected)
        else:
            _compare(folder, written, expected)
        memories = await _table(connection, folder, MEMORIES)
        scopes = await _table(connection, folder, REGISTRY)
        if await memories.schema() != memories_schema(expected.dimension):
            raise _damaged(folder, "has other columns than this version writes")
        registry = await Registry.load(scopes)
        await _check_every_fragment(folder, memories, registry)
        return cls(lock, connection, memories, scopes, registry)

    def close(self) -> None:
        """Release files and the lock."""
        for handle in (self.memories, self.scopes, self.connection):
            handle.close()  # type: ignore[no-untyped-call] # lancedb leaves close without annotations
        self.lock.release()


def _locked(folder: Path) -> FileLock:
    lock = FileLock(folder / LOCK_FILE, thread_local=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise DatasetLocked(
            f"{folder} is open in another store; close that one, or give this one a folder of its own"
        ) from None
    except OSError as failure:
        raise StoreUnavailable(f"{folder} cannot be used as a folder ({type(failure).__name__})") from failure
    return lock


def _read_identity(folder: Path) -> Identity | None:
    file = folder / IDENTITY_FILE
    if not file.exists():
        return None
    try:
        written: Any = json.loads(file.read_text(encoding="utf-8"))
        version = written["schema_version"]
        if isinstance(version, int) and version > SCHEMA_VERSION:
            raise DatasetTooNew(
                f"{folder} has schema version {version}, this version knows {SCHEMA_VERSION}: upgrade Scopegate"
            )
        return Identity(int(version), str(written["embedder"]), int(written["dimension"]))
    except (ValueError, KeyError, TypeError):
        raise _damaged(folder, f"holds an unreadable {IDENTITY_FILE}") from None


def _compare(folder: Path, written: Identity, expected: Identity) -> None:
    if written.schema_version != expected.schema_version:
        raise _damaged(folder, f"has schema version {written.schema_version}, which no version ever wrote")
    if written != expected:
        raise EmbedderMismatch(
            f"{folder} was written with embedder {written.embedder} ({written.dimension} dimensions), not"
            f" {expected.embedder} ({expected.dimension}): configure that embedder, or import into a new folder"
        )


async def _create(connection: AsyncConnection, folder: Path, identity: Identity) -> None:
    """Make the tables, then the identity: without it, only empty tables of a cut-off creation may be there."""
    for name in (await connection.list_tables()).tables:
        if await (await connection.open_table(name)).count_rows():
            raise _damaged(folder, f"holds memories but no {IDENTITY_FILE}")
    memories = await connection.create_table(MEMORIES, schema=memories_schema(identity.dimension), mode="overwrite")
    await memories.create_index("id", config=BTree())
    await memories.create_index("scope_id", config=BTree())
    await connection.create_table(REGISTRY, schema=SCOPES, mode="overwrite")
    await asyncio.to_thread(_write_identity, folder, identity)


def _write_identity(folder: Path, identity: Identity) -> None:
    draft = folder / f"{IDENTITY_FILE}.draft"
    with draft.open("w", encoding="utf-8") as file:
        json.dump(asdict(identity), file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / IDENTITY_FILE)


async def _table(connection: AsyncConnection, folder: Path, name: str) -> AsyncTable:
    if name not in (await connection.list_tables()).tables:
        raise _damaged(folder, f"lacks the table {name}")
    return await connection.open_table(name)


async def _check_every_fragment(folder: Path, memories: AsyncTable, registry: Registry) -> None:
    """Read one small column of every row: a data file that a power cut emptied shows itself now, not in a search."""
    strangers = memories.query().where(of_unknown_scopes(registry.first_free_id)).select(["scope_id"]).limit(1)
    if (await strangers.to_arrow()).num_rows:
        raise _damaged(folder, "holds memories of scopes that its registry lacks")


def _damaged(folder: Path, what: str) -> DatasetRefused:
    return DatasetDamaged(f"{folder} {what}; restore the folder from a backup")
