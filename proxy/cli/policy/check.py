"""``scopegate policy check``: every mistake in the policy files, and what looks like one."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from proxy.authorise.lint import LintWarning
from proxy.cli.options import POLICIES
from proxy.cli.output import EXIT_FAILED, EXIT_POLICY, console, print_json
from proxy.cli.policy.listing import counted, problem_json
from proxy.cli.policy.sarif import sarif
from proxy.errors import PolicyError, Problem
from proxy.moments import utc_now
from proxy.policy import load_policies, policy_warnings


class Report(StrEnum):
    """How the result is written."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


def check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of policy files.")] = POLICIES,
    output: Annotated[
        Report,
        typer.Option(
            "--format", envvar="SCOPEGATE_FORMAT", help="text for people, json for programs, sarif for code hosts."
        ),
    ] = Report.TEXT,
    strict: Annotated[bool, typer.Option("--strict", envvar="SCOPEGATE_STRICT", help="Warnings fail too.")] = False,
) -> None:
    """Read the files and run their tests as a gateway would; list every mistake, and every line that looks like one.

    Ends with 3 if there is a mistake; with --strict, with 1 if there is a warning.
    """
    version, problems = _load(folder)
    warnings = policy_warnings(folder)
    match output:
        case Report.JSON:
            listed = [{**problem_json(warning.problem), "rule": warning.rule} for warning in warnings]
            problems_listed = [problem_json(problem) for problem in problems]
            print_json({"ok": not problems, "version": version, "problems": problems_listed, "warnings": listed})
        case Report.SARIF:
            print_json(sarif(folder, problems, warnings))
        case Report.TEXT:
            _show(problems, warnings)
            console.print(f"{folder}: {_summary(version, problems, warnings)}", markup=False)
    if problems:
        raise typer.Exit(EXIT_POLICY)
    if warnings and strict:
        raise typer.Exit(EXIT_FAILED)


def _load(folder: Path) -> tuple[str | None, Sequence[Problem]]:
    """The version of the files, or what is wrong with them."""
    from proxy.inspection.presidio import PresidioDetector  # noqa: PLC0415 - seconds of loading that other commands need not wait for

    try:
        return load_policies(folder, PresidioDetector(), utc_now()).version, ()
    except PolicyError as error:
        return None, error.problems


def _show(problems: Sequence[Problem], warnings: Sequence[LintWarning]) -> None:
    lines = [(problem, Text(" error", "bold red"), problem.message) for problem in problems]
    lines += [
        (warning.problem, Text(" warning", "yellow"), f"{warning.problem.message} [{warning.rule}]")
        for warning in warnings
    ]
    for problem, severity, message in sorted(lines, key=lambda line: line[0]):
        console.print(Text.assemble((f"{problem.place}:", "bold"), severity, f": {message}"))


def _summary(version: str | None, problems: Sequence[Problem], warnings: Sequence[LintWarning]) -> str:
    mistakes = counted(len(problems), "mistake") if problems else "no mistakes"
    noted = f", {counted(len(warnings), 'warning')}" if warnings else ""
    return f"{mistakes}{noted}" + (f"; policy version {version}" if version else "; a gateway refuses these files")
