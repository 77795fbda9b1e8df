"""Everything the gateway refuses with: one class, one stable code, one status, one message that is safe to show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """What is wrong with one field of a request; ``field`` is a dotted path such as ``memories[3].scope``."""

    field: str
    message: str


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """What is wrong at one place of a policy file. Lines and columns count from 1; 0 means the whole file."""

    source: str
    line: int
    column: int
    message: str

    @property
    def place(self) -> str:
        """``source:line:column``, as far as they are known."""
        return ":".join(str(part) for part in (self.source, self.line, self.column) if part)

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


class PolicyError(Exception):
    """Policy files that were refused. All problems are listed at once; what was in force stays in force."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = sorted(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class GatewayError(Exception):
    """Base of every refusal. ``extras`` become members of the problem document; ``headers`` go with the answer."""

    code: ClassVar[str]
    status: ClassVar[HTTPStatus]
    title: ClassVar[str]

    def __init__(self, detail: str, *, extras: Mapping[str, object] | None = None) -> None:
        self.detail = detail
        self.extras = dict(extras or {})
        super().__init__(detail)

    @property
    def headers(self) -> dict[str, str]:
        """Response headers that belong to this refusal."""
        return {}


class Unauthenticated(GatewayError):
    """The key is missing, malformed, unknown, expired or revoked; the answer does not say which."""

    code = "unauthenticated"
    status = HTTPStatus.UNAUTHORIZED
    title = "A valid key is required"

    def __init__(self) -> None:
        super().__init__("send a valid key as: Authorization: Bearer sg_<id>_<secret>")

    @property
    def headers(self) -> dict[str, str]:
        """The challenge that RFC 9110 asks for."""
        return {"WWW-Authenticate": 'Bearer realm="scopegate"'}


class Forbidden(GatewayError):
    """The policy, or the key's floor or flag, does not allow it."""

    code = "forbidden"
    status = HTTPStatus.FORBIDDEN
    title = "Not allowed"


class NotFound(GatewayError):
    """It does not exist, or the caller may not know that it does: the same answer for both."""

    code = "not-found"
    status = HTTPStatus.NOT_FOUND
    title = "Not found"


class MethodNotAllowed(GatewayError):
    """The path exists, the method on it does not."""

    code = "method-not-allowed"
    status = HTTPStatus.METHOD_NOT_ALLOWED
    title = "Method not allowed"

    def __init__(self, methods: Sequence[str]) -> None:
        self.methods = ", ".join(methods)
        super().__init__(f"this path answers {self.methods}")

    @property
    def headers(self) -> dict[str, str]:
        """The methods that there are."""
        return {"Allow": self.methods}


class Conflict(GatewayError):
    """The request contradicts what already happened."""

    code = "conflict"
    status = HTTPStatus.CONFLICT
    title = "Conflict"


class TooLarge(GatewayError):
    """The body is over the limit."""

    code = "too-large"
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    title = "Too large"


class Invalid(GatewayError):
    """The request is not well formed; every problem names its field."""

    code = "invalid"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "Invalid request"

    def __init__(self, problems: Sequence[FieldProblem]) -> None:
        self.problems = list(problems)
        listed = [{"field": problem.field, "message": problem.message} for problem in self.problems]
        detail = "; ".join(f"{problem.field}: {problem.message}" for problem in self.problems[:5])
        super().__init__(detail, extras={"errors": listed})

    @classmethod
    def field(cls, field: str, message: str) -> Invalid:
        """One problem with one field."""
        return cls([FieldProblem(field, message)])


class BlockedByPublishGate(GatewayError):
    """The text may not enter a shared scope. Names the kinds found and where, never the text."""

    code = "blocked-by-publish-gate"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "Blocked by the publish gate"


class RateLimited(GatewayError):
    """The key has used up its requests for now."""

    code = "rate-limited"
    status = HTTPStatus.TOO_MANY_REQUESTS
    title = "Too many requests"

    def __init__(self, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(f"this key has used up its requests; try again in {retry_after_s} s")

    @property
    def headers(self) -> dict[str, str]:
        """When to come back."""
        return {"Retry-After": str(self.retry_after_s)}


class Unavailable(GatewayError):
    """A part that the request needs does not answer. Trying again later may succeed."""

    status = HTTPStatus.SERVICE_UNAVAILABLE

    @property
    def headers(self) -> dict[str, str]:
        """When to come back."""
        return {"Retry-After": "1"}


class GateUnavailable(Unavailable):
    """The publish gate could not judge the text. Nothing was stored."""

    code = "gate-unavailable"
    title = "The publish gate is unavailable"


class StoreUnavailable(Unavailable):
    """The store did not answer."""

    code = "store-unavailable"
    title = "The store is unavailable"


class AuditUnavailable(Unavailable):
    """The audit log cannot be written, so nothing is done."""

    code = "audit-unavailable"
    title = "The audit log is unavailable"
