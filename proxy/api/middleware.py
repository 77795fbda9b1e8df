"""What surrounds every request: its id, its size limit, its refusal as a problem document, its line in the log."""

from __future__ import annotations

import re
import time
import traceback
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from proxy.database import DatabaseError
from proxy.errors import GatewayError, Invalid, MethodNotAllowed, NotFound, StoreUnavailable, TooLarge
from proxy.telemetry import Metrics

REQUEST_ID = "X-Request-Id"

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_NO_ROUTE = "unmatched"
_log = structlog.get_logger("scopegate.http")


class InternalError(GatewayError):
    """Something that nobody foresaw. The log has its place under the request id; the caller is told no more."""

    code = "internal"
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    title = "Internal error"


def problem_document(error: GatewayError, request_id: str, path: str) -> dict[str, object]:
    """The refusal as an RFC 9457 problem document."""
    return {
        "type": f"urn:scopegate:error:{error.code}",
        "code": error.code,
        "title": error.title,
        "status": int(error.status),
        "detail": error.detail,
        "instance": path,
        "request_id": request_id,
        **error.extras,
    }


@dataclass(slots=True)
class RequestBoundary:
    """The outermost layer: every answer has a request id, every failure is a problem document and has a log line."""

    app: ASGIApp
    metrics: Metrics
    body_max_bytes: Callable[[], int]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, as ASGI has it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope["app"] = self
        answer = _Answer(_request_id(scope), send)
        scope.setdefault("state", {})["request_id"] = answer.request_id
        started = time.perf_counter()
        try:
            await self.app(scope, _Limited(receive, scope, self.body_max_bytes()), answer.send)
        except Exception as error:
            refusal = _as_refusal(error, scope, answer.request_id)
            self.metrics.refused(refusal)
            if answer.begun:
                raise
            path = scope["path"].encode("ascii", "replace").decode()
            document = problem_document(refusal, answer.request_id, path)
            media_type = "application/problem+json"
            response = JSONResponse(document, refusal.status, refusal.headers, media_type=media_type)
            await response(scope, receive, answer.send)
        finally:
            self._observe(scope, answer, time.perf_counter() - started)

    def _observe(self, scope: Scope, answer: _Answer, duration_s: float) -> None:
        matched = scope.get("route")
        route = matched.path if isinstance(matched, Route) else _NO_ROUTE
        # A method may be any word that a client makes up; only those of the route make a label.
        known = isinstance(matched, Route) and scope["method"] in (matched.methods or ())
        method = scope["method"] if known else "any"
        self.metrics.requests.labels(method, route, str(answer.status)).inc()
        self.metrics.duration_s.labels(method, route).observe(duration_s)
        call = scope["state"].get("call")
        _log.info(
            "request",
            method=method,
            route=route,
            status=answer.status,
            duration_ms=round(duration_s * 1000, 1),
            request_id=answer.request_id,
            principal=str(call.caller.principal) if call else None,
            key_id=call.caller.key_id if call else None,
        )


class _Answer:
    """Sends the answer with its request id and remembers its status."""

    def __init__(self, request_id: str, send: Send) -> None:
        self.request_id = request_id
        self.status = int(HTTPStatus.INTERNAL_SERVER_ERROR)
        self.begun = False
        self._send = send

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            self.status = int(message["status"])
            headers = MutableHeaders(scope=message)
            headers[REQUEST_ID] = self.request_id
            headers.setdefault("Cache-Control", "no-store")
        await self._send(message)


class _Limited:
    """Receives a body up to a limit."""

    def __init__(self, receive: Receive, scope: Scope, max_bytes: int) -> None:
        self._receive = receive
        self._declared = Headers(scope=scope).get("Content-Length", "0")
        self._max_bytes = max_bytes
        self._seen = 0

    async def __call__(self) -> Message:
        if self._declared.isascii() and self._declared.isdigit() and int(self._declared[:20]) > self._max_bytes:
            raise self._too_large()
        message = await self._receive()
        self._seen += len(message.get("body", b""))
        if self._seen > self._max_bytes:
            raise self._too_large()
        return message

    def _too_large(self) -> TooLarge:
        return TooLarge(f"the body is over the limit of {self._max_bytes} bytes")


def _request_id(scope: Scope) -> str:
    wanted = Headers(scope=scope).get(REQUEST_ID, "")
    return wanted if _REQUEST_ID.fullmatch(wanted) else uuid.uuid4().hex


def _methods(scope: Scope) -> list[str]:
    """The methods that the path answers, over all its routes."""
    routes = [route for route in scope["router"].routes if isinstance(route, Route)]
    answering = [route for route in routes if route.path_regex.match(scope["path"])]
    return sorted({method for route in answering for method in route.methods or ()})


def _as_refusal(error: Exception, scope: Scope, request_id: str) -> GatewayError:
    match error:
        case GatewayError():
            return error
        case HTTPException(status_code=HTTPStatus.NOT_FOUND):
            return NotFound("no such path; /openapi.json lists them all")
        case HTTPException(status_code=HTTPStatus.METHOD_NOT_ALLOWED):
            return MethodNotAllowed(_methods(scope))
        case HTTPException() | ClientDisconnect():
            return Invalid.field("body", "could not be read")
        case DatabaseError():
            return StoreUnavailable("the gateway's own records are unavailable; try again later")
    # Not the message nor the values: they may hold what a client sent.
    where = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    _log.error("request failed", request_id=request_id, error=type(error).__name__, where=where[-8:])
    return InternalError("the gateway failed; the operator finds the place under this request id")
