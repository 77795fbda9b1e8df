"""``scopegate policy``: check the policy files; ask a running gateway which are in force."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from proxy.cli.options import URL, ApiKey, Format, Output, Url
from proxy.cli.output import EXIT_POLICY, console, print_fields, print_json, refuse_policy
from proxy.cli.remote import Remote
from proxy.errors import PolicyError
from proxy.moments import utc_now
from proxy.policy import load_policies

app = typer.Typer(help="Check policy files, and see which are in force.", no_args_is_help=True)


@app.command("check")
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


@app.command("status")
def status(url: Url = URL, key: ApiKey = "", output: Output = Format.TEXT) -> None:
    """Show which policies a running gateway has in force, and what it refused."""
    _show(Remote(url, key).call("GET", "/v1/admin/policy"), output)


@app.command("reload")
def reload(url: Url = URL, key: ApiKey = "", output: Output = Format.TEXT) -> None:
    """Make a running gateway read its policy files again, now. It also does so by itself when they change."""
    _show(Remote(url, key).call("POST", "/v1/admin/policy/reload"), output)


def _show(answer: dict[str, object], output: Format) -> None:
    if output is Format.JSON:
        print_json(answer)
        return
    refused = answer["refused"]
    print_fields({name: answer[name] for name in ("version", "loaded_at", "folder")})
    if isinstance(refused, dict):
        console.print(f"\n[bold yellow]refused[/] the change of {refused['at']}; the version above stays in force:")
        for problem in refused["problems"]:
            console.print(f"  {problem}", markup=False)
