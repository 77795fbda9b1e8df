"""What commands print: answers on standard output, errors on standard error."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import NoReturn

import typer
from rich.console import Console
from rich.table import Table

from proxy.errors import PolicyError

EXIT_FAILED = 1
EXIT_POLICY = 3

console = Console(highlight=False, soft_wrap=True)
_errors = Console(stderr=True, highlight=False, soft_wrap=True)


def print_json(value: object) -> None:
    """``value`` as JSON that another program reads."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> None:
    """Rows under headings, or ``empty`` when there are none."""
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*("-" if cell in {None, ""} else str(cell) for cell in row))
    if table.row_count:
        console.print(table)
    else:
        console.print(empty)


def print_fields(fields: Mapping[str, object]) -> None:
    """Names and values, one a line."""
    width = max(map(len, fields))
    for name, value in fields.items():
        console.print(f"[bold]{name:<{width}}[/]  ", end="")
        console.print("-" if value in {None, ""} else str(value), markup=False)


def fail(message: str, code: int = EXIT_FAILED) -> NoReturn:
    """Say what went wrong, and end with ``code``."""
    _errors.print("[bold red]error[/] ", end="")
    _errors.print(message, markup=False)
    raise typer.Exit(code)


def refuse_policy(error: PolicyError) -> NoReturn:
    """Say every problem of the policy files, and end."""
    for problem in error.problems:
        _errors.print(str(problem), markup=False)
    count = len(error.problems)
    fail(f"the policy files have {count} problem{'s' * (count != 1)}", EXIT_POLICY)
