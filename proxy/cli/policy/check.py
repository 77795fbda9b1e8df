"""``scopegate policy check``: every mistake in the policy files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from proxy.cli.options import Format, Output
from proxy.cli.output import EXIT_POLICY, console, print_json, refuse_policy
from proxy.errors import PolicyError
from proxy.moments import utc_now
from proxy.policy import load_policies


def check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of policy files.")] = Path("policies"),
    output: Output = Format.TEXT,
) -> None:
    """Read the files as a gateway would, and list every mistake with its place. Ends with 3 if there is one."""
    from proxy.inspection.presidio import PresidioDetector  # noqa: PLC0415 - seconds of loading that other commands need not wait for

    try:
        loaded = load_policies(folder, PresidioDetector().supported, utc_now())
    except PolicyError as error:
        if output is Format.TEXT:
            refuse_policy(error)
        problems = [
            {"source": problem.source, "line": problem.line, "column": problem.column, "message": problem.message}
            for problem in error.problems
        ]
        print_json({"ok": False, "problems": problems})
        raise typer.Exit(EXIT_POLICY) from None
    if output is Format.JSON:
        print_json({"ok": True, "version": loaded.version, "problems": []})
    else:
        console.print(f"{folder}: no mistakes; policy version {loaded.version}")
