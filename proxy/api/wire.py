"""The shapes of requests. What is not spelled exactly is refused; every problem names its field."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Self, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainValidator,
    ValidationError,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError
from starlette.requests import Request

from proxy.api.strictjson import read_json
from proxy.audit.entry import Outcome
from proxy.audit.log import AuditQuery
from proxy.authenticate.keyring import KeyTerms
from proxy.authorise.decision import Action
from proxy.authorise.policyset import MODEL_FILE, POLICY_FILE
from proxy.errors import FieldProblem, Invalid
from proxy.gateway import Look, Publication, Submission, Where
from proxy.identity import is_id
from proxy.inspection.draft import Draft
from proxy.inspection.holds import HoldState
from proxy.principal import Principal
from store.memory import Category, Scalar, Selection
from store.scope import Direction, Scope

MAX_BATCH = 1_000
MAX_PUBLISHED = 100
MAX_TOP_K = 100
MAX_PAGE = 100
MAX_QUERY_CHARS = 8_192
MAX_NOTE_CHARS = 500
MAX_FILTER_KEYS = 8
MAX_POLICY_CHARS = 1024 * 1024
MAX_SIMULATION_S = 7 * 24 * 3600
_MAX_SECONDS = 10 * 366 * 24 * 3600
_MAX_SEQUENCE = (1 << 63) - 1
_MAX_PROBLEMS = 50
_ONE_PLACE = "one_place"
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def _scope(value: object) -> Scope:
    return value if isinstance(value, Scope) else Scope.parse(value)  # type: ignore[arg-type]  # parse refuses others


def _principal(value: object) -> Principal:
    if not isinstance(value, str):
        raise ValueError("must be a string such as agent:researcher")  # noqa: TRY004 - pydantic collects ValueError
    return Principal.parse(value)


def _memory_id(value: str) -> str:
    if not is_id(value):
        raise ValueError("is not an id; ids are lower-case UUIDs")
    return value


def _utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("is out of range") from None


def _rfc_3339(value: object) -> object:
    # Pydantic alone would take "1700000000" for a time, and a date with any separator.
    if not isinstance(value, str) or not _RFC_3339.fullmatch(value):
        raise ValueError("must be an RFC 3339 time with an offset, such as 2026-11-22T10:00:00Z")
    return value


def _scalar(value: object) -> object:
    if isinstance(value, list | dict):
        raise ValueError("must be a string, a number, a boolean or null")  # noqa: TRY004 - as above
    return value


def _each_once(ids: list[str]) -> list[str]:
    if len(set(ids)) < len(ids):
        raise ValueError("an id is given twice")
    return ids


def _json_object(value: object) -> object:
    return read_json(value.encode(), "metadata") if isinstance(value, str) else value


_SCOPE_SCHEMA = {
    "oneOf": [
        {"type": "string", "examples": ["org/acme/project/q3"]},
        {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 8},
    ]
}
_PRINCIPAL_SCHEMA = {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,31}:", "examples": ["agent:researcher"]}

ScopeField = Annotated[Scope, PlainValidator(_scope), WithJsonSchema(_SCOPE_SCHEMA)]
PrincipalField = Annotated[Principal, PlainValidator(_principal), WithJsonSchema(_PRINCIPAL_SCHEMA)]
IdField = Annotated[str, AfterValidator(_memory_id)]
MomentField = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_rfc_3339), AfterValidator(_utc)]
CategoryField = Annotated[Category, Field(strict=False)]
DirectionField = Annotated[Direction, Field(strict=False)]
ScalarField = Annotated[
    Scalar, PlainValidator(_scalar), WithJsonSchema({"type": ["string", "number", "boolean", "null"]})
]
NumberInQuery = Field(strict=False)


class Body(BaseModel):
    """What a client sends: unknown fields are refused, types are not bent."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Nothing(Body):
    """What is left to send where an operation reads no body, or no parameters."""


Read = TypeVar("Read", bound=Body)


