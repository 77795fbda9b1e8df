"""The client that waits: for programs without an event loop."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Self, Unpack

import httpx

from scopegate import calls
from scopegate.answers import (
    Decision,
    Hold,
    Identity,
    Key,
    Memory,
    NewKey,
    OpenedSession,
    Outcome,
    Page,
    Recall,
    Refused,
    Stored,
)
from scopegate.connection import Access, Connection, Retries
from scopegate.errors import NotFound, ScopegateError
from scopegate.scopes import Action, Details, Filters, HoldState, NewMemory, ScopeLike


class _Memories:
    """What needs no scope because it names memories by id."""

    _connection: Connection

    def publish(
        self,
        memory_ids: str | Iterable[str],
        *,
        to: ScopeLike,
        content: str | None = None,
        metadata: Mapping[str, object] | None = None,
    ) -> tuple[Outcome, ...]:
        """Copy memories into the scope ``to``, through the publish gate; ``metadata`` replaces theirs.

        With ``content`` that text is published instead, once, as derived from all of ``memory_ids``.

        Raises:
            BlockedByPublishGate: at least one may not enter ``to``. Nothing was stored.
            Forbidden: the policy allows no ``publish`` on a source, or no ``write`` on ``to``.
            NotFound: a memory does not exist, or not for this key.
        """
        return self._connection.send(calls.publish(memory_ids, to, content, metadata))

    def get(self, memory_id: str) -> Memory:
        """One memory.

        Raises:
            NotFound: it does not exist, or not for this key.
        """
        return self._connection.send(calls.get(memory_id))

    def forget(self, memory_id: str) -> None:
        """Remove a memory from every search.

        Raises:
            NotFound: it does not exist, or not for this key.
            Forbidden: this key may read it, but not forget it.
        """
        self._connection.send(calls.forget(memory_id))


class Client(_Memories):
    """A gateway as one key sees it.

    The URL and the key are taken from ``SCOPEGATE_URL`` and ``SCOPEGATE_KEY`` unless they are given. Each attempt may
    take ``timeout_s`` to connect and as long again between bytes. What failed on the way is sent again up to
    ``max_retries`` times where that does nothing twice: reads, and writes that the gateway knows again by their
    idempotency key.

    Any call raises ``ScopegateError``, of the class that fits.

    Raises:
        NotConfigured: the URL or the key is missing or malformed.
    """

    def __init__(
        self,
        base_url: str | None = None,
        key: str | None = None,
        *,
        timeout_s: float = 30.0,
        max_retries: int = 2,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        access = Access.found(base_url, key, os.environ)
        http = httpx.Client(
            base_url=access.url,
            headers=access.headers(),
            timeout=timeout_s,
            transport=transport,
            follow_redirects=False,
        )
        self._url = access.url
        self._connection = Connection(http, Retries(max_retries), sleep)
        self.sessions = Sessions(self._connection)
        self.holds = Holds(self._connection)
        self.keys = Keys(self._connection)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are open. Sessions stay as they are."""
        self._connection.close()

    def remember(self, content: str, *, scope: ScopeLike, **details: Unpack[Details]) -> Outcome:
        """Store a memory in ``scope``; in a shared scope, through the publish gate.

        Raises:
            BlockedByPublishGate: it may not enter that scope. Nothing was stored.
            Forbidden: the policy allows no ``write`` on ``scope``.
        """
        return self._connection.send(calls.remember(content, calls.in_scope(scope), details))

    def remember_many(
        self, memories: Iterable[NewMemory], *, scope: ScopeLike | None = None
    ) -> tuple[Outcome | Refused, ...]:
        """Store up to 1,000 memories, those without a scope of their own in ``scope``: one outcome each, in order.

        A refused one does not keep the others out, and raises nothing.
        """
        place = None if scope is None else calls.in_scope(scope)
        return self._connection.send(calls.remember_many(memories, place))

    def recall(self, query: str, *, scope: ScopeLike, top_k: int | None = None, **filters: Unpack[Filters]) -> Recall:
        """The ``top_k`` (10) memories nearest to ``query`` among those that this key may read through ``scope``.

        Raises:
            Forbidden: there is nothing that this key may read through ``scope``.
        """
        return self._connection.send(calls.recall(query, calls.in_scope(scope), top_k, filters))

    def list(
        self,
        *,
        scope: ScopeLike,
        limit: int | None = None,
        cursor: str | None = None,
        **filters: Unpack[Filters],
    ) -> Page[Memory]:
        """The memories that this key may read through ``scope``, newest first, ``limit`` (50) at a time.

        Raises:
            Forbidden: there is nothing that this key may read through ``scope``.
        """
        return self._connection.send(calls.list_memories(calls.in_scope(scope), limit, cursor, filters))

    def whoami(self) -> Identity:
        """Who this key speaks for, and what it may do where."""
        return self._connection.send(calls.whoami())

    def check(self, action: Action, scope: ScopeLike, principal: str | None = None) -> Decision:
        """Whether ``principal``, or else this key's own, may do ``action`` in ``scope``, and why.

        Raises:
            Forbidden: this key may not ask about that principal.
        """
        return self._connection.send(calls.check(action, scope, principal))


