"""``scopegate policy simulate``: a candidate beside the policy that a running gateway enforces."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from proxy.authorise.policyset import MODEL_FILE, POLICY_FILE
from proxy.cli.options import URL, ApiKey, Format, Output, Url
from proxy.cli.output import console, print_fields, print_json, refuse_policy
from proxy.cli.remote import Remote
from proxy.errors import PolicyError
from proxy.moments import parse_duration
from proxy.settings import read_text

_PATH = "/v1/admin/policy/shadow"


def _duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def simulate(
    new: Annotated[
        Path | None, typer.Argument(metavar="NEW", help="Folder with the candidate model.conf and policy.csv.")
    ] = None,
    lasts: Annotated[
        timedelta,
        typer.Option(
            "--for",
            envvar="SCOPEGATE_POLICY_SIMULATE_FOR",
            parser=_duration,
            metavar="DURATION",
            help="How long: 10m, 12h, up to 7d.",
        ),
    ] = "10m",  # type: ignore[assignment]  # typer parses the default
    status: Annotated[bool, typer.Option("--status", help="Show how the candidate compares so far.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="Show that, then end the simulation.")] = False,
    url: Url = URL,
    key: ApiKey = "",
    output: Output = Format.TEXT,
) -> None:
    """Have a running gateway ask a candidate policy everything that it decides, and show where the two differ.

    What is enforced stays the policy in force. The key needs administer on /. Only model.conf and policy.csv are
    simulated; for pii.yaml and gateway.yaml ask policy diff.
    """
    if (new is not None) + status + stop != 1:
        raise typer.BadParameter("give one of NEW, --status and --stop")
    gateway = Remote(url, key)
    if new is not None:
        _show(gateway.call("POST", _PATH, body=_request(new, lasts)), output)
        return
    _show(gateway.call("GET", _PATH), output)
    if stop:
        gateway.call("DELETE", _PATH)


def _request(new: Path, lasts: timedelta) -> dict[str, object]:
    try:
        files = {name: read_text(new / name) for name in (MODEL_FILE, POLICY_FILE)}
    except PolicyError as error:
        refuse_policy(error)
    return {"files": files, "lasts_s": int(lasts.total_seconds())}


def _show(answer: dict[str, Any], output: Format) -> None:
    if output is Format.JSON:
        print_json(answer)
        return
    shown = {name: answer[name] for name in ("candidate", "enforced", "started_at", "ends_at", "compared")}
    print_fields({"state": "running" if answer["running"] else "ended", **shown, **answer["counts"]})
    if answer["differences"]:
        console.print()
    for found in answer["differences"]:
        console.print(_told(found), markup=False)


def _told(found: dict[str, Any]) -> str:
    asked = f"{found['principal']} {found['operation']}: {found['action']} in {found['scope']}"
    enforced, candidate = (", ".join(found[side]) or "no line" for side in ("enforced_lines", "candidate_lines"))
    match found["outcome"]:
        case "would_allow":
            return f"+ {found['request_id']}  {asked}  denied by {enforced}, would be allowed by {candidate}"
        case "would_deny":
            return f"- {found['request_id']}  {asked}  allowed by {enforced}, would be denied by {candidate}"
        case _:
            scopes = f"{found['scopes_gained']} scopes more and {found['scopes_lost']} fewer"
            return f"~ {found['request_id']}  {asked}  would search {scopes}, by {candidate}"
