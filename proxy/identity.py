"""Ids: UUIDv7, so that greater means newer; and, for retried writes, the same ids again."""

from __future__ import annotations

import hashlib
import uuid
from datetime import datetime
from typing import Protocol

import uuid6

_COUNTER_BITS = 12


class Ids(Protocol):
    """A source of ids for one request."""

    def next(self) -> str:
        """The next id."""
        ...


class FreshIds:
    """Ids that nobody has seen."""

    def next(self) -> str:
        """A new UUIDv7."""
        return str(uuid6.uuid7())


class RepeatableIds:
    """The same ids in the same order for the same seed: a retried write names the same memories."""

    def __init__(self, seed: str, started_at: datetime) -> None:
        self._seed = seed
        self._milliseconds = int(started_at.timestamp() * 1000)
        self._count = 0

    def next(self) -> str:
        """UUIDv7 (RFC 9562) whose time is the first attempt's and whose random bits come from the seed.

        Raises:
            OverflowError: more than 4,096 ids were asked for.
        """
        count, self._count = self._count, self._count + 1
        if count >> _COUNTER_BITS:
            raise OverflowError("a request may not name more than 4096 ids")
        random = hashlib.sha256(f"{self._seed}\n{count}".encode()).digest()
        number = self._milliseconds << 80 | 0x7 << 76 | count << 64
        number |= 0b10 << 62 | int.from_bytes(random[:8]) & (1 << 62) - 1
        return str(uuid.UUID(int=number))


def is_id(text: str) -> bool:
    """Whether ``text`` is spelled as the ids here are: a lower-case UUID with hyphens."""
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
