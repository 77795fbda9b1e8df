"""``scopegate hold``: review what the publish gate held, through a running gateway."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from proxy.cli.options import URL, ApiKey, Format, Output, Url
from proxy.cli.output import console, print_fields, print_json, print_table
from proxy.cli.remote import Remote
from proxy.inspection.holds import HoldState

app = typer.Typer(help="Review what the publish gate held. Needs a key with review.", no_args_is_help=True)

_LISTED_CHARACTERS = 100

HoldId = Annotated[str, typer.Argument(metavar="ID", help="The hold's id.")]


@app.command("list")
def list_(
    url: Url = URL,
    key: ApiKey = "",
    state: Annotated[HoldState, typer.Option(help="Which holds to list.")] = HoldState.PENDING,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many at most.")] = 50,
    output: Output = Format.TEXT,
) -> None:
    """List the holds that the key's principal may review, and its own."""
    answer = Remote(url, key).call("GET", "/v1/holds", query={"state": state, "limit": limit})
    if output is Format.JSON:
        print_json(answer)
        return
    rows = [
        (
            item["id"],
            item["created_at"],
            item["submitter"],
            item["scope"],
            _kinds(item),
            _beginning(item.get("content", "")),
        )
        for item in answer["items"]
    ]
    print_table(("id", "since", "submitter", "scope", "found", "text"), rows, f"no {state} holds")


@app.command("show")
def show(hold_id: HoldId, url: Url = URL, key: ApiKey = "", output: Output = Format.TEXT) -> None:
    """Show one hold, with its text for a reviewer."""
    _show(Remote(url, key).call("GET", _path(hold_id)), output)


@app.command("approve")
def approve(
    hold_id: HoldId,
    url: Url = URL,
    key: ApiKey = "",
    redact: Annotated[bool, typer.Option("--redact", help="Let it in without what was found.")] = False,
    output: Output = Format.TEXT,
) -> None:
    """Let a held memory into its scope."""
    answer = Remote(url, key).call("POST", _path(hold_id, "/approve"), body={"redact": redact})
    if output is Format.JSON:
        print_json(answer)
    else:
        how = "redacted" if answer["verdict"] == "redact" else "as it was"
        console.print(f"stored {how} as memory {answer['id']} in {answer['scope']}")


@app.command("reject")
def reject(
    hold_id: HoldId,
    url: Url = URL,
    key: ApiKey = "",
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why; its submitter sees it.")] = None,
    output: Output = Format.TEXT,
) -> None:
    """Turn a held memory away; its text is deleted."""
    body = {} if reason is None else {"reason": reason}
    _show(Remote(url, key).call("POST", _path(hold_id, "/reject"), body=body), output)


def _path(hold_id: str, deed: str = "") -> str:
    return f"/v1/holds/{quote(hold_id, safe='')}{deed}"


def _show(hold: dict[str, Any], output: Format) -> None:
    if output is Format.JSON:
        print_json(hold)
    else:
        print_fields({**hold, "findings": _kinds(hold)})


def _beginning(text: str) -> str:
    return text if len(text) <= _LISTED_CHARACTERS else f"{text[:_LISTED_CHARACTERS]}…"


def _kinds(hold: dict[str, Any]) -> str:
    return ", ".join(sorted({finding["entity"] for finding in hold["findings"]}))
