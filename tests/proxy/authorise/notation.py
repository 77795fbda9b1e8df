"""What spelled regions mean, written down once more and without the code under test."""

from __future__ import annotations

import re


def spells(text: str, scope: dict[str, str], name: str) -> bool:
    """Whether the printed pattern means this scope."""
    ending = next((ending for ending in ("/**", "/+") if text.endswith(ending)), "")
    parts = [part for part in text.removesuffix(ending).split("/") if part]
    left = dict(scope)
    while parts:
        word = parts.pop(0)
        if word.startswith("!"):
            fits = word[1:] not in left
        else:
            optional, dimension, values = word.endswith("?"), word.removesuffix("?"), parts.pop(0)
            found = left.pop(dimension, None)
            fits = optional if found is None else _holds(values.replace("{self}", name), found)
        if not fits:
            return False
    return {"": not left, "/**": True, "/+": bool(left)}[ending]


def _holds(values: str, found: str) -> bool:
    listed = re.fullmatch(r"(?:(\*-))?\{(.*)\}", values)
    if listed:
        return (found in listed[2].split(",")) is not bool(listed[1])
    return values in {"*", found}
