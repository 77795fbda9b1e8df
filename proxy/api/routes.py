"""Every path of the API, once: the router and the OpenAPI document are both made from this table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from proxy.api import wire
from proxy.api.endpoints import Endpoints
from proxy.api.entry import Endpoint, Entry
from proxy.call import Call

_OK, _CREATED, _ACCEPTED, _EMPTY = HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.ACCEPTED, HTTPStatus.NO_CONTENT


@dataclass(frozen=True, slots=True)
class Operation:
    """One method on one path. ``writes`` ones accept an ``Idempotency-Key``."""

    method: str
    path: str
    endpoint: Endpoint
    answers: tuple[HTTPStatus, ...]
    body: type[wire.Body] | None = None
    query: type[wire.Body] | None = None
    writes: bool = False

    @property
    def name(self) -> str:
        """The operation's id in the OpenAPI document."""
        return self.endpoint.__name__

    def route(self, entry: Entry) -> Route:
        """The operation as the router takes it."""
        wrap = entry.writing if self.writes else entry.keyed
        return Route(self.path, wrap(self._exactly, self.name), methods=[self.method], name=self.name)

    async def _exactly(self, request: Request, call: Call) -> Response:
        """The endpoint, for a request that brings nothing which it would pass over: ``?purge=true`` is no wish to drop.

        Raises:
            Invalid: there are parameters or a body where none are read.
        """
        if self.query is None:
            wire.read_query(request, wire.Nothing)
        if self.body is None:
            await wire.read_body(request, wire.Nothing)
        return await self.endpoint(request, call)


def operations(on: Endpoints) -> Sequence[Operation]:
    """All operations that need a key."""
    return (
        Operation("GET", "/v1/whoami", on.whoami, (_OK,)),
        Operation("POST", "/v1/check", on.check, (_OK,), wire.Check),
        Operation("POST", "/v1/sessions", on.open_session, (_CREATED,), wire.OpenSession, writes=True),
        Operation("DELETE", "/v1/sessions/{id}", on.close_session, (_EMPTY,)),
        Operation("POST", "/v1/memories", on.remember, (_CREATED, _ACCEPTED), wire.Remember, writes=True),
        Operation("POST", "/v1/memories/batch", on.remember_many, (_OK,), wire.RememberMany, writes=True),
        Operation("GET", "/v1/memories", on.list_memories, (_OK,), query=wire.ListMemories),
        Operation("GET", "/v1/memories/{id}", on.get_memory, (_OK,)),
        Operation("DELETE", "/v1/memories/{id}", on.forget, (_EMPTY,)),
        Operation("POST", "/v1/recall", on.recall, (_OK,), wire.Recall),
        Operation("POST", "/v1/publish", on.publish, (_CREATED, _ACCEPTED), wire.Publish, writes=True),
        Operation("GET", "/v1/holds", on.list_holds, (_OK,), query=wire.ListHolds),
        Operation("GET", "/v1/holds/{id}", on.get_hold, (_OK,)),
        Operation("POST", "/v1/holds/{id}/approve", on.approve_hold, (_OK,), wire.Approve, writes=True),
        Operation("POST", "/v1/holds/{id}/reject", on.reject_hold, (_OK,), wire.Reject, writes=True),
        Operation("POST", "/v1/admin/keys", on.create_key, (_CREATED,), wire.CreateKey),
        Operation("GET", "/v1/admin/keys", on.list_keys, (_OK,)),
        Operation("POST", "/v1/admin/keys/{id}/rotate", on.rotate_key, (_CREATED,), wire.RotateKey),
        Operation("DELETE", "/v1/admin/keys/{id}", on.revoke_key, (_EMPTY,)),
        Operation("GET", "/v1/admin/policy", on.policy_status, (_OK,)),
        Operation("POST", "/v1/admin/policy/reload", on.reload_policy, (_OK,)),
        Operation("POST", "/v1/admin/policy/shadow", on.start_shadow, (_CREATED,), wire.StartShadow),
        Operation("GET", "/v1/admin/policy/shadow", on.shadow_status, (_OK,)),
        Operation("DELETE", "/v1/admin/policy/shadow", on.stop_shadow, (_EMPTY,)),
        Operation("GET", "/v1/admin/audit", on.query_audit, (_OK,), query=wire.ListAudit),
    )


def routes(on: Endpoints, entry: Entry) -> list[BaseRoute]:
    """The operations as the router takes them."""
    return [operation.route(entry) for operation in operations(on)]
