"""The command ``scopegate``."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from proxy.cli import audit, demo, doctor, hold, key, policy, serve

app = typer.Typer(
    name="scopegate",
    help="A policy-enforcing gateway in front of the memory that AI agents share.",
    epilog="Every option is also an environment variable: SCOPEGATE_… as --help names it.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"auto_envvar_prefix": "SCOPEGATE", "help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command("serve")(serve.serve)
app.command("demo")(demo.demo)
app.add_typer(key.app, name="key")
app.add_typer(hold.app, name="hold")
app.add_typer(policy.app, name="policy")
app.add_typer(audit.app, name="audit")
app.command("doctor")(doctor.doctor)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"scopegate {version('scopegate')}")
        raise typer.Exit


@app.callback()
def _scopegate(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, show_envvar=False, help="Show the version."),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
