"""Calls: what to send for each operation and how to read its answer. No input or output happens here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast
from urllib.parse import quote
from uuid import uuid4

from scopegate import answers
from scopegate.answers import Page
from scopegate.scopes import (
    Action,
    Category,
    Details,
    Direction,
    Filters,
    HoldState,
    NewMemory,
    ScopeLike,
    TimeLike,
    scope_path,
    time_text,
)

Answer = TypeVar("Answer")
Answer_co = TypeVar("Answer_co", covariant=True)
Place = Mapping[str, str]
"""Where a call takes place: ``{"scope": path}`` or ``{"session_id": id}``."""


@dataclass(frozen=True, slots=True)
class Call(Generic[Answer_co]):
    """One request, and what reads the body of its answer.

    ``repeatable`` promises that sending it again does nothing twice: it has no effect, or the gateway knows it again
    by its idempotency key.
    """

    method: str
    path: str
    read: Callable[[Any], Answer_co]
    repeatable: bool
    params: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, object] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def in_scope(scope: ScopeLike) -> Place:
    """The place that is a scope."""
    return {"scope": scope_path(scope)}


def in_session(session_id: str) -> Place:
    """The place that is a session."""
    return {"session_id": session_id}


def remember(content: str, place: Place, details: Details) -> Call[answers.Outcome]:
    """``POST /v1/memories``."""
    return _write("/v1/memories", _new_memory(content, place, **details), answers.read_outcome)


def remember_many(
    memories: Iterable[NewMemory], place: Place | None
) -> Call[tuple[answers.Outcome | answers.Refused, ...]]:
    """``POST /v1/memories/batch``. Memories without a scope of their own go to ``place``."""
    body = {"memories": [_batch_memory(memory, place) for memory in memories]}
    return _write("/v1/memories/batch", body, answers.read_batch)


def recall(query: str, place: Place, top_k: int | None, filters: Filters) -> Call[answers.Recall]:
    """``POST /v1/recall``."""
    return _ask("/v1/recall", _given(query=query, top_k=top_k, **place, **_narrowed(**filters)), answers.Recall.read)


def list_memories(place: Place, limit: int | None, cursor: str | None, filters: Filters) -> Call[Page[answers.Memory]]:
    """``GET /v1/memories``."""
    params = _given(limit=limit, cursor=cursor, **place, **_narrowed(**filters))
    if "metadata" in params:
        params["metadata"] = json.dumps(params["metadata"], ensure_ascii=False)
    return _get("/v1/memories", Page.reader(answers.Memory.read), params)


def get(memory_id: str) -> Call[answers.Memory]:
    """``GET /v1/memories/{id}``."""
    return _get(f"/v1/memories/{_segment(memory_id)}", answers.Memory.read)


def forget(memory_id: str) -> Call[None]:
    """``DELETE /v1/memories/{id}``."""
    return _once("DELETE", f"/v1/memories/{_segment(memory_id)}", answers.read_nothing)


def publish(
    memory_ids: str | Iterable[str], to: ScopeLike, content: str | None, metadata: Mapping[str, object] | None
) -> Call[tuple[answers.Outcome, ...]]:
    """``POST /v1/publish``."""
    # A single id is an iterable of its letters, too.
    ids = [memory_ids] if isinstance(memory_ids, str) else list(memory_ids)
    body = _given(memory_ids=ids, to=scope_path(to), content=content, metadata=metadata)
    return _write("/v1/publish", body, answers.read_outcomes)


def whoami() -> Call[answers.Identity]:
    """``GET /v1/whoami``."""
    return _get("/v1/whoami", answers.Identity.read)


def check(action: Action, scope: ScopeLike, principal: str | None) -> Call[answers.Decision]:
    """``POST /v1/check``."""
    body = _given(action=action, scope=scope_path(scope), principal=principal)
    return _ask("/v1/check", body, answers.Decision.read)


def open_session(scope: ScopeLike, metadata: Mapping[str, object] | None) -> Call[answers.OpenedSession]:
    """``POST /v1/sessions``."""
    body = _given(scope=scope_path(scope), metadata=metadata)
    return _once("POST", "/v1/sessions", answers.OpenedSession.read, body)


def close_session(session_id: str) -> Call[None]:
    """``DELETE /v1/sessions/{id}``."""
    return _once("DELETE", f"/v1/sessions/{_segment(session_id)}", answers.read_nothing)


def list_holds(state: HoldState | None, limit: int | None, cursor: str | None) -> Call[Page[answers.Hold]]:
    """``GET /v1/holds``."""
    return _get("/v1/holds", Page.reader(answers.Hold.read), _given(state=state, limit=limit, cursor=cursor))


def get_hold(hold_id: str) -> Call[answers.Hold]:
    """``GET /v1/holds/{id}``."""
    return _get(f"/v1/holds/{_segment(hold_id)}", answers.Hold.read)


def approve_hold(hold_id: str, *, redact: bool) -> Call[answers.Stored]:
    """``POST /v1/holds/{id}/approve``."""
    return _once("POST", f"/v1/holds/{_segment(hold_id)}/approve", answers.Stored.read, {"redact": redact})


def reject_hold(hold_id: str, reason: str | None) -> Call[answers.Hold]:
    """``POST /v1/holds/{id}/reject``."""
    return _once("POST", f"/v1/holds/{_segment(hold_id)}/reject", answers.Hold.read, _given(reason=reason))


def create_key(
    principal: str, *, floor: ScopeLike | None, read_only: bool, expires_in_s: int | None, note: str | None
) -> Call[answers.NewKey]:
    """``POST /v1/admin/keys``."""
    floor_path = None if floor is None else scope_path(floor)
    body = _given(principal=principal, floor=floor_path, read_only=read_only, expires_in_s=expires_in_s, note=note)
    return _once("POST", "/v1/admin/keys", answers.NewKey.read, body)


def list_keys() -> Call[tuple[answers.Key, ...]]:
    """``GET /v1/admin/keys``."""
    return _get("/v1/admin/keys", answers.read_keys)


def rotate_key(key_id: str, overlap_s: int | None) -> Call[answers.NewKey]:
    """``POST /v1/admin/keys/{id}/rotate``."""
    path = f"/v1/admin/keys/{_segment(key_id)}/rotate"
    return _once("POST", path, answers.NewKey.read, _given(overlap_s=overlap_s))


def revoke_key(key_id: str) -> Call[None]:
    """``DELETE /v1/admin/keys/{id}``."""
    return _once("DELETE", f"/v1/admin/keys/{_segment(key_id)}", answers.read_nothing)


def _get(path: str, read: Callable[[Any], Answer], params: Mapping[str, object] | None = None) -> Call[Answer]:
    texts = {name: str(value) for name, value in (params or {}).items()}
    return Call("GET", path, read, repeatable=True, params=texts)


def _ask(path: str, body: Mapping[str, object], read: Callable[[Any], Answer]) -> Call[Answer]:
    return Call("POST", path, read, repeatable=True, body=body)


def _write(path: str, body: Mapping[str, object], read: Callable[[Any], Answer]) -> Call[Answer]:
    return Call("POST", path, read, repeatable=True, body=body, headers={"Idempotency-Key": str(uuid4())})


def _once(
    method: str, path: str, read: Callable[[Any], Answer], body: Mapping[str, object] | None = None
) -> Call[Answer]:
    return Call(method, path, read, repeatable=False, body=body)


def _new_memory(
    content: str,
    place: Place,
    *,
    memory_category: Category | None = None,
    metadata: Mapping[str, object] | None = None,
    valid_from: TimeLike | None = None,
) -> dict[str, object]:
    return _given(
        content=content,
        category=memory_category,
        metadata=metadata,
        valid_from=_instant(valid_from),
        **place,
    )


def _batch_memory(memory: NewMemory, place: Place | None) -> dict[str, object]:
    own_place = in_scope(memory["scope"]) if "scope" in memory else place
    if own_place is None:
        raise ValueError("a memory of the batch has no scope; give it one, or give one for the whole batch")
    details = {name: value for name, value in memory.items() if name not in {"content", "scope"}}
    return _new_memory(memory["content"], own_place, **cast("Details", details))


def _narrowed(
    *,
    direction: Direction | None = None,
    category: Category | None = None,
    metadata: Mapping[str, object] | None = None,
    author: str | None = None,
    since: TimeLike | None = None,
    until: TimeLike | None = None,
) -> dict[str, object]:
    return {
        "direction": direction,
        "category": category,
        "metadata": metadata,
        "author": author,
        "since": _instant(since),
        "until": _instant(until),
    }


def _given(**fields: object) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}


def _instant(time: TimeLike | None) -> str | None:
    return None if time is None else time_text(time)


def _segment(identifier: str) -> str:
    # An empty or dotted segment would name another resource than the one that was meant.
    if identifier.strip(".") == "":
        raise ValueError(f"{identifier!r} is not an id")
    return quote(identifier, safe="")
