"""``/openapi.json`` says what the gateway does, and docs/http.md says the same."""

import re

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.routing import Route

from proxy import errors
from proxy.errors import GatewayError
from tests.world import ROOT, World

pytestmark = pytest.mark.anyio

TABLE_ROW = re.compile(r"^\| `(GET|POST|DELETE|PUT|PATCH) (/\S+)` \| ([^|]*)\|", re.MULTILINE)
PAGE = (ROOT / "docs" / "http.md").read_text("utf-8")


@pytest.fixture
async def document(world: World) -> dict:
    return (await world.client().get("/openapi.json")).json()


def operations(document: dict) -> dict[tuple[str, str], dict]:
    return {
        (method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


async def test_the_document_is_valid(document: dict) -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


async def test_it_lists_what_the_page_lists(document: dict) -> None:
    listed = {(method, path) for method, path, _ in TABLE_ROW.findall(PAGE)}
    assert len(listed) > 20
    assert listed == set(operations(document))


async def test_it_lists_what_the_router_answers(world: World, document: dict) -> None:
    routes = [route for route in world.app.asgi.app.routes if isinstance(route, Route) and route.path.startswith("/v1")]
    answered = {(method, route.path) for route in routes for method in route.methods if method != "HEAD"}
    assert answered == set(operations(document))


async def test_every_post_that_reads_a_body_names_its_schema(document: dict) -> None:
    schemas = document["components"]["schemas"]
    for (method, path), operation in operations(document).items():
        assert operation["operationId"]
        assert operation["summary"]
        if method == "POST" and path != "/v1/admin/policy/reload":
            reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
            schema = schemas[reference.removeprefix("#/components/schemas/")]
            assert schema["additionalProperties"] is False
        else:
            assert "requestBody" not in operation


async def test_the_page_names_every_field_of_every_body(document: dict) -> None:
    described = {(method, path): cell for method, path, cell in TABLE_ROW.findall(PAGE)}
    for place, operation in operations(document).items():
        cell = described[place]
        # The items of a batch are "of the above".
        if "requestBody" in operation and "of the above" not in cell:
            reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
            schema = document["components"]["schemas"][reference.removeprefix("#/components/schemas/")]
            for name in schema["properties"]:
                assert re.search(rf"\b{name}\b", cell), f"{place}: {name} is not in docs/http.md"
                if name not in schema.get("required", []) and name not in {"scope", "session_id"}:
                    assert re.search(rf"\b{name}\?", cell), f"{place}: {name} is optional"
        for parameter in operation["parameters"]:
            if parameter["in"] == "query":
                assert re.search(rf"\b{parameter['name']}\b", cell), (
                    f"{place}: {parameter['name']} is not in docs/http.md"
                )


async def test_a_body_is_required_just_where_a_field_of_it_is(document: dict) -> None:
    for place, operation in operations(document).items():
        if "requestBody" in operation:
            reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
            schema = document["components"]["schemas"][reference.removeprefix("#/components/schemas/")]
            assert operation["requestBody"]["required"] == bool(schema.get("required")), place


async def test_every_operation_needs_a_key_and_may_be_refused(document: dict) -> None:
    assert document["security"] == [{"key": []}]
    for operation in operations(document).values():
        assert "security" not in operation
        assert operation["responses"]["default"]["content"].keys() == {"application/problem+json"}


async def test_path_parameters_are_declared(document: dict) -> None:
    for (_, path), operation in operations(document).items():
        declared = [parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"]
        assert declared == re.findall(r"{(\w+)}", path)


async def test_every_error_code_has_a_row_with_its_status(world: World) -> None:
    rows = dict(re.findall(r"^\| ((?:`[a-z-]+`(?:, )?)+) \| (\d{3}) \|", PAGE, re.MULTILINE))
    documented = {code: int(status) for cell, status in rows.items() for code in re.findall(r"`([a-z-]+)`", cell)}
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, GatewayError)]
    assert documented == {kind.code: int(kind.status) for kind in kinds if hasattr(kind, "code")}
