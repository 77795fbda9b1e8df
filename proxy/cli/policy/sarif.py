"""Problems and warnings as SARIF 2.1.0, which code hosts show beside the lines of a change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

from proxy.authorise.lint import LintRule, LintWarning
from proxy.errors import Problem

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
REFUSED = "refused"


def sarif(folder: Path, problems: Iterable[Problem], warnings: Iterable[LintWarning]) -> dict[str, object]:
    """One run over the policy files in ``folder``; places are relative to where the command runs, if below it."""
    results = [_result(folder, problem, REFUSED, "error") for problem in problems]
    results += [_result(folder, warning.problem, warning.rule, "warning") for warning in warnings]
    driver = {"name": "scopegate", "version": version("scopegate"), "rules": _rules()}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rules() -> Sequence[dict[str, object]]:
    described = {REFUSED: "A mistake for which the gateway refuses the policy files."}
    described |= {rule.value: rule.description for rule in LintRule}
    return [{"id": rule, "shortDescription": {"text": text}} for rule, text in described.items()]


def _result(folder: Path, problem: Problem, rule: str, level: str) -> dict[str, object]:
    place: dict[str, object] = {"artifactLocation": {"uri": _uri(folder / problem.source)}}
    if problem.line:
        place["region"] = {"startLine": problem.line, "startColumn": max(problem.column, 1)}
    return {
        "ruleId": rule,
        "level": level,
        "message": {"text": problem.message},
        "locations": [{"physicalLocation": place}],
    }


def _uri(path: Path) -> str:
    whole = path.absolute()
    here = Path.cwd()
    return quote(whole.relative_to(here).as_posix()) if whole.is_relative_to(here) else whole.as_uri()
