"""Drafts: what wants to enter a scope."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from store.memory import JSON


@dataclass(frozen=True, slots=True)
class Draft:
    """Content and metadata before the gate. The representation shows neither."""

    content: str = field(repr=False)
    metadata: Mapping[str, JSON] = field(default_factory=dict, repr=False)
