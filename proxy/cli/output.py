"""What commands print: answers on standard output, errors on standard error."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import NoReturn

import typer
from rich.cells import cell_len
from rich.console import Console

from proxy.errors import PolicyError

EXIT_FAILED = 1
EXIT_POLICY = 3

console = Console(highlight=False, soft_wrap=True)
_errors = Console(stderr=True, highlight=False, soft_wrap=True)


def print_json(value: object) -> None:
    """``value`` as JSON that another program reads."""
    # In ASCII, so that no text of a memory can move the cursor of a terminal, whatever its encoding.
    typer.echo(json.dumps(value, indent=2, default=str))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> None:
    """Rows under headings, or ``empty`` when there are none."""
    shown = [[_shown(cell) for cell in row] for row in rows]
    if not shown:
        console.print(empty)
        return
    # Never cut to the width of a window: an id that is not whole is of no use.
    widths = [max(map(cell_len, cells)) for cells in zip(columns, *shown, strict=True)]
    for number, row in enumerate([columns, *shown]):
        padded = (cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
        console.print("  ".join(padded).rstrip(), markup=False, style="bold" if number == 0 else None)


def print_fields(fields: Mapping[str, object]) -> None:
    """Names and values, one a line."""
    width = max(map(len, fields))
    for name, value in fields.items():
        console.print(f"[bold]{name:<{width}}[/]  ", end="")
        console.print(_shown(value), markup=False)


def fail(message: str, code: int = EXIT_FAILED) -> NoReturn:
    """Say what went wrong, and end with ``code``."""
    _errors.print("[bold red]error[/] ", end="")
    _errors.print("\n".join(map(_printable, message.split("\n"))), markup=False)
    raise typer.Exit(code)


def refuse_policy(error: PolicyError) -> NoReturn:
    """Say every problem of the policy files, and end."""
    for problem in error.problems:
        _errors.print(str(problem), markup=False)
    count = len(error.problems)
    fail(f"the policy files have {count} problem{'s' * (count != 1)}", EXIT_POLICY)


def _shown(value: object) -> str:
    return "-" if value is None or value == "" else _printable(str(value))


def _printable(text: str) -> str:
    """``text`` with control characters written out: a held text must not command the terminal of its reviewer."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
