"""Memories and permits as tests want them: everything has a default, every memory a greater id than the one before."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import count

from store.memory import JSON, Category, Memory, Provenance
from store.permit import ForgetPermit, ReadPermit, WritePermit
from store.scope import Scope

MORNING = datetime(2026, 3, 1, 8, tzinfo=UTC)

_numbers = count(1)


def new_id() -> str:
    return f"01900000-0000-7000-8000-{next(_numbers):012x}"


def scope(path: str) -> Scope:
    return Scope.parse(path)


def memory(
    content: str = "the rocket flies on Monday",
    within: str = "org/acme",
    *,
    memory_id: str | None = None,
    category: Category = Category.KNOWLEDGE,
    author: str = "agent:planner",
    created_at: datetime = MORNING,
    metadata: Mapping[str, JSON] | None = None,
) -> Memory:
    return Memory(
        id=memory_id or new_id(),
        scope=scope(within),
        content=content,
        category=category,
        created_at=created_at,
        valid_from=created_at,
        provenance=Provenance(author, "key-1", "request-1", "pass", "policy-1"),
        metadata=metadata or {},
    )


def memories(*contents: str, within: str = "org/acme") -> list[Memory]:
    return [memory(content, within) for content in contents]


def later(seconds: float) -> datetime:
    return MORNING + timedelta(seconds=seconds)


def may_read(*paths: str) -> ReadPermit:
    return ReadPermit("agent:reader", frozenset(map(scope, paths)), "policy-1")


def may_write(path: str = "org/acme") -> WritePermit:
    return WritePermit("agent:planner", scope(path), "policy-1")


def may_forget(path: str = "org/acme") -> ForgetPermit:
    return ForgetPermit("agent:planner", scope(path), "policy-1")
