"""Logs: a line each, on standard error, and nothing that libraries know of a text."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from proxy.telemetry import LogFormat, Metrics, configure_logging
from tests.logs import restored_logging


@pytest.fixture
def _restored() -> Iterator[None]:
    with restored_logging():
        yield


@pytest.mark.usefixtures("_restored")
def test_json_logs_are_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json")
    structlog.get_logger("scopegate.http").info("request", status=200, text="two\nlines")
    logging.getLogger("uvicorn").warning("from a %s", "library")
    ours, theirs = map(json.loads, capsys.readouterr().err.splitlines())
    assert (ours["event"], ours["status"], ours["logger"], ours["level"]) == ("request", 200, "scopegate.http", "info")
    assert (theirs["event"], theirs["logger"]) == ("from a library", "uvicorn")


@pytest.mark.usefixtures("_restored")
def test_text_logs_are_lines_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("text")
    structlog.get_logger("scopegate.http").info("request", status=200)
    (line,) = capsys.readouterr().err.splitlines()
    assert "request" in line
    assert "status=200" in line


@pytest.mark.usefixtures("_restored")
@pytest.mark.parametrize("log_format", ["json", "text"])
@pytest.mark.parametrize("name", ["presidio-analyzer", "casbin", "httpx", "httpcore"])
def test_libraries_that_log_what_they_are_given_stay_quiet(
    capsys: pytest.CaptureFixture[str], name: str, log_format: LogFormat
) -> None:
    configure_logging(log_format, level="DEBUG")
    logging.getLogger(name).info("123-45-6789")
    logging.getLogger(name).debug("123-45-6789")
    assert capsys.readouterr().err == ""


def test_every_gateway_counts_for_itself() -> None:
    one, other = Metrics(), Metrics()
    one.refusals.labels("forbidden").inc()
    assert b'scopegate_refusals_total{code="forbidden"} 1.0' in one.text()
    assert b"forbidden" not in other.text()
