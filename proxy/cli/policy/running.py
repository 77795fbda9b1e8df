"""``scopegate policy status`` and ``reload``: what a running gateway has in force."""

from __future__ import annotations

from proxy.cli.options import URL, ApiKey, Format, Output, Url
from proxy.cli.output import console, print_fields, print_json
from proxy.cli.remote import Remote


def status(url: Url = URL, key: ApiKey = "", output: Output = Format.TEXT) -> None:
    """Show which policies a running gateway has in force, and what it refused."""
    _show(Remote(url, key).call("GET", "/v1/admin/policy"), output)


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
