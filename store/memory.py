"""Memories, how to select them, and what a search says about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from store.scope import Scope

JSON = None | bool | int | float | str | list["JSON"] | dict[str, "JSON"]
Scalar = None | bool | int | float | str


class Category(StrEnum):
    """What kind of thing a memory is."""

    EPISODIC = "episodic"
    IDENTITY = "identity"
    KNOWLEDGE = "knowledge"
    CONTEXT = "context"
    INSTRUCTIONS = "instructions"
    UNCERTAINTY = "uncertainty"


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a memory comes from: stamped by the gateway, never taken from a client."""

    principal: str
    key_id: str
    request_id: str
    verdict: str
    policy_version: str
    session_id: str | None = None
    derived_from: tuple[str, ...] = ()
    approved_by: str | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """One stored record. ``id`` is a UUIDv7; times are aware and in UTC."""

    id: str
    scope: Scope
    content: str
    category: Category
    created_at: datetime
    valid_from: datetime
    provenance: Provenance
    valid_until: datetime | None = None
    metadata: Mapping[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Selection:
    """What a reader asks for among the memories that its permit covers. An empty selection is everything.

    ``metadata`` matches top-level keys whose stored value equals the one given, or is a list that contains it.
    ``author`` is the principal in the provenance; ``since`` is inclusive and ``until`` exclusive, on ``created_at``.
    """

    category: Category | None = None
    metadata: Mapping[str, Scalar] = field(default_factory=dict)
    author: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A memory that a search found. ``score`` is the cosine similarity of query and content, at most 1."""

    memory: Memory
    score: float
