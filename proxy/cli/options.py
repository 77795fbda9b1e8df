"""Options that several commands share, each also an environment variable."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from proxy.principal import Principal
from store.scope import Scope


class Format(StrEnum):
    """How a command answers."""

    TEXT = "text"
    JSON = "json"


def parse_principal(text: str) -> Principal:
    """A principal on the command line."""
    try:
        return Principal.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def parse_scope(text: str) -> Scope:
    """A scope on the command line."""
    try:
        return Scope.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


Data = Annotated[
    Path,
    typer.Option("--data", envvar="SCOPEGATE_DATA", help="Folder of memories, keys, holds and audit.", metavar="DIR"),
]
Policies = Annotated[
    Path, typer.Option("--policies", envvar="SCOPEGATE_POLICIES", help="Folder of policy files.", metavar="DIR")
]
Output = Annotated[
    Format, typer.Option("--format", envvar="SCOPEGATE_FORMAT", help="text for people, json for programs.")
]
Url = Annotated[str, typer.Option("--url", envvar="SCOPEGATE_URL", help="Where the gateway listens.", metavar="URL")]
ApiKey = Annotated[
    str,
    typer.Option(
        "--key", envvar="SCOPEGATE_KEY", help="The key to call it with; better set in the environment.", metavar="KEY"
    ),
]

DATA = Path("data")
POLICIES = Path("policies")
URL = "http://127.0.0.1:8080"
