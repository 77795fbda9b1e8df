"""The way to a gateway: its URL and key, what a reply means, when to try again, and the two ways of sending."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import httpx

from scopegate.calls import Call
from scopegate.errors import (
    ConnectionFailed,
    NotConfigured,
    Problem,
    Timeout,
    UnexpectedAnswer,
    refusal,
    retry_after_s,
)

Answer = TypeVar("Answer")
Reply = httpx.Response | httpx.RequestError
"""What came of one attempt."""

URL_VARIABLE = "SCOPEGATE_URL"
KEY_VARIABLE = "SCOPEGATE_KEY"

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 8.0
LONGEST_RETRY_AFTER_S = 30.0

_PASSING_STATUSES = frozenset({429, 502, 503, 504})
_PASSING_ERRORS = (httpx.NetworkError, httpx.RemoteProtocolError, httpx.ConnectTimeout)


@dataclass(frozen=True, slots=True)
class Access:
    """Where the gateway is, and the key to it. The key is not part of the repr."""

    url: str
    key: str = field(repr=False)

    @classmethod
    def found(cls, base_url: str | None, key: str | None, environment: Mapping[str, str]) -> Access:
        """The access given, with what is missing taken from the environment.

        Raises:
            NotConfigured: a part is missing or malformed. All problems are told at once; the key is not shown.
        """
        url = (environment.get(URL_VARIABLE, "") if base_url is None else base_url).strip()
        secret = (environment.get(KEY_VARIABLE, "") if key is None else key).strip()
        problems = [problem for problem in (_url_problem(url), _key_problem(secret)) if problem]
        if problems:
            raise NotConfigured(Problem("; ".join(problems), "not-configured"))
        return cls(url, secret)

    def headers(self) -> dict[str, str]:
        """The headers that every request carries."""
        return {"Authorization": f"Bearer {self.key}", "Accept": "application/json", "User-Agent": "scopegate-python"}


@dataclass(frozen=True, slots=True)
class Retries:
    """When to send a call again, and after how long. ``draw`` gives numbers from 0 to 1."""

    most: int
    draw: Callable[[], float] = random.random

    def pause_s(self, call: Call[object], reply: Reply, attempt: int) -> float | None:
        """Seconds to wait before sending again after ``attempt`` (from 0) got ``reply``; None: the reply stands."""
        if attempt >= self.most or not call.repeatable or not _is_passing(reply):
            return None
        # Half of the pause is drawn, so that clients that failed together do not come back together.
        backoff_s: float = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(attempt, 10))
        return max(backoff_s * (1 + self.draw()) / 2, _asked_s(reply))


class Connection:
    """Sends calls and waits for their answers."""

    def __init__(self, http: httpx.Client, retries: Retries, sleep: Callable[[float], None]) -> None:
        self._http = http
        self._retries = retries
        self._sleep = sleep

    def send(self, call: Call[Answer]) -> Answer:
        """The answer to ``call``, after retries where they are safe.

        Raises:
            ScopegateError: it was refused, or no answer came.
        """
        attempt = 0
        reply = self._try(call)
        while (pause_s := self._retries.pause_s(call, reply, attempt)) is not None:
            self._sleep(pause_s)
            attempt += 1
            reply = self._try(call)
        return conclude(call, reply)

    def _try(self, call: Call[Answer]) -> Reply:
        try:
            return self._http.request(call.method, call.path, params=call.params, json=call.body, headers=call.headers)
        except httpx.RequestError as error:
            return error

    def close(self) -> None:
        """Close the connections that are open."""
        self._http.close()


class AsyncConnection:
    """Sends calls and awaits their answers."""

    def __init__(self, http: httpx.AsyncClient, retries: Retries, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._http = http
        self._retries = retries
        self._sleep = sleep

    async def send(self, call: Call[Answer]) -> Answer:
        """The answer to ``call``, after retries where they are safe.

        Raises:
            ScopegateError: it was refused, or no answer came.
        """
        attempt = 0
        reply = await self._try(call)
        while (pause_s := self._retries.pause_s(call, reply, attempt)) is not None:
            await self._sleep(pause_s)
            attempt += 1
            reply = await self._try(call)
        return conclude(call, reply)

    async def _try(self, call: Call[Answer]) -> Reply:
        try:
            return await self._http.request(
                call.method, call.path, params=call.params, json=call.body, headers=call.headers
            )
        except httpx.RequestError as error:
            return error

    async def close(self) -> None:
        """Close the connections that are open."""
        await self._http.aclose()


def conclude(call: Call[Answer], reply: Reply) -> Answer:
    """What ``reply`` answers to ``call``.

    Raises:
        ScopegateError: it was refused, or no answer came.
    """
    if isinstance(reply, httpx.TimeoutException):
        detail = f"{call.method} {call.path}: no answer in time ({type(reply).__name__})"
        raise Timeout(Problem(detail, "timeout")) from reply
    if isinstance(reply, httpx.RequestError):
        detail = f"{call.method} {call.path}: no answer ({type(reply).__name__}: {reply})"
        raise ConnectionFailed(Problem(detail, "connection-failed")) from reply
    if not reply.is_success:
        raise refusal(reply)
    return _answer(call, reply)


def _answer(call: Call[Answer], response: httpx.Response) -> Answer:
    try:
        return call.read(response.json() if response.content else None)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        detail = f"{call.method} {call.path}: this is not what a Scopegate gateway answers; is its URL right?"
        request_id = response.headers.get("X-Request-Id")
        problem = Problem(detail, "unexpected-answer", status=response.status_code, request_id=request_id)
        raise UnexpectedAnswer(problem) from error


def _is_passing(reply: Reply) -> bool:
    if isinstance(reply, httpx.Response):
        return reply.status_code in _PASSING_STATUSES
    return isinstance(reply, _PASSING_ERRORS)


def _asked_s(reply: Reply) -> float:
    asked_s = retry_after_s(reply) if isinstance(reply, httpx.Response) else None
    return min(asked_s or 0.0, LONGEST_RETRY_AFTER_S)


def _url_problem(url: str) -> str | None:
    if not url:
        return f"the gateway's URL is missing: pass base_url or set {URL_VARIABLE}"
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return "the gateway's URL is malformed"
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        return "the gateway's URL must begin with http:// or https:// and name a host"
    if parsed.userinfo or parsed.query or parsed.fragment:
        return "the gateway's URL must not hold a password, a query or a fragment"
    return None


def _key_problem(key: str) -> str | None:
    if not key:
        return f"the key is missing: pass key or set {KEY_VARIABLE}"
    if not (key.isascii() and key.isprintable()) or " " in key:
        return "the key is malformed: a key is printable ASCII without spaces"
    return None
