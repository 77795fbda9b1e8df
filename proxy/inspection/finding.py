"""Findings: where a piece of PII or a secret was seen. Never the text itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One detected piece of PII or secret.

    ``field`` is ``content`` or a path such as ``metadata.team`` or ``metadata.notes[2]``; ``metadata.team (key)`` is
    the key itself. A key that is no plain identifier, or in which something was found, is named by its position,
    ``metadata.#0``. ``start`` and ``end`` count characters of that field's own text; ``score`` is 0 to 1.
    """

    entity: str
    field: str
    start: int
    end: int
    score: float

    def as_dict(self) -> dict[str, str | int | float]:
        """The JSON form, score to two decimals."""
        return {
            "entity": self.entity,
            "field": self.field,
            "start": self.start,
            "end": self.end,
            "score": round(self.score, 2),
        }
