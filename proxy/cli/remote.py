"""Commands that ask a running gateway, with the caller's own key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from proxy.api.middleware import REQUEST_ID
from proxy.authenticate.key import Key
from proxy.cli.output import fail

_TIMEOUT_S = 30.0


class Remote:
    """A gateway over HTTP."""

    def __init__(self, url: str, key: str) -> None:
        if not key:
            fail("this asks a running gateway: set SCOPEGATE_KEY to a key, or give --key")
        if Key.parse(key) is None:
            fail("--key (SCOPEGATE_KEY) is not a key; keys look like sg_<id>_<secret>")
        if not _is_address(url):
            fail(f"--url (SCOPEGATE_URL) must be an address such as http://127.0.0.1:8080, not {url!r}")
        self._url = url
        self._headers = {"Authorization": f"Bearer {key}"}

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
            with httpx.Client(base_url=self._url, headers=self._headers, timeout=_TIMEOUT_S) as http:
                response = http.request(method, path, json=body, params=query)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            fail(f"no answer from {self._url}: {type(error).__name__}; is the gateway running there?")
        try:
            answer = response.json() if response.content else {}
        except ValueError:
            answer = None
        if answer is None or REQUEST_ID not in response.headers:
            fail(f"{self._url} answered {response.status_code} like no gateway does; is that a Scopegate gateway?")
        if response.is_error:
            fail(_told(response.status_code, answer))
        return answer if isinstance(answer, dict) else {}


def _is_address(url: str) -> bool:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    return parsed.scheme in {"http", "https"} and bool(parsed.host)


def _told(status: int, answer: object) -> str:
    if not isinstance(answer, dict) or "detail" not in answer:
        return f"the gateway answered {status}"
    if answer.get("errors"):
        return "\n".join(f"{error['field']}: {error['message']}" for error in answer["errors"])
    line = f" ({answer['line']})" if answer.get("line") and str(answer["line"]) not in str(answer["detail"]) else ""
    return f"{answer['title']}: {answer['detail']}{line}"
