"""How commands about policies show problems and count things."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import typer
from rich.text import Text

from proxy.cli.output import EXIT_POLICY, console, print_json, refuse_policy
from proxy.errors import PolicyError, Problem


def counted(count: int, noun: str) -> str:
    """The count with its noun.

    >>> counted(1, "test"), counted(2, "test")
    ('1 test', '2 tests')
    """
    return f"{count} {noun}{'s' * (count != 1)}"


def problem_json(problem: Problem) -> dict[str, object]:
    """A problem as JSON values."""
    return {
        "source": problem.source,
        "line": problem.line,
        "column": problem.column,
        "message": problem.message,
    }


def print_rows(rows: Sequence[Sequence[str]], *, indent: int = 0, styles: Sequence[str] = ()) -> None:
    """Rows in columns, each on one line whatever the width of the terminal: what is copied from it stays whole."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for position, row in enumerate(rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        style = styles[position] if styles else ""
        console.print(Text(" " * indent + "  ".join(cells).rstrip(), style))


def refuse(error: PolicyError, *, as_json: bool) -> NoReturn:
    """Say every problem, on standard error as text or on standard output as JSON, and end with 3."""
    if not as_json:
        refuse_policy(error)
    print_json({"ok": False, "problems": [problem_json(problem) for problem in error.problems]})
    raise typer.Exit(EXIT_POLICY)
