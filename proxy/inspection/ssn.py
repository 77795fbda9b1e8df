"""US social security numbers: found by their shape and by what stands around them.

Every number counts, also those that were never issued or are known samples: a gate that lets ``123-45-6789`` pass
teaches nobody to trust it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

NAMED_SCORE = 0.85
DASHED_SCORE = 0.5

_REACH = 80
_DASH = "\\-\u2010-\u2015\u2212"
_GAP = rf"[\s._/{_DASH}\u00ad\u200b-\u200d\u2060]{{0,3}}"
_NUMBER = re.compile(rf"(?<!\d)\d{{3}}({_GAP})\d{{2}}({_GAP})\d{{4}}(?!\d)")
_DASHED = re.compile(rf"(?<![{_DASH}.\w])\d{{3}}[{_DASH}]\d{{2}}[{_DASH}]\d{{4}}(?![{_DASH}]?\w|\.\d)")
_NAME = re.compile(
    r"(?<![a-z])s\.?s\.?n\.?s?(?![a-z])|(?<![a-z])ss\s?#|social[\s_-]*security|soc\.?[\s_-]?sec(?![a-z])",
    re.IGNORECASE,
)
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


def social_security_numbers(text: str) -> Iterator[tuple[int, int, float]]:
    """(start, end, score) of every number of 3-2-4 digits that is named as one nearby, or dashed as one."""
    for match in _NUMBER.finditer(text):
        start, end = match.span()
        if _named(text, start, end) and not _part_of_a_token(text, match):
            yield start, end, NAMED_SCORE
        elif _DASHED.match(text, start):
            yield start, end, DASHED_SCORE


def _named(text: str, start: int, end: int) -> bool:
    """Whether a word for these numbers stands within 80 characters before or after."""
    around = text[max(0, start - _REACH) : start], text[end : end + _REACH]
    return any(_NAME.search(_HUMP.sub(" ", side)) for side in around)


def _part_of_a_token(text: str, match: re.Match[str]) -> bool:
    """Whether nine digits without gaps belong to a longer mix of letters and digits, such as a commit hash."""
    if match[1] or match[2]:
        return False
    before = re.search(r"[A-Za-z0-9]*\Z", text[max(0, match.start() - _REACH) : match.start()])
    after = re.match(r"[A-Za-z0-9]*", text[match.end() : match.end() + _REACH])
    return any(side is not None and any(character.isdigit() for character in side[0]) for side in (before, after))