class Session(_Memories):
    """Memory seen from one scope. As a context manager it is closed on the gateway at the end."""

    def __init__(self, connection: Connection, opened: OpenedSession) -> None:
        self._connection = connection
        self.id = opened.id
        self.scope = opened.scope
        self.metadata = opened.metadata
        self.expires_at = opened.expires_at

    def __repr__(self) -> str:
        return f"{type(self).__name__}(id={self.id!r}, scope={self.scope!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except ScopegateError:
            # What went wrong inside matters more; the gateway lets the session expire.
            if error is None:
                raise

    def close(self) -> None:
        """Close the session on the gateway; one that has expired or was closed is no error."""
        try:
            self._connection.send(calls.close_session(self.id))
        except NotFound:
            return

    def remember(self, content: str, **details: Unpack[Details]) -> Outcome:
        """Store a memory in the session's scope; in a shared scope, through the publish gate.

        Raises:
            BlockedByPublishGate: it may not enter that scope. Nothing was stored.
            Forbidden: the policy allows no ``write`` on that scope.
        """
        return self._connection.send(calls.remember(content, calls.in_session(self.id), details))

    def remember_many(self, memories: Iterable[NewMemory]) -> tuple[Outcome | Refused, ...]:
        """Store up to 1,000 memories: one outcome each, in order.

        A refused one does not keep the others out, and raises nothing.
        """
        return self._connection.send(calls.remember_many(memories, calls.in_session(self.id)))

    def recall(self, query: str, *, top_k: int | None = None, **filters: Unpack[Filters]) -> Recall:
        """The ``top_k`` (10) memories nearest to ``query`` among those that this key may read through the scope."""
        return self._connection.send(calls.recall(query, calls.in_session(self.id), top_k, filters))

    def list(self, *, limit: int | None = None, cursor: str | None = None, **filters: Unpack[Filters]) -> Page[Memory]:
        """The memories that this key may read through the session's scope, newest first, ``limit`` (50) at a time."""
        return self._connection.send(calls.list_memories(calls.in_session(self.id), limit, cursor, filters))


class Sessions:
    """``client.sessions``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(self, scope: ScopeLike, *, metadata: Mapping[str, object] | None = None) -> Session:
        """Open a session in ``scope``."""
        return Session(self._connection, self._connection.send(calls.open_session(scope, metadata)))


class Holds:
    """``client.holds``: what waits for a reviewer."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(
        self, *, state: HoldState | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Hold]:
        """The holds in ``state`` (``pending``) that this key may review, and its own submissions."""
        return self._connection.send(calls.list_holds(state, limit, cursor))

    def get(self, hold_id: str) -> Hold:
        """One hold."""
        return self._connection.send(calls.get_hold(hold_id))

    def approve(self, hold_id: str, *, redact: bool = False) -> Stored:
        """Store what was held, with ``redact`` without what was found in it. Never one's own submission."""
        return self._connection.send(calls.approve_hold(hold_id, redact=redact))

    def reject(self, hold_id: str, *, reason: str | None = None) -> Hold:
        """Keep out what was held. Never one's own submission."""
        return self._connection.send(calls.reject_hold(hold_id, reason))


class Keys:
    """``client.keys``: the keys that this key may manage."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(
        self,
        principal: str,
        *,
        floor: ScopeLike | None = None,
        read_only: bool = False,
        expires_in_s: int | None = None,
        note: str | None = None,
    ) -> NewKey:
        """Make a key for ``principal``, such as ``agent:researcher``. Its text is in this answer and nowhere else.

        ``floor`` and ``read_only`` narrow what the policy allows, never widen it.
        """
        call = calls.create_key(principal, floor=floor, read_only=read_only, expires_in_s=expires_in_s, note=note)
        return self._connection.send(call)

    def list(self) -> tuple[Key, ...]:
        """All keys that this key may manage, without their text."""
        return self._connection.send(calls.list_keys())

    def rotate(self, key_id: str, *, overlap_s: int | None = None) -> NewKey:
        """Make a key that replaces another, which lives on for ``overlap_s`` (3600) seconds."""
        return self._connection.send(calls.rotate_key(key_id, overlap_s))

    def revoke(self, key_id: str) -> None:
        """End a key at once."""
        self._connection.send(calls.revoke_key(key_id))
