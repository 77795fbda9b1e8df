"""The command line in this process."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import structlog
from typer.testing import CliRunner

from proxy.cli.main import app


@dataclass(frozen=True)
class Told:
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str


Scopegate = Callable[..., Told]


@pytest.fixture
def scopegate(monkeypatch, tmp_path) -> Scopegate:
    """Runs ``scopegate`` with some words in an empty folder; whatever it meets, it must not end in a traceback."""
    monkeypatch.chdir(tmp_path)

    def run(*words: object, **env: str) -> Told:
        wide = {"COLUMNS": "400", "TERM": "dumb"}
        done = CliRunner().invoke(app, [str(word) for word in words], env=wide | env)
        assert done.exception is None or isinstance(done.exception, SystemExit), (words, done.exception)
        assert "Traceback" not in done.output
        return Told(done.exit_code, done.stdout, done.stderr)

    return run


@pytest.fixture
def logging_restored():
    """Undoes what ``serve`` does to the logging of this process."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()
