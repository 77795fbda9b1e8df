"""Commands that ask a running gateway, with the caller's own key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from proxy.cli.output import fail

_TIMEOUT_S = 30.0


class Remote:
    """A gateway over HTTP."""

    def __init__(self, url: str, key: str) -> None:
        if not key:
            fail("this asks a running gateway: set SCOPEGATE_KEY to a key, or give --key")
        headers = {"Authorization": f"Bearer {key}"}
        self._url = url
        self._http = httpx.Client(base_url=url, headers=headers, timeout=_TIMEOUT_S)

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, object] | None = None,
        query: Mapping[str, str | int] | None = None,
    ) -> dict[str, Any]:
        """The JSON answer; a refusal ends the command with its detail."""
        try:
            response = self._http.request(method, path, json=body, params=query)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            fail(f"no answer from {self._url}: {type(error).__name__}; is the gateway running there?")
        try:
            answer = response.json() if response.content else {}
        except ValueError:
            fail(f"{self._url} answered {response.status_code} and no JSON; is that a Scopegate gateway?")
        if response.is_error:
            fail(_told(response.status_code, answer))
        return answer if isinstance(answer, dict) else {}


def _told(status: int, answer: object) -> str:
    if not isinstance(answer, dict) or "detail" not in answer:
        return f"the gateway answered {status}"
    if answer.get("errors"):
        return "\n".join(f"{error['field']}: {error['message']}" for error in answer["errors"])
    line = f" ({answer['line']})" if answer.get("line") and str(answer["line"]) not in str(answer["detail"]) else ""
    return f"{answer['title']}: {answer['detail']}{line}"
