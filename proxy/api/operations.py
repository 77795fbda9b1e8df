"""What operators and their tools ask without a key: alive, ready, metrics, the API's description."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from proxy.moments import moment_text
from proxy.policyfolder import PolicyFolder
from proxy.telemetry import Metrics
from store.memory import JSON

_CHECK_DEADLINE_S = 5.0


@dataclass(frozen=True, slots=True)
class OperatorPaths:
    """``/healthz``, ``/readyz``, ``/metrics`` and ``/openapi.json``."""

    checks: Mapping[str, Callable[[], Awaitable[None]]]
    policies: PolicyFolder
    metrics: Metrics
    document: Mapping[str, JSON]

    async def alive(self, _request: Request) -> Response:
        """The process answers."""
        return JSONResponse({"status": "alive"})

    async def ready(self, _request: Request) -> Response:
        """Every part that a request needs answers: 200, else 503 naming those that do not.

        A refused policy change leaves the gateway ready, by the policies in force before; the answer says so.
        """
        names = list(self.checks)
        states = dict(zip(names, await asyncio.gather(*(self._state(name) for name in names)), strict=True))
        fine = all(state == "ok" for state in states.values())
        refused = self.policies.refused
        policy: dict[str, JSON] = {
            "version": self.policies.in_force.version,
            "loaded_at": moment_text(self.policies.in_force.loaded_at),
            "refused": None
            if refused is None
            else {"at": moment_text(refused.at), "places": [problem.place for problem in refused.problems]},
        }
        body = {"status": "ready" if fine else "not ready", **states, "policy": policy}
        return JSONResponse(body, HTTPStatus.OK if fine else HTTPStatus.SERVICE_UNAVAILABLE)

    async def show_metrics(self, _request: Request) -> Response:
        """All metrics, for Prometheus."""
        self.metrics.policy_refused.set(self.policies.refused is not None)
        self.metrics.policy_loaded.set(self.policies.in_force.loaded_at.timestamp())
        return Response(self.metrics.text(), media_type=CONTENT_TYPE_LATEST)

    async def describe(self, _request: Request) -> Response:
        """The API as an OpenAPI document."""
        return JSONResponse(self.document)

    def routes(self) -> list[BaseRoute]:
        """The paths as the router takes them."""
        paths = {
            "/healthz": self.alive,
            "/readyz": self.ready,
            "/metrics": self.show_metrics,
            "/openapi.json": self.describe,
        }
        return [Route(path, endpoint, methods=["GET"]) for path, endpoint in paths.items()]

    async def _state(self, name: str) -> str:
        try:
            await asyncio.wait_for(self.checks[name](), _CHECK_DEADLINE_S)
        except Exception as error:  # noqa: BLE001 - whatever it is, the part is not ready
            return f"unavailable ({type(error).__name__})"
        return "ok"