class _Placed(Body):
    scope: ScopeField | None = None
    session_id: IdField | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.scope is None) == (self.session_id is None):
            raise PydanticCustomError(_ONE_PLACE, "give either scope or session_id")
        return self

    @property
    def where(self) -> Where:
        return Where(self.scope, self.session_id)


class Remember(_Placed):
    """``POST /v1/memories``."""

    content: str
    category: CategoryField = Category.EPISODIC
    metadata: dict[str, JsonValue] = {}
    valid_from: MomentField | None = None

    def submission(self) -> Submission:
        """What the gateway is asked to remember."""
        return Submission(self.where, Draft(self.content, self.metadata), self.category, self.valid_from)


class RememberMany(Body):
    """``POST /v1/memories/batch``."""

    memories: Annotated[list[Remember], Field(min_length=1, max_length=MAX_BATCH)]


class _Looking(_Placed):
    direction: DirectionField = Direction.BOTH
    category: CategoryField | None = None
    author: PrincipalField | None = None
    since: MomentField | None = None
    until: MomentField | None = None

    def _look(self, metadata: Mapping[str, Scalar]) -> Look:
        selection = Selection(
            category=self.category,
            metadata=metadata,
            author=None if self.author is None else str(self.author),
            since=self.since,
            until=self.until,
        )
        return Look(self.where, selection, self.direction)


_Filter = Annotated[dict[str, ScalarField], Field(max_length=MAX_FILTER_KEYS)]


class Recall(_Looking):
    """``POST /v1/recall``."""

    query: Annotated[str, Field(min_length=1, max_length=MAX_QUERY_CHARS)]
    top_k: Annotated[int, Field(ge=1, le=MAX_TOP_K)] = 10
    metadata: _Filter = {}

    def look(self) -> Look:
        """Through what the caller looks, and at which memories."""
        return self._look(self.metadata)


class ListMemories(_Looking):
    """The parameters of ``GET /v1/memories``."""

    metadata: Annotated[_Filter, BeforeValidator(_json_object)] = {}
    limit: Annotated[int, NumberInQuery, Field(ge=1, le=MAX_PAGE)] = 50
    cursor: IdField | None = None

    def look(self) -> Look:
        """Through what the caller looks, and at which memories."""
        return self._look(self.metadata)


class Publish(Body):
    """``POST /v1/publish``."""

    memory_ids: Annotated[list[IdField], Field(min_length=1, max_length=MAX_PUBLISHED), AfterValidator(_each_once)]
    to: ScopeField
    content: str | None = None
    metadata: dict[str, JsonValue] | None = None

    def publication(self) -> Publication:
        """What the gateway is asked to publish."""
        return Publication(tuple(self.memory_ids), self.to, self.content, self.metadata)


class Check(Body):
    """``POST /v1/check``."""

    action: Annotated[Action, Field(strict=False)]
    scope: ScopeField
    principal: PrincipalField | None = None


class OpenSession(Body):
    """``POST /v1/sessions``."""

    scope: ScopeField
    metadata: dict[str, JsonValue] = {}


class ListHolds(Body):
    """The parameters of ``GET /v1/holds``."""

    state: Annotated[HoldState, Field(strict=False)] = HoldState.PENDING
    limit: Annotated[int, NumberInQuery, Field(ge=1, le=MAX_PAGE)] = 50
    cursor: IdField | None = None


class Approve(Body):
    """``POST /v1/holds/{id}/approve``."""

    redact: bool = False


class Reject(Body):
    """``POST /v1/holds/{id}/reject``."""

    reason: Annotated[str, Field(max_length=MAX_NOTE_CHARS)] | None = None


class CreateKey(Body):
    """``POST /v1/admin/keys``."""

    principal: PrincipalField
    floor: ScopeField | None = None
    read_only: bool = False
    expires_in_s: Annotated[int, Field(ge=1, le=_MAX_SECONDS)] | None = None
    note: Annotated[str, Field(max_length=MAX_NOTE_CHARS)] = ""

    def terms(self, now: datetime) -> KeyTerms:
        """What the key is issued with."""
        expires_at = None if self.expires_in_s is None else now + timedelta(seconds=self.expires_in_s)
        return KeyTerms(self.principal, self.floor, self.read_only, expires_at, self.note)


