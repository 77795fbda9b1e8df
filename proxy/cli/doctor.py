"""``scopegate doctor``: is everything here that a gateway needs?"""

from __future__ import annotations

import asyncio
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import typer

from proxy.audit.log import verify
from proxy.cli.local import open_records
from proxy.cli.options import DATA, POLICIES, Data, Format, Output, Policies
from proxy.cli.output import EXIT_FAILED, console, print_json
from proxy.database import FILE_NAME, DatabaseError
from proxy.errors import PolicyError
from proxy.inspection.detector import Detector
from proxy.moments import utc_now
from proxy.policy import load_policies
from proxy.settings import GATEWAY_FILE, EmbedderSettings, read_gateway_config, read_text

_MIN_PYTHON = (3, 11)
_MIN_FREE_BYTES = 1 << 30
_PROBE = "user SSN 123-45-6789"


class _Wrong(Exception):
    """What is wrong and what to do about it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    name: str
    ok: bool
    detail: str


def doctor(data: Data = DATA, policies: Policies = POLICIES, output: Output = Format.TEXT) -> None:
    """Check Python, the data folder, the policies, the detector, the embedder and the audit log. Changes nothing.

    Ends with 1 if something is wrong.
    """
    findings = list(_findings(data, policies))
    if output is Format.JSON:
        print_json({"ok": all(finding.ok for finding in findings), "checks": findings_json(findings)})
    else:
        for finding in findings:
            mark = "[green]ok  [/]" if finding.ok else "[bold red]fail[/]"
            console.print(f"{mark} {finding.name:<10} ", end="")
            console.print(finding.detail, markup=False)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(EXIT_FAILED)


def findings_json(findings: list[Finding]) -> list[dict[str, object]]:
    """The findings as JSON values."""
    return [{"name": finding.name, "ok": finding.ok, "detail": finding.detail} for finding in findings]


def _findings(data: Path, policies: Path) -> Iterator[Finding]:
    detector: Detector | None = None

    def load_detector() -> str:
        from proxy.inspection.presidio import PresidioDetector  # noqa: PLC0415 - seconds of loading that other commands need not wait for

        nonlocal detector
        detector = PresidioDetector()
        return _detector(detector)

    yield _finding("python", _python)
    yield _finding("detector", load_detector)
    if detector is not None:
        found = detector
        yield _finding("policies", lambda: _policies(policies, found))
    yield _finding("embedder", lambda: _embedder(policies))
    yield _finding("data", lambda: _data(data))
    if (data / FILE_NAME).exists():
        yield _finding("keys", lambda: asyncio.run(_keys(data)))
        yield _finding("audit", lambda: asyncio.run(_audit(data)))


def _finding(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, ok=True, detail=check())
    except _Wrong as wrong:
        return Finding(name, ok=False, detail=str(wrong))
    except Exception as error:  # noqa: BLE001 - a doctor reports what fails, whatever it is
        return Finding(name, ok=False, detail=f"{type(error).__name__}: {error}")


def _python() -> str:
    if sys.version_info < _MIN_PYTHON:
        raise _Wrong(f"Python {platform.python_version()} is too old; 3.11 or newer is needed")
    return f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"


def _detector(detector: Detector) -> str:
    if not detector.detect(_PROBE, frozenset({"US_SSN"}), "en"):
        raise _Wrong("the detector does not see a social security number; the installation is damaged")
    return f"finds {len(detector.supported)} kinds of PII and secrets, offline"


def _policies(folder: Path, detector: Detector) -> str:
    try:
        return f"{folder}: version {load_policies(folder, detector, utc_now()).version}"
    except PolicyError as error:
        raise _Wrong(str(error)) from None


def _embedder(policies: Path) -> str:
    from proxy.app import make_embedder  # noqa: PLC0415 - seconds of loading that other commands need not wait for

    embedder = make_embedder(_embedder_settings(policies))
    embedder.embed(["a probe"])
    return f"{embedder.name}, {embedder.dimension} dimensions, offline"


def _embedder_settings(policies: Path) -> EmbedderSettings:
    """Those of ``gateway.yaml``; its mistakes, and that it is missing, are the business of another check."""
    try:
        return read_gateway_config(read_text(policies / GATEWAY_FILE)).embedder
    except PolicyError:
        return EmbedderSettings()


def _data(folder: Path) -> str:
    place = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if folder.exists() and not folder.is_dir():
        raise _Wrong(f"{folder} is not a folder")
    free = shutil.disk_usage(place).free
    if free < _MIN_FREE_BYTES:
        raise _Wrong(f"{place} has only {free >> 20} MiB free")
    if folder.exists() and folder.stat().st_mode & 0o077:
        raise _Wrong(f"{folder} is open to other users; run: chmod 700 {folder}")
    state = "is there" if (folder / FILE_NAME).exists() else "will be made by the first command that needs it"
    return f"{folder} {state}; {free >> 30} GiB free"


async def _keys(data: Path) -> str:
    async with open_records(data) as records:
        live = [record for record in await records.keys.list() if record.live(utc_now())]
    if not live:
        raise _Wrong("no live key; issue one with: scopegate key create PRINCIPAL")
    return f"{len(live)} live"


async def _audit(data: Path) -> str:
    try:
        async with open_records(data) as records:
            found = await records.database.run(verify)
    except DatabaseError as error:
        raise _Wrong(str(error)) from None
    if found.problem:
        raise _Wrong(found.problem)
    return f"{found.entries} entries, every link holds"
