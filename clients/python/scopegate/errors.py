"""What can go wrong: one class for each problem code of the gateway, and a few for what never reached it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from scopegate.findings import Finding, read_findings


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field of a request."""

    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a call failed: the gateway's problem document, or the client's own. ``status`` is None without an answer."""

    detail: str
    code: str = ""
    title: str = ""
    status: int | None = None
    request_id: str | None = None
    errors: tuple[FieldError, ...] = ()
    findings: tuple[Finding, ...] = ()
    line: str | None = None
    retry_after_s: float | None = None

    @classmethod
    def read(
        cls,
        body: Mapping[str, Any],
        *,
        status: int | None = None,
        request_id: str | None = None,
        retry_after_s: float | None = None,
    ) -> Problem:
        """The problem in a JSON object; what that does not say is taken from the other arguments."""
        title = body.get("title", "")
        return cls(
            detail=body.get("detail") or title or "the gateway gave no reason",
            code=body.get("code", ""),
            title=title,
            status=status or body.get("status"),
            request_id=body.get("request_id") or request_id,
            errors=tuple(FieldError(error["field"], error["message"]) for error in body.get("errors") or ()),
            findings=read_findings(body.get("findings")),
            line=body.get("line"),
            retry_after_s=retry_after_s,
        )


class ScopegateError(Exception):
    """Base of everything that a call raises. No message ever holds the key.

    Attributes:
        status: the HTTP status; None when no answer came.
        code: the stable name of the problem, such as ``forbidden``.
        title: the problem in general.
        detail: the problem at hand.
        request_id: what to look for in the gateway's audit log.
        errors: the fields at fault, for an invalid request.
        findings: what the publish gate found, without its text.
        line: the policy line that decided, such as ``policy.csv:7``.
        retry_after_s: how long the gateway asked to be left alone.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem
        self.status = problem.status
        self.code = problem.code
        self.title = problem.title
        self.detail = problem.detail
        self.request_id = problem.request_id
        self.errors = problem.errors
        self.findings = problem.findings
        self.line = problem.line
        self.retry_after_s = problem.retry_after_s

    def __str__(self) -> str:
        facts = [self.code, self.line, self.request_id and f"request {self.request_id}"]
        named = ", ".join(fact for fact in facts if fact)
        return f"{self.detail} ({named})" if named else self.detail


class Unauthenticated(ScopegateError):
    """The key is missing, malformed, unknown, expired or revoked."""


class Forbidden(ScopegateError):
    """The policy, or the key's floor or read-only flag, does not allow it; ``line`` is set where a line decided."""


class NotFound(ScopegateError):
    """It does not exist, or not for this key: the gateway gives both the same answer."""


class Conflict(ScopegateError):
    """The request contradicts what already happened."""


class TooLarge(ScopegateError):
    """The request is over the gateway's limit."""


class Invalid(ScopegateError):
    """A field is missing, unknown, of the wrong type or out of range; ``errors`` says which."""


class BlockedByPublishGate(ScopegateError):
    """The text may not enter that shared scope; ``findings`` says why. Nothing was stored."""


class RateLimited(ScopegateError):
    """Too many requests with this key; ``retry_after_s`` says when to come back."""


class Unavailable(ScopegateError):
    """The gateway, or something that it depends on, cannot serve this at the moment."""


class ConnectionFailed(ScopegateError):
    """No answer came. A write may or may not have happened."""


class Timeout(ScopegateError):
    """No answer came in time. A write may or may not have happened."""


class NotConfigured(ScopegateError):
    """The gateway's URL or the key is missing or cannot be one."""


class UnexpectedAnswer(ScopegateError):
    """The answer is not one that a Scopegate gateway gives; the URL may point elsewhere."""


_BY_CODE: dict[str, type[ScopegateError]] = {
    "unauthenticated": Unauthenticated,
    "forbidden": Forbidden,
    "not-found": NotFound,
    "conflict": Conflict,
    "too-large": TooLarge,
    "invalid": Invalid,
    "blocked-by-publish-gate": BlockedByPublishGate,
    "rate-limited": RateLimited,
    "gate-unavailable": Unavailable,
    "store-unavailable": Unavailable,
    "audit-unavailable": Unavailable,
}

# For codes of a newer gateway, and for what a load balancer answers in the gateway's place.
_BY_STATUS: dict[int | None, type[ScopegateError]] = {
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    422: Invalid,
    429: RateLimited,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


def error_of(problem: Problem) -> ScopegateError:
    """The error that stands for ``problem``."""
    kind = _BY_CODE.get(problem.code) or _BY_STATUS.get(problem.status, ScopegateError)
    return kind(problem)


def refusal(response: httpx.Response) -> ScopegateError:
    """The error that an answer without success stands for."""
    request_id = response.headers.get("X-Request-Id")
    if response.is_redirect:
        detail = "the gateway's URL redirects elsewhere, which is not followed because the key would go with it"
        return UnexpectedAnswer(
            Problem(detail, "unexpected-answer", status=response.status_code, request_id=request_id)
        )
    return error_of(
        Problem.read(
            _problem_document(response),
            status=response.status_code,
            request_id=request_id,
            retry_after_s=retry_after_s(response),
        )
    )


def retry_after_s(response: httpx.Response) -> float | None:
    """The seconds in ``Retry-After``; None when it is absent or, as no gateway sends, a date."""
    seconds = response.headers.get("Retry-After", "")
    return float(seconds) if seconds.isascii() and seconds.isdigit() else None


def _problem_document(response: httpx.Response) -> Mapping[str, Any]:
    try:
        body = response.json()
    except ValueError:
        body = None
    return (
        body if isinstance(body, dict) else {"detail": f"HTTP {response.status_code} {response.reason_phrase}".strip()}
    )
