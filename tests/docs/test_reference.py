"""The documents name everything that there is to name."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import typer
from pydantic import BaseModel

from proxy import errors
from proxy.api.endpoints import Endpoints
from proxy.api.middleware import InternalError
from proxy.api.routes import operations
from proxy.cli.main import app
from proxy.settings import GatewayConfig
from proxy.telemetry import Metrics
from tests.world import ROOT

DOCUMENTS = sorted(
    [
        ROOT / "README.md",
        ROOT / "CHANGELOG.md",
        ROOT / "policies" / "README.md",
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("examples/**/*.md"),
    ]
)


def settings_of(section: BaseModel, prefix: str = "") -> dict[str, object]:
    """Every field of ``gateway.yaml`` with its default."""
    found: dict[str, object] = {}
    for name in type(section).model_fields:
        value = getattr(section, name)
        found |= settings_of(value, f"{prefix}{name}.") if isinstance(value, BaseModel) else {f"{prefix}{name}": value}
    return found


def refusals(kind: type[errors.GatewayError] = errors.GatewayError) -> set[type[errors.GatewayError]]:
    return {kind, *(found for child in kind.__subclasses__() for found in refusals(child))}


@pytest.mark.parametrize(("name", "default"), settings_of(GatewayConfig()).items())
def test_operations_names_every_setting_with_its_default(name: str, default: object) -> None:
    row = re.search(rf"^\| `{re.escape(name)}` \| `(.+?)` \|", text_of("docs/operations.md"), re.MULTILINE)
    assert row, f"docs/operations.md does not name {name}"
    spelled = (
        default
        if isinstance(default, str)
        else json.dumps(sorted(default) if isinstance(default, frozenset) else default)
    )
    assert row[1] == spelled.replace('"', "")


@pytest.mark.parametrize(
    "refusal", sorted({kind for kind in refusals() if hasattr(kind, "code")}, key=lambda kind: kind.code)
)
def test_the_http_reference_names_every_error(refusal: type[errors.GatewayError]) -> None:
    row = re.search(rf"^\|.*`{refusal.code}`.*\| {int(refusal.status)} \|", text_of("docs/http.md"), re.MULTILINE)
    assert row or refusal is InternalError, f"docs/http.md does not name {refusal.code}"


@pytest.mark.parametrize(
    "route", [f"{operation.method} {operation.path}" for operation in operations(object.__new__(Endpoints))]
)
def test_the_http_reference_names_every_route(route: str) -> None:
    assert f"| `{route}` |" in text_of("docs/http.md")


def test_operations_names_every_metric() -> None:
    metrics = re.findall(r"^# TYPE (\w+) ", Metrics().text().decode(), re.MULTILINE)
    assert [
        name for name in metrics if f"`{name}`" not in text_of("docs/operations.md") and not name.endswith("_created")
    ] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_in_the_documents_exists(document: Path) -> None:
    text = re.sub(r"\[[^\]]*\]", "", document.read_text(encoding="utf-8"))
    called = re.findall(r"(?<![\w/-])scopegate ((?:[a-z]+ ?){1,2})", "\n".join(code_of(text)))
    assert [words for words in called if not known(words.split())] == []


def known(words: list[str]) -> bool:
    """Whether the words lead to a command; what follows a command are its arguments."""
    command = typer.main.get_command(app)
    for word in words:
        children = getattr(command, "commands", None)
        if children is None:
            return True
        if word not in children:
            return False
        command = children[word]
    return True


def code_of(text: str) -> list[str]:
    return re.findall(r"```(?:console|bash|bash setup)\n(.*?)```", text, re.DOTALL) + re.findall(
        r"`(scopegate [^`\n]+)`", text
    )


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")
