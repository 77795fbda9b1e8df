"""How a caller spells what it asks for: scopes, times, filters."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, NotRequired, Required, TypedDict

ScopeLike = str | Mapping[str, str]
"""A scope: the path ``"org/acme/project/q3"`` or the mapping ``{"org": "acme", "project": "q3"}``."""

TimeLike = datetime | str
"""An instant: a ``datetime`` with a time zone, or RFC 3339 text with an offset."""

Action = Literal["read", "write", "publish", "forget", "review", "administer"]
Category = Literal["episodic", "identity", "knowledge", "context", "instructions", "uncertainty"]
Direction = Literal["both", "ancestors", "descendants"]
HoldState = Literal["pending", "approved", "rejected"]


class Details(TypedDict, total=False):
    """What may be said of a new memory besides its content.

    ``memory_category`` is ``episodic`` unless given; ``metadata`` holds tags to filter by later;
    ``valid_from`` is when the content became true, if not now.
    """

    memory_category: Category | None
    metadata: Mapping[str, object] | None
    valid_from: TimeLike | None


class NewMemory(Details):
    """One memory of a batch. Without a ``scope`` it goes where the batch goes."""

    content: Required[str]
    scope: NotRequired[ScopeLike]


class Filters(TypedDict, total=False):
    """What narrows a read.

    ``direction`` looks only at what lies above the scope (``ancestors``) or below it (``descendants``).
    ``metadata`` keeps what carries these tags, ``author`` what that principal stored, such as ``agent:researcher``;
    ``since`` and ``until`` bound the time of storing.
    """

    direction: Direction | None
    category: Category | None
    metadata: Mapping[str, object] | None
    author: str | None
    since: TimeLike | None
    until: TimeLike | None


def scope_path(scope: ScopeLike) -> str:
    """The path of a scope; a path is left to the gateway to judge.

    Raises:
        ValueError: a part of the mapping is empty or holds a ``/``, which a path would read as a further part.
    """
    if isinstance(scope, str):
        return scope
    return "/".join(_path_part(part) for term in scope.items() for part in term) or "/"


def time_text(time: TimeLike) -> str:
    """The instant as RFC 3339 text.

    Raises:
        ValueError: a ``datetime`` without a time zone, which could be any of several instants.
    """
    if isinstance(time, str):
        return time
    if time.utcoffset() is None:
        raise ValueError(f"{time.isoformat()} has no time zone; write datetime.now(UTC), for example")
    return time.isoformat()


def _path_part(part: str) -> str:
    if not part or "/" in part:
        raise ValueError(f"{part!r} cannot be part of a scope: dimensions and values are not empty and hold no /")
    return part
