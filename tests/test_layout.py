"""What lives where: rules of the house that no linter knows."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PERMITS = {"ReadPermit", "WritePermit", "ForgetPermit"}


def modules(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def permits_made(source: str) -> list[int]:
    """The lines that construct a permit, under whatever name the module gave it."""
    tree = ast.parse(source)
    names = PERMITS | {
        alias.asname
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name in PERMITS and alias.asname
    }
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    return [call.lineno for call in calls if called(call) in names]


def called(call: ast.Call) -> str | None:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return None


def test_only_authorise_constructs_permits() -> None:
    door = ROOT / "proxy" / "authorise"
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in modules("proxy", "store", "clients", "examples")
        if not path.is_relative_to(door)
        for line in permits_made(path.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "from store.permit import ReadPermit\nReadPermit('agent:x', frozenset(), '1')",
        "from store.permit import WritePermit as Note\nNote('agent:x', scope, '1')",
        "from store import permit\npermit.ForgetPermit('agent:x', scope, '1')",
    ],
)
def test_a_permit_constructed_elsewhere_is_found(source: str) -> None:
    assert permits_made(source) == [2]


def test_authorise_is_the_one_door_to_casbin() -> None:
    importers = {
        str(path.relative_to(ROOT))
        for path in modules("proxy", "store", "clients", "examples")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom) and "casbin" in imported(node)
    }
    assert importers == {"proxy/authorise/engine.py"}


def imported(node: ast.Import | ast.ImportFrom) -> set[str]:
    """The top-level packages that an import statement names."""
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
    return {name.partition(".")[0] for name in names}
