"""``scopegate policy fmt``: the canonical look of ``policy.csv``."""

from __future__ import annotations

import os
import tempfile
from difflib import unified_diff
from pathlib import Path
from typing import Annotated

import typer

from proxy.authorise.formatting import formatted
from proxy.authorise.policyset import POLICY_FILE
from proxy.cli.options import POLICIES
from proxy.cli.output import EXIT_FAILED, console, refuse_policy
from proxy.errors import PolicyError, Problem
from proxy.policy import read_dimension_order


def fmt(
    place: Annotated[
        Path, typer.Argument(metavar="FILE|DIR", help="A policy file, or the folder it is in.")
    ] = POLICIES,
    check: Annotated[
        bool, typer.Option("--check", envvar="SCOPEGATE_FMT_CHECK", help="Change nothing; end with 1 if it would.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", envvar="SCOPEGATE_FMT_DIFF", help="Change nothing; show what it would change.")
    ] = False,
) -> None:
    """Align columns and put terms and actions in order, comments and blank lines kept.

    What the policy says stays the same, and so does the order of its lines: it tells which line decides.
    """
    path = place / POLICY_FILE if place.is_dir() else place
    try:
        before = _bytes(path)
        after = formatted(before, path.name, read_dimension_order(path.parent))
    except PolicyError as error:
        refuse_policy(error)
    changed = after.encode() != before
    if diff and changed:
        _show(path, before.decode(), after)
    if not changed:
        console.print(f"{path}: already formatted", markup=False)
    elif check or diff:
        console.print(f"{path}: would be formatted", markup=False)
    else:
        _replace(path.resolve(), after)
        console.print(f"{path}: formatted", markup=False)
    if check and changed:
        raise typer.Exit(EXIT_FAILED)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PolicyError([Problem(path.name, 0, 0, f"cannot be read: {error.strerror}")]) from None


def _show(path: Path, before: str, after: str) -> None:
    lines = unified_diff(before.splitlines(), after.splitlines(), str(path), f"{path} (formatted)", lineterm="")
    for line in lines:
        style = {"+": "green", "-": "red"}.get(line[:1], "")
        console.print(line, markup=False, style=style)


def _replace(path: Path, text: str) -> None:
    """Write the file as a whole: a gateway that looks at it never sees half of it."""
    with tempfile.NamedTemporaryFile("wb", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())
    written = Path(file.name)
    written.chmod(path.stat().st_mode)
    written.replace(path)
