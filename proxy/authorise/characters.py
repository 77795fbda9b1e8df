"""Which characters a policy file may hold. What a reader cannot see or cannot tell apart is refused by name."""

from __future__ import annotations

import itertools
import re
import unicodedata

_BEYOND_ASCII = re.compile("[^ -~]")

_CONTROLS = {
    "\0": "NULL",
    "\t": "TAB",
    "\v": "LINE TABULATION",
    "\f": "FORM FEED",
    "\r": "CARRIAGE RETURN",
    "\x1b": "ESCAPE",
    "\x7f": "DELETE",
    "\x85": "NEXT LINE",
}

# Unicode counts these among the letters, marks and symbols, and yet they show nothing.
_UNSEEN = frozenset(
    itertools.chain(
        (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0),
        range(0x180B, 0x1810),
        range(0xFE00, 0xFE10),
        range(0xE0100, 0xE01F0),
    )
)


def named(character: str) -> str:
    """The character's code point and name, such as ``U+0435 CYRILLIC SMALL LETTER IE``."""
    name = _CONTROLS.get(character) or unicodedata.name(character, "unnamed")
    return f"U+{ord(character):04X} {name}"


def first_beyond_ascii(text: str) -> int | None:
    """Where the first character stands that is not printable ASCII."""
    found = _BEYOND_ASCII.search(text)
    return found and found.start()


def first_unseen(text: str) -> int | None:
    """Where the first character stands that shows nothing, or that turns the direction of what follows."""
    if text.isascii() and text.isprintable():
        return None
    return next((at for at, character in enumerate(text) if not _is_seen(character)), None)


def _is_seen(character: str) -> bool:
    return character.isprintable() and ord(character) not in _UNSEEN
