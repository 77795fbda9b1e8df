"""What lives where: rules of the house that no linter knows."""

import ast
import importlib
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
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


DOORS = {
    "casbin": "proxy/authorise/engine.py",
    "lancedb": "store/lance",
    "phonenumbers": "proxy/inspection/presidio.py",
    "presidio_analyzer": "proxy/inspection/presidio.py",
    "pyarrow": "store/lance",
    "rich": "proxy/cli",
    "spacy": "proxy/inspection/presidio.py",
    "tldextract": "proxy/inspection/presidio.py",
    "typer": "proxy/cli",
    "uvicorn": "proxy/cli",
    "watchfiles": "proxy/policyfolder.py",
    "wordllama": "store/embed/wordllama.py",
    "yaml": "proxy/yamlfile.py",
}


@pytest.mark.parametrize(("engine", "door"), DOORS.items())
def test_each_engine_has_one_door(engine: str, door: str) -> None:
    elsewhere = [
        str(path.relative_to(ROOT))
        for path in modules("proxy", "store", "clients", "examples")
        if "tests" not in path.parts and not path.is_relative_to(ROOT / door)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom) and engine in imported(node)
    ]
    assert elsewhere == []


def imported(node: ast.Import | ast.ImportFrom) -> set[str]:
    """The top-level packages that an import statement names."""
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
    return {name.partition(".")[0] for name in names}


def test_examples_know_only_the_client() -> None:
    known = {"scopegate"} | set(sys.stdlib_module_names)
    strangers = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in modules("examples")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in imported(node) - known
    }
    assert strangers == set()


def test_the_top_of_the_tree_is_as_documented() -> None:
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").replace("/", "").split()
    found = {
        path.name
        for path in ROOT.iterdir()
        if path.name != ".git" and not any(path.match(pattern) for pattern in ignored)
    }
    assert found - {"bench"} == {
        ".ci", ".gitignore", "CHANGELOG.md", "LICENSE", "Makefile", "README.md", "clients", "docs", "examples",
        "policies", "proxy", "pyproject.toml", "requirements-dev.lock", "requirements.lock", "store", "tests",
    }  # fmt: skip


def test_policies_hold_data_only() -> None:
    assert {path.suffix for path in (ROOT / "policies").rglob("*") if path.is_file()} <= {
        ".conf", ".csv", ".yaml", ".json", ".md",
    }  # fmt: skip


def test_every_folder_of_tests_is_a_package() -> None:
    folders = {path.parent for path in modules("tests")}
    assert [str(folder.relative_to(ROOT)) for folder in folders if not (folder / "__init__.py").exists()] == []


@pytest.mark.parametrize("package", ["proxy", "store"])
def test_no_other_distribution_owns_our_packages(package: str) -> None:
    assert set(packages_distributions().get(package, ["scopegate"])) == {"scopegate"}


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_pins_by_hash_and_names_no_index(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert not re.search(r"https?:|--index|--find-links|file:", text)
    pins = re.split(r"\n(?=\S)", text.strip())
    assert [pin.split()[0] for pin in pins if "==" not in pin or "--hash=sha256:" not in pin] == []


def test_no_package_is_named_like_the_standard_library() -> None:
    folders = {path.parent.name for path in modules("proxy", "store")} - {"proxy", "store"}
    assert folders & set(sys.stdlib_module_names) == set()


@pytest.mark.parametrize("module", sorted(path.stem for path in (ROOT / "bench").glob("*.py")))
def test_a_benchmark_still_fits_what_it_measures(module: str) -> None:
    # Benchmarks are run by hand; a name that is gone should be noticed before that.
    assert importlib.import_module(f"bench.{module}").__doc__
