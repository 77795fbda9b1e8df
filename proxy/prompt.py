"""Recalled memories as text for a prompt."""

from __future__ import annotations

from collections.abc import Sequence

from proxy.settings import GatewayConfig
from store.memory import Hit


def format_hits(hits: Sequence[Hit], config: GatewayConfig) -> str:
    """One numbered entry for each hit, best first, with what it is, where it lies, who wrote it and when.

    Further lines of a content are indented, so that no content can pass for an entry of its own.
    """
    return "\n".join(_entry(number, hit, config) for number, hit in enumerate(hits, start=1))


def _entry(number: int, hit: Hit, config: GatewayConfig) -> str:
    memory = hit.memory
    origin = f"{memory.category} · {config.path(memory.scope)} · {memory.provenance.principal}"
    content = "\n    ".join(memory.content.splitlines())
    return f"{number}. [{origin} · {memory.created_at:%Y-%m-%d}] {content}"
