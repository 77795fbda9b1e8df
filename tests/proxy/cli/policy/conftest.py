"""Policy folders and the command line in this process."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from proxy.cli.main import app
from tests.world import POLICIES

Run = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped policies, tests included."""
    return Path(shutil.copytree(POLICIES, tmp_path / "policies"))


@pytest.fixture
def scopegate(monkeypatch: pytest.MonkeyPatch, detector) -> Run:
    """The command line, with the detector that all tests share."""
    monkeypatch.setattr("proxy.inspection.presidio.PresidioDetector", lambda: detector)

    def run(*words: str | Path, expect: int = 0, **env: str) -> Result:
        result = CliRunner().invoke(app, ["policy", *map(str, words)], env={"COLUMNS": "200"} | env)
        assert result.exit_code == expect, result.output
        return result

    return run


def edit(path: Path, old: str, new: str) -> None:
    """Replace text that is there."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
