"""``scopegate policy test``: do the policy files say what they are meant to say?"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from proxy.cli.options import POLICIES
from proxy.cli.output import EXIT_FAILED, EXIT_POLICY, console, fail, print_json
from proxy.cli.policy.junit import junit, refused
from proxy.cli.policy.listing import counted, print_rows, problem_json, refuse
from proxy.errors import PolicyError
from proxy.moments import utc_now
from proxy.policy import read_policies, under_test
from proxy.policytest.coverage import Coverage, coverage
from proxy.policytest.run import Outcome, run

_INDENT = 8


class Report(StrEnum):
    """How the result is written."""

    TEXT = "text"
    JSON = "json"
    JUNIT = "junit"


def run_tests(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of policy files.")] = POLICIES,
    output: Annotated[
        Report,
        typer.Option("--format", envvar="SCOPEGATE_FORMAT", help="text for people, json for programs, junit for CI."),
    ] = Report.TEXT,
    coverage_min: Annotated[
        float,
        typer.Option(
            envvar="SCOPEGATE_COVERAGE_MIN",
            min=0,
            max=100,
            metavar="PERCENT",
            help="Fail if fewer of the lines than this decide in some test.",
        ),
    ] = 0,
) -> None:
    """Run the tests in DIR/tests against the policy files in DIR, and say which lines no test exercises.

    Ends with 1 if a test fails, there is none, or coverage is too low; with 3 if the files are refused.
    """
    outcomes, covered = _run(folder, output)
    passed = bool(outcomes) and not any(outcome.failures for outcome in outcomes)
    enough = covered.percent >= coverage_min
    match output:
        case Report.JSON:
            print_json(_as_json(outcomes, covered, ok=passed and enough))
        case Report.JUNIT:
            typer.echo(junit(outcomes, covered))
        case Report.TEXT:
            _show(outcomes, covered)
    if not outcomes:
        fail(
            f"there is no test in {folder / 'tests'}; write one in tests/policy.yaml, as docs/policy-language.md shows"
        )
    if not enough:
        fail(f"coverage is {covered.percent:.1f} %, less than the {coverage_min:g} % that are asked for")
    if not passed:
        raise typer.Exit(EXIT_FAILED)


def _run(folder: Path, output: Report) -> tuple[tuple[Outcome, ...], Coverage]:
    from proxy.inspection.presidio import PresidioDetector  # noqa: PLC0415 - seconds of loading that other commands need not wait for

    detector = PresidioDetector()
    try:
        policies, tests = read_policies(folder, detector.supported, utc_now())
    except PolicyError as error:
        if output is Report.JUNIT:
            typer.echo(refused(error.problems))
            raise typer.Exit(EXIT_POLICY) from None
        refuse(error, as_json=output is Report.JSON)
    subject = under_test(policies, detector)
    outcomes = run(tests, subject)
    return outcomes, coverage(outcomes, subject)


def _show(outcomes: Sequence[Outcome], covered: Coverage) -> None:
    for source, of_file in groupby(outcomes, key=lambda outcome: outcome.test.place.source):
        console.print(f"[bold]{escape(source)}[/]")
        for outcome in of_file:
            console.print("  [bold red]FAIL[/]  " if outcome.failures else "  [green]ok[/]    ", end="")
            console.print(outcome.test.name, markup=False)
            if outcome.failures:
                _show_failures(outcome, covered)
    _show_coverage(covered)
    failed = sum(bool(outcome.failures) for outcome in outcomes)
    verdict = f"[bold red]{failed} failed[/]" if failed else "[green]all passed[/]"
    console.print(f"{counted(len(outcomes), 'test')}, {verdict}")


def _show_failures(outcome: Outcome, covered: Coverage) -> None:
    texts = {line.place: line.text for line in covered.lines}
    rows = [("what", "expected", "is", "because")]
    for failure in outcome.failures:
        because = f"{failure.line}  {texts[failure.line]}" if failure.line else failure.because
        rows.append((failure.subject, failure.expected, failure.actual, because))
    print_rows(rows, indent=_INDENT, styles=["dim"] + [""] * len(outcome.failures))


def _show_coverage(covered: Coverage) -> None:
    share = f"{covered.deciding} of {counted(len(covered.lines), 'line')}"
    console.print(f"\n[bold]coverage[/] {covered.percent:.1f} %: {share} of the policy files decide in some test")
    print_rows([(line.place, line.exercise.value, line.text) for line in covered.missing()], indent=2)


def _as_json(outcomes: Sequence[Outcome], covered: Coverage, *, ok: bool) -> dict[str, object]:
    tests = [
        {
            "name": outcome.test.name,
            "source": outcome.test.place.source,
            "line": outcome.test.place.line,
            "ok": not outcome.failures,
            "failures": [
                {
                    **problem_json(failure.problem(outcome.test.name)),
                    "subject": failure.subject,
                    "expected": failure.expected,
                    "actual": failure.actual,
                    "because": failure.because,
                    "decided_by": failure.line,
                }
                for failure in outcome.failures
            ],
        }
        for outcome in outcomes
    ]
    missing = [{"place": line.place, "text": line.text, "exercise": line.exercise} for line in covered.missing()]
    counts = {"percent": covered.percent, "lines": len(covered.lines), "deciding": covered.deciding}
    return {"ok": ok, "tests": tests, "coverage": {**counts, "missing": missing}}
