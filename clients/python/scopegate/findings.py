"""What the publish gate found in a text: kinds and places, never the text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Finding:
    """One piece of personal data or one secret. Offsets count characters of ``field``."""

    entity: str
    field: str
    start: int
    end: int
    score: float

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Finding:
        """The finding in a JSON object."""
        return cls(
            entity=body["entity"],
            field=body["field"],
            start=body["start"],
            end=body["end"],
            score=body["score"],
        )


def read_findings(listed: Iterable[Mapping[str, Any]] | None) -> tuple[Finding, ...]:
    """The findings in a JSON array; none when it is absent."""
    return tuple(Finding.read(body) for body in listed or ())
