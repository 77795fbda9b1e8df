"""JSON schemas of the YAML files in a policy folder, made from the models that read them, for editors."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from pydantic import BaseModel

# The forms are the files' own, and private: nothing else but a schema of them has a use outside their reader.
from proxy.inspection.rules import _File as PiiFile
from proxy.policytest.form import TestFile
from proxy.settings import GatewayConfig

FOLDER = "schema"

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schemas(entities: Collection[str]) -> dict[str, str]:
    """The text of each schema by its file name. ``entities`` are those that the publish gate can find."""
    pii = _schema(PiiFile, "pii.yaml", "What the publish gate does with what it finds.")
    known = {"type": "string", "enum": sorted(entities)}
    pii["$defs"]["_Rule"]["properties"]["entities"]["items"] = known
    pii["$defs"]["_Allow"]["properties"]["entity"] = known
    test = _schema(TestFile, "tests/*.yaml", "What the policy files are meant to say.")
    test["$defs"]["_Gate"]["properties"]["entities"]["anyOf"][0]["items"] = known
    gateway = _schema(GatewayConfig, "gateway.yaml", "How the gateway runs.")
    return {name: _text(schema) for name, schema in {"gateway": gateway, "pii": pii, "test": test}.items()}


def _schema(model: type[BaseModel], title: str, description: str) -> dict[str, Any]:
    return {"$schema": _DIALECT, **model.model_json_schema(), "title": title, "description": description}


def _text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"
