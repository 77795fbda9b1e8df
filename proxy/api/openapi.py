"""The OpenAPI 3.1 document, made from the table of operations and the shapes that they read."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from proxy.api.entry import IDEMPOTENCY_KEY
from proxy.api.routes import Operation
from store.memory import JSON

_REF = "#/components/schemas/{model}"
_PROBLEM: JSON = {
    "type": "object",
    "required": ["type", "code", "title", "status", "detail", "instance", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "code": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "request_id": {"type": "string"},
        "line": {"type": "string", "description": "The policy line that decided, as file:line"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
        "findings": {"type": "array", "items": {"type": "object"}},
    },
}
_PARAMETER = re.compile(r"{(\w+)}")


def openapi(operations: Sequence[Operation], version: str) -> dict[str, JSON]:
    """The document for these operations."""
    models = [shape for operation in operations for shape in (operation.body, operation.query) if shape]
    _, definitions = models_json_schema([(model, "validation") for model in models], ref_template=_REF)
    paths: dict[str, JSON] = {}
    for operation in operations:
        described = paths.setdefault(operation.path, {})
        assert isinstance(described, dict)  # noqa: S101 - for the type checker
        described[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Scopegate",
            "version": version,
            "description": "A policy-enforcing gateway in front of the memory that AI agents share.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "bearerFormat": "sg_<id>_<secret>"}},
            "schemas": {**definitions.get("$defs", {}), "Problem": _PROBLEM},
        },
    }


def _operation(operation: Operation) -> dict[str, JSON]:
    described: dict[str, JSON] = {
        "operationId": operation.name,
        "summary": inspect.getdoc(operation.endpoint) or "",
        "parameters": [*_parameters(operation)],
        "responses": _responses(operation.answers),
    }
    if operation.body is not None:
        schema: JSON = {"$ref": _REF.format(model=operation.body.__name__)}
        required = any(field.is_required() for field in operation.body.model_fields.values())
        described["requestBody"] = {"required": required, "content": {"application/json": {"schema": schema}}}
    return described


def _parameters(operation: Operation) -> Iterable[JSON]:
    for name in _PARAMETER.findall(operation.path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
    if operation.query is not None:
        yield from _query_parameters(operation.query)
    if operation.writes:
        schema: JSON = {"type": "string", "minLength": 1, "maxLength": 128}
        yield {"name": IDEMPOTENCY_KEY, "in": "header", "required": False, "schema": schema}


def _query_parameters(model: type[BaseModel]) -> Iterable[JSON]:
    properties = model.model_json_schema(ref_template=_REF)["properties"]
    for name, schema in properties.items():
        # An object in a query string is spelled as JSON text; a scope as its path.
        text = name in {"metadata", "scope"}
        yield {"name": name, "in": "query", "required": False, "schema": {"type": "string"} if text else schema}


def _responses(answers: Sequence[HTTPStatus]) -> dict[str, JSON]:
    described: dict[str, JSON] = {}
    for status in answers:
        answer: dict[str, JSON] = {"description": status.phrase}
        if status is not HTTPStatus.NO_CONTENT:
            answer["content"] = {"application/json": {"schema": {"type": "object"}}}
        described[str(int(status))] = answer
    problem: JSON = {"schema": {"$ref": _REF.format(model="Problem")}}
    described["default"] = {"description": "A refusal", "content": {"application/problem+json": problem}}
    return described
