"""Commands that work on the data folder itself, on the machine where it lies."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import uuid
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from proxy.audit.entry import Entry, Outcome
from proxy.audit.log import AuditLog
from proxy.authenticate.keyring import KeyRing
from proxy.authorise.decision import Action
from proxy.cli.output import fail
from proxy.database import FILE_NAME, Database, DatabaseError
from proxy.errors import GatewayError
from store.scope import Scope

Result = TypeVar("Result")

_ON_THE_MACHINE = "whoever can write the data folder administers it"


@dataclass(frozen=True, slots=True)
class Records:
    """The gateway's own records, opened beside a gateway that may be running on them."""

    database: Database
    keys: KeyRing
    audit: AuditLog

    async def record(self, operation: str, scope: Scope, now: datetime, *ids: str) -> None:
        """Write into the audit log what the operator is about to do here."""
        await self.audit.record(
            Entry(
                at=now,
                request_id=uuid.uuid4().hex,
                principal=f"local:{_operator()}",
                key_id="",
                operation=operation,
                action=Action.ADMINISTER,
                scope=scope.path(),
                outcome=Outcome.ALLOW,
                policy_version="",
                reason=_ON_THE_MACHINE,
                ids=ids,
            )
        )


@contextlib.asynccontextmanager
async def open_records(data: Path, *, create: bool = False) -> AsyncIterator[Records]:
    """The records in ``data``, which must exist unless they may be created."""
    if not create and not (data / FILE_NAME).exists():
        fail(f"{data} holds no Scopegate data; name the right folder with --data")
    database = Database.open(data)
    audit = AuditLog(database)
    audit.start()
    try:
        yield Records(database, KeyRing(database), audit)
    finally:
        await audit.close()
        database.close()


def run(work: Coroutine[object, object, Result]) -> Result:
    """Run a command's work; a failure is told in one line."""
    try:
        return asyncio.run(work)
    except (DatabaseError, GatewayError, OSError) as error:
        fail(str(error))


def _operator() -> str:
    """Who works here, as the system calls them. In a container the number may have no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"
