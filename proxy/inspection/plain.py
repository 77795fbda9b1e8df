"""Text as a person reads it: without what cannot be seen, digits, dashes and spaces in their plain forms.

``123<zero width space>-45-6789`` and full-width digits read like the plain number, and so they are inspected like it.
Every character of the plain text knows where it comes from, so that findings point into the original.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

_MINUS = "\u2212"
# Unicode counts these among letters and marks, and yet they show nothing.
_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0")
_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))


@dataclass(frozen=True, slots=True)
class PlainText:
    """``text`` to inspect; ``origins`` has each character's place in the original, ``None`` where all are the same."""

    text: str
    origins: tuple[int, ...] | None = None

    @classmethod
    def of(cls, original: str) -> PlainText:
        """The plain form of ``original``: NFKC character by character, format characters left out."""
        if original.isascii():
            return cls(original)
        plain: list[str] = []
        origins: list[int] = []
        for place, character in enumerate(original):
            read = _read(character)
            plain.append(read)
            origins += [place] * len(read)
        return cls("".join(plain), tuple(origins))

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """Where characters ``start`` up to ``end`` stand in the original."""
        if self.origins is None:
            return start, end
        return self.origins[start], self.origins[end - 1] + 1


def _read(character: str) -> str:
    if character.isascii():
        return character
    category = unicodedata.category(character)
    if category == "Cf" or character in _UNSEEN or any(ord(character) in selectors for selectors in _SELECTORS):
        return ""
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if category == "Pd" or character == _MINUS:
        return "-"
    return " " if category == "Zs" else unicodedata.normalize("NFKC", character)
