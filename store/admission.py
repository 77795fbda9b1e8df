"""What every store checks before it takes a write, said once."""

from __future__ import annotations

import json
from collections.abc import Sequence

from store.errors import PermitMismatch, Unstorable
from store.memory import Memory
from store.permit import WritePermit


def admit(permit: WritePermit, memories: Sequence[Memory]) -> None:
    """Return when all ``memories`` lie within ``permit`` and can be stored at all.

    Raises:
        PermitMismatch: a memory lies outside the permit's scope.
        Unstorable: a text is not well-formed Unicode, or metadata is not JSON.
    """
    for memory in memories:
        if memory.scope != permit.scope:
            raise PermitMismatch(f"memory {memory.id} lies in {memory.scope}; the permit is for {permit.scope}")
    for memory in memories:
        _check_texts(memory)
        _check_metadata(memory)


def _check_texts(memory: Memory) -> None:
    for field, text in (("content", memory.content), ("principal", memory.provenance.principal), ("id", memory.id)):
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise Unstorable(f"the {field} of memory {memory.id!a} holds an unpaired surrogate") from None


def _check_metadata(memory: Memory) -> None:
    try:
        json.dumps(dict(memory.metadata))
    except (TypeError, ValueError, RecursionError):
        raise Unstorable(f"the metadata of memory {memory.id} is not JSON") from None