class RotateKey(Body):
    """``POST /v1/admin/keys/{id}/rotate``."""

    overlap_s: Annotated[int, Field(ge=0, le=_MAX_SECONDS)] = 3600


class StartShadow(Body):
    """``POST /v1/admin/policy/shadow``."""

    files: dict[str, Annotated[str, Field(max_length=MAX_POLICY_CHARS)]]
    lasts_s: Annotated[int, Field(ge=1, le=MAX_SIMULATION_S)] = 600

    @field_validator("files")
    @classmethod
    def _both_files(cls, files: dict[str, str]) -> dict[str, str]:
        if set(files) != {MODEL_FILE, POLICY_FILE}:
            raise ValueError(f"must hold {MODEL_FILE} and {POLICY_FILE}, and nothing else")
        return files

    @property
    def model(self) -> str:
        """The candidate's ``model.conf``."""
        return self.files[MODEL_FILE]

    @property
    def policy(self) -> str:
        """The candidate's ``policy.csv``."""
        return self.files[POLICY_FILE]


class ListAudit(Body):
    """The parameters of ``GET /v1/admin/audit``."""

    principal: PrincipalField | None = None
    operation: str | None = None
    outcome: Annotated[Outcome, Field(strict=False)] | None = None
    request_id: str | None = None
    since: MomentField | None = None
    until: MomentField | None = None
    limit: Annotated[int, NumberInQuery, Field(ge=1, le=MAX_PAGE)] = 50
    cursor: Annotated[int, NumberInQuery, Field(ge=1, le=_MAX_SEQUENCE)] | None = None

    def query(self) -> AuditQuery:
        """Which entries are asked for."""
        return AuditQuery(
            principal=None if self.principal is None else str(self.principal),
            operation=self.operation,
            outcome=self.outcome,
            request_id=self.request_id,
            since=self.since,
            until=self.until,
            before=self.cursor,
            limit=self.limit,
        )


async def read_body(request: Request, shape: type[Read]) -> Read:
    """The request's body as ``shape``; no body at all counts as ``{}``.

    Raises:
        Invalid: it does not have that shape; every problem names its field.
    """
    body = await request.body()
    value = read_json(body) if body else {}
    if not isinstance(value, dict):
        raise Invalid.field("body", "must be a JSON object")
    return _shaped(value, shape)


def read_query(request: Request, shape: type[Read]) -> Read:
    """The request's query parameters as ``shape``.

    Raises:
        Invalid: they do not have that shape, or one is given twice.
    """
    pairs = request.query_params.multi_items()
    value = dict(pairs)
    if len(value) < len(pairs):
        raise Invalid([FieldProblem(key, "is given more than once") for key, _ in pairs if _times(pairs, key) > 1][:1])
    broken = [key for key, item in pairs if "\0" in key + item or "\ufffd" in key + item]
    if broken:
        raise Invalid.field(ascii(broken[0])[1:-1], "contains a NUL character or is not UTF-8")
    return _shaped(value, shape)


def _times(pairs: Sequence[tuple[str, str]], key: str) -> int:
    return sum(other == key for other, _ in pairs)


def _shaped(value: Mapping[str, object], shape: type[Read]) -> Read:
    try:
        return shape.model_validate(value)
    except ValidationError as error:
        problems = [_problem(list(found["loc"]), found["type"], found["msg"]) for found in error.errors()]
        raise Invalid(problems[:_MAX_PROBLEMS]) from None


def _problem(loc: Sequence[int | str], kind: str, message: str) -> FieldProblem:
    if kind == "extra_forbidden":
        message = "is not a field of this request"
    elif kind == "missing":
        message = "is required"
    elif kind == _ONE_PLACE:
        loc = [*loc, "scope"]
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).lstrip(".")
    return FieldProblem(field or "body", message.removeprefix("Value error, "))
