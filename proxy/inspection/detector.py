"""What the gate asks of whatever finds PII and secrets."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Span(NamedTuple):
    """Characters ``start`` up to ``end`` of a text look like ``entity``, with a score of 0 to 1."""

    entity: str
    start: int
    end: int
    score: float


class Detector(Protocol):
    """Finds entities in text. Must be safe to call from several threads at once."""

    @property
    def supported(self) -> frozenset[str]:
        """The entities that may be asked for."""

    def detect(self, text: str, entities: frozenset[str], language: str, context: str = "") -> list[Span]:
        """Every span of ``text`` that looks like one of ``entities``, whatever its score.

        ``context`` is what stands around the text, such as the metadata key of a value: it may raise a score, and
        no offset ever counts its characters. Any exception means that the text was not judged.
        """
