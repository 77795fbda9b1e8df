"""How a request becomes a call: its key is authenticated, its rate counted, its repetition recognised."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from proxy.api.ratelimit import RateLimiter
from proxy.authenticate.keyring import KeyRing
from proxy.call import Call
from proxy.database import DatabaseError
from proxy.errors import GatewayError, Invalid
from proxy.idempotency import Answer, Attempt, IdempotencyBook
from proxy.identity import FreshIds, RepeatableIds
from proxy.moments import Clock
from proxy.policyfolder import PolicyFolder
from proxy.shadow import Shadow

IDEMPOTENCY_KEY = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"

_BEARER = re.compile(r"[Bb]earer +([!-~]{1,200})", re.ASCII)
_KEY_TEXT = re.compile(r"[ -~]{1,128}", re.ASCII)

Endpoint = Callable[[Request, Call], Awaitable[Response]]
Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Entry:
    """Wraps endpoints, so that none is reached without a key."""

    keys: KeyRing
    policies: PolicyFolder
    attempts: IdempotencyBook
    clock: Clock
    rates: RateLimiter
    shadow: Shadow

    def keyed(self, endpoint: Endpoint, name: str) -> Handler:
        """An endpoint that changes nothing which a repeated request could change twice; ``name`` is the operation's."""

        async def handle(request: Request) -> Response:
            return await endpoint(request, await self._call(request, name))

        return handle

    def writing(self, endpoint: Endpoint, name: str) -> Handler:
        """An endpoint that stores: with an ``Idempotency-Key`` the same request has one effect and one answer."""

        async def handle(request: Request) -> Response:
            call = await self._call(request, name)
            key = request.headers.get(IDEMPOTENCY_KEY)
            if key is None:
                return await endpoint(request, call)
            if not _KEY_TEXT.fullmatch(key):
                raise Invalid.field(IDEMPOTENCY_KEY, "must be 1 to 128 printable ASCII characters")
            route = f"{request.method} {request.url.path}"
            principal = str(call.caller.principal)
            attempt = await self.attempts.begin(principal, route, key, await request.body(), call.now)
            return await self._attempt(request, call, endpoint, attempt)

        return handle

    async def _attempt(self, request: Request, call: Call, endpoint: Endpoint, attempt: Attempt) -> Response:
        if attempt.answer is not None:
            return _response(attempt.answer)
        ids = RepeatableIds(attempt.slot, attempt.started_at)
        again = Call(call.caller, call.request_id, call.now, call.rules, ids, attempt.repeated)
        try:
            response = await endpoint(request, again)
        except BaseException as error:
            refused = isinstance(error, GatewayError) and error.status < HTTPStatus.INTERNAL_SERVER_ERROR
            await self.attempts.abandon(attempt, nothing_done=refused)
            raise
        if getattr(request.state, "unfinished", False):
            await self.attempts.abandon(attempt, nothing_done=False)
            return response
        # Done is done: where its answer cannot be kept, a retry runs again under the same ids and stores nothing twice.
        with contextlib.suppress(DatabaseError):
            await self.attempts.finish(attempt, Answer(response.status_code, bytes(response.body)))
        return response

    async def _call(self, request: Request, name: str) -> Call:
        now = self.clock()
        # Taken once: the whole request is judged by these rules, whatever is loaded meanwhile.
        rules = self.policies.in_force
        # Joined as RFC 9110 has it: of two keys in one request, none is taken.
        bearer = _BEARER.fullmatch(", ".join(request.headers.getlist("Authorization")))
        caller = await self.keys.authenticate(bearer[1] if bearer else None, now)
        request_id: str = request.state.request_id
        observed = self.shadow.observed(rules, request_id, name, now)
        call = Call(caller, request_id, now, observed, FreshIds())
        request.state.call = call
        self.rates.spend(caller.key_id, rules.config.limits.requests_per_minute, now)
        return call


def _response(answer: Answer) -> Response:
    media_type = "application/json" if answer.status != HTTPStatus.NO_CONTENT else None
    return Response(answer.body, answer.status, {REPLAYED: "true"}, media_type)
