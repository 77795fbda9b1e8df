"""What a selection means, said once for every store."""

from __future__ import annotations

from collections.abc import Mapping

from store.memory import JSON, Memory, Scalar, Selection

_ABSENT = object()


def selects(selection: Selection, memory: Memory) -> bool:
    """Whether ``memory`` is among what ``selection`` asks for."""
    return (
        selection.category in (None, memory.category)
        and selection.author in (None, memory.provenance.principal)
        and (selection.since is None or selection.since <= memory.created_at)
        and (selection.until is None or memory.created_at < selection.until)
        and metadata_agrees(memory.metadata, selection.metadata)
    )


def metadata_agrees(stored: Mapping[str, JSON], wanted: Mapping[str, Scalar]) -> bool:
    """Whether every wanted key is stored with that value, or with a list that contains it. ``True`` is not 1."""
    return all(_holds(stored.get(key, _ABSENT), value) for key, value in wanted.items())


def _holds(stored: object, wanted: Scalar) -> bool:
    if isinstance(stored, list):
        return any(_equal(element, wanted) for element in stored)
    return _equal(stored, wanted)


def _equal(stored: object, wanted: Scalar) -> bool:
    return isinstance(stored, bool) == isinstance(wanted, bool) and stored == wanted
