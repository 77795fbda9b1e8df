"""``scopegate policy schema``."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.proxy.cli.policy.conftest import Run


def test_missing_and_stale_schemas_are_told_and_written(folder: Path, scopegate: Run) -> None:
    scopegate("schema", folder, "--check")
    shutil.rmtree(folder / "schema")
    assert scopegate("schema", folder, "--check", expect=1).stdout.count("is stale") == 3
    assert not (folder / "schema").exists()
    assert scopegate("schema", folder).stdout.count("written") == 3
    (folder / "schema" / "pii.json").write_text("{}")
    assert "pii.json: is stale" in scopegate("schema", folder, "--check", expect=1).stdout
    assert scopegate("schema", folder).stdout.count("up to date") == 2
