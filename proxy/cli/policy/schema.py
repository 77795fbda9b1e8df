"""``scopegate policy schema``: what editors need to know about the YAML files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from proxy.cli.options import POLICIES
from proxy.cli.output import EXIT_FAILED, console
from proxy.policyschema import FOLDER, schemas


def schema(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of policy files.")] = POLICIES,
    check: Annotated[
        bool, typer.Option("--check", envvar="SCOPEGATE_SCHEMA_CHECK", help="Change nothing; end with 1 if it would.")
    ] = False,
) -> None:
    """Write DIR/schema/*.json, which the first line of each YAML file names, so that editors complete and underline."""
    from proxy.inspection.presidio import PresidioDetector  # noqa: PLC0415 - seconds of loading that other commands need not wait for

    stale = False
    for name, text in schemas(PresidioDetector().supported).items():
        path = folder / FOLDER / f"{name}.json"
        current = path.is_file() and path.read_text(encoding="utf-8") == text
        stale |= not current
        if not current and not check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        state = "up to date" if current else "is stale" if check else "written"
        console.print(f"{path}: {state}", markup=False)
    if check and stale:
        raise typer.Exit(EXIT_FAILED)
