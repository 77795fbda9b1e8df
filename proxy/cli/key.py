"""``scopegate key``: the keys that agents and people call with."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from proxy.api import answers
from proxy.authenticate.key import Key
from proxy.authenticate.keyring import KeyRecord, KeyTerms
from proxy.cli.local import open_records, run
from proxy.cli.options import DATA, Data, Format, Output, parse_principal, parse_scope
from proxy.cli.output import console, fail, print_fields, print_json, print_table
from proxy.moments import parse_duration, utc_now
from proxy.principal import Principal
from proxy.settings import GatewayConfig
from store.scope import Scope

app = typer.Typer(help="Issue, list, rotate and revoke keys, on the machine of the data folder.", no_args_is_help=True)

_CONFIG = GatewayConfig()
_LONGEST = timedelta(days=3660)


def _duration(text: str) -> timedelta:
    try:
        duration = parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if duration > _LONGEST:
        raise typer.BadParameter(f"{text!r} is more than ten years")
    return duration


PrincipalArgument = Annotated[
    Principal,
    typer.Argument(
        parser=parse_principal, metavar="PRINCIPAL", help="Who the key speaks for, such as agent:researcher."
    ),
]
KeyId = Annotated[str, typer.Argument(metavar="ID", help="The key's id: the part after sg_.")]


@app.command("create")
def create(
    principal: PrincipalArgument,
    data: Data = DATA,
    floor: Annotated[
        Scope | None,
        typer.Option(parser=parse_scope, metavar="SCOPE", help="Only scopes that contain this one, such as org/acme."),
    ] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="The key may only read.")] = False,
    expires_in: Annotated[
        timedelta | None, typer.Option(parser=_duration, metavar="DURATION", help="When it ends: 12h, 30d, …")
    ] = None,
    note: Annotated[str, typer.Option(help="For whom or what it is.", metavar="TEXT")] = "",
    output: Output = Format.TEXT,
) -> None:
    """Issue a key. It is shown once: only a hash of it is stored."""
    now = utc_now()
    terms = KeyTerms(principal, floor, read_only, now + expires_in if expires_in else None, note)
    key = Key.generate()

    async def work() -> KeyRecord:
        async with open_records(data, create=True) as records:
            await records.record("create_key", terms.scope, now, key.id, str(principal))
            return await records.keys.issue(key, terms, now)

    _show(run(work()), key, output)


@app.command("list")
def list_(data: Data = DATA, output: Output = Format.TEXT) -> None:
    """List all keys ever issued, without their secrets."""

    async def work() -> list[KeyRecord]:
        async with open_records(data) as records:
            return await records.keys.list()

    items = [answers.key(_CONFIG, record) for record in run(work())]
    if output is Format.JSON:
        print_json({"items": items})
        return
    columns = ("id", "principal", "floor", "read_only", "expires_at", "revoked_at", "last_used_at", "note")
    print_table(columns, [[item[column] for column in columns] for item in items], "no keys yet: scopegate key create")


@app.command("rotate")
def rotate(
    key_id: KeyId,
    data: Data = DATA,
    overlap: Annotated[
        timedelta, typer.Option(parser=_duration, metavar="DURATION", help="How long the old key lives on.")
    ] = "1h",  # type: ignore[assignment]  # typer parses it
    output: Output = Format.TEXT,
) -> None:
    """Replace a key by a new one with the same terms; the old one ends after the overlap."""
    now = utc_now()
    key = Key.generate()

    async def work() -> KeyRecord:
        async with open_records(data) as records:
            old = await records.keys.find(key_id)
            if old is None or not old.live(now):
                fail(f"there is no live key {key_id}; scopegate key list shows them")
            await records.record("rotate_key", old.terms.scope, now, key_id, key.id)
            record = await records.keys.rotate(key_id, key, overlap, now)
            if record is None:
                fail(f"key {key_id} ended meanwhile")
            return record

    _show(run(work()), key, output)


@app.command("revoke")
def revoke(key_id: KeyId, data: Data = DATA, output: Output = Format.TEXT) -> None:
    """End a key at once, for running gateways too."""
    now = utc_now()

    async def work() -> None:
        async with open_records(data) as records:
            old = await records.keys.find(key_id)
            if old is None or old.revoked_at is not None:
                fail(f"there is no key {key_id} that could be revoked; scopegate key list shows them")
            await records.record("revoke_key", old.terms.scope, now, key_id)
            await records.keys.revoke(key_id, now)

    run(work())
    if output is Format.JSON:
        print_json({"id": key_id, "revoked": True})
    else:
        console.print(f"key {key_id} is revoked")


def _show(record: KeyRecord, key: Key, output: Format) -> None:
    fields = answers.key(_CONFIG, record, key)
    if output is Format.JSON:
        print_json(fields)
        return
    print_fields(fields)
    console.print("\nKeep the key now: it is not stored and cannot be shown again.")
