"""Telephone numbers: how sure one can be that digits which could be one are one."""

from __future__ import annotations

import re

NAMED = 0.75
SHAPED = 0.5
BARE = 0.2
NOT_A_PHONE = 0.0

_REACH = 40
_NAME = re.compile(
    r"(?<![a-z])(?:(?:tele)?phone|fax|tel|mobile|cell|cellphone|whatsapp|sms|call(?:ed|ing)?|dial|ring"
    r"|text(?:ed)?|signal)(?![a-z])",
    re.IGNORECASE,
)
_INTERNATIONAL = re.compile(r"\+\d|00[1-9]\d")
_SHAPES = re.compile(
    r"\(?\d{3}\)?[ .\-/]{1,2}\d{3}[ .\-]\d{4}(?!\d)"  # North America
    r"|\(?0\d{1,4}\)?[ ./\-]\d{3,4}[ .\-]?\d{3,5}(?: ?\d{1,4})?"  # trunk zero, two or three groups
    r"|0\d(?:[ .\-]\d{2}){4}"  # France
)
_OTHER_THINGS = re.compile(
    r"\d{4}-\d{1,2}-\d{1,2}(?:[ T].*)?|\d{1,2}[./\-]\d{1,2}[./\-]\d{2,4}(?: .*)?"
    r"|\d{1,3}(?:\.\d{1,3}){3}.*|[\d.]+\.\d+\.\d+",
    re.DOTALL,
)
_IN_A_TOKEN_BEFORE = re.compile(r"[\w.:/#=\-][\-.:/]?\Z")


def phone_score(text: str, start: int, end: int) -> float:
    """How sure it is that ``text[start:end]``, which could be a telephone number, is one."""
    number = text[start:end]
    if _OTHER_THINGS.fullmatch(number):
        return NOT_A_PHONE
    if _NAME.search(text, max(0, start - _REACH), start):
        return NAMED
    if _INTERNATIONAL.match(number):
        return SHAPED
    if _SHAPES.fullmatch(number) and not _IN_A_TOKEN_BEFORE.search(text[max(0, start - 2) : start]):
        return SHAPED
    return BARE
