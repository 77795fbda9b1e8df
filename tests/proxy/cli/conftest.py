"""The command line in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from typer.testing import CliRunner

from proxy.cli.main import app
from tests.logs import restored_logging


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


@pytest.fixture(autouse=True)
def _logging_restored() -> Iterator[None]:
    """Undoes what ``serve`` does to the logging of this process."""
    with restored_logging():
        yield
