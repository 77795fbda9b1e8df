"""Every promise has a test, and every test that a promise names is there."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import yaml

from tests.world import ROOT

PROMISES = yaml.safe_load((Path(__file__).parent / "promises.yaml").read_text(encoding="utf-8"))["promises"]


@pytest.mark.parametrize(("promise", "stated"), PROMISES.items())
def test_a_promise_is_a_sentence_with_tests(promise: str, stated: dict) -> None:
    assert stated["says"].endswith(".")
    assert stated["tests"], f"{promise} has no test"


@pytest.mark.parametrize("named", sorted({test for stated in PROMISES.values() for test in stated["tests"]}))
def test_a_test_that_a_promise_names_exists(named: str) -> None:
    path, _, function = named.partition("::")
    tests = [
        node.name
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]
    assert function in tests if function else tests
