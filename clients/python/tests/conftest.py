"""Both clients before a gateway that answers from a script."""

import inspect
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from scopegate import AsyncClient, Client

URL = "http://gateway.test"
KEY = "sg_k1_topsecret"


class Face:
    """One of the two clients. It is given ``replies`` in order, and what it did is in ``requests`` and ``pauses``."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.replies: list[httpx.Response | Exception] = []
        self.requests: list[httpx.Request] = []
        self.pauses: list[float] = []
        self.client: Any = self.open()

    def open(self, base_url: str | None = URL, key: str | None = KEY, **options: Any) -> Any:
        options = {"transport": httpx.MockTransport(self._reply), **options}
        if self.kind == "sync":
            return Client(base_url, key, sleep=self.pauses.append, **options)
        return AsyncClient(base_url, key, sleep=self._pause, **options)

    def will(self, *replies: httpx.Response | Exception) -> None:
        self.replies.extend(replies)

    async def call(self, operation: Callable[[Any], Any]) -> Any:
        return await self.settle(operation(self.client))

    async def settle(self, result: Any) -> Any:
        return await result if inspect.isawaitable(result) else result

    def _reply(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        # A response is read once only, and the tables of cases hold theirs for many tests.
        return httpx.Response(reply.status_code, headers=reply.headers, content=reply.content)

    async def _pause(self, pause_s: float) -> None:
        self.pauses.append(pause_s)


@pytest.fixture(scope="session")
def anyio_backend():
    return "asyncio"


@pytest.fixture(params=["sync", "async"])
def face(request):
    return Face(request.param)
