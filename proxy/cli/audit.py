"""``scopegate audit``: read the audit log and prove that nobody changed it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

import typer

from proxy.audit.log import AuditQuery, Recorded, Verification, verify
from proxy.cli.local import open_records, run
from proxy.cli.options import DATA, Data, Format, Output
from proxy.cli.output import EXIT_FAILED, console, fail, print_json, print_table

app = typer.Typer(help="Read and verify the audit log of a data folder.", no_args_is_help=True)

_ANCHOR = re.compile(r"(\d{1,18}):([0-9a-f]{64})", re.ASCII)


# Not a tuple: typer would ask for its parts as two words.
@dataclass(frozen=True, slots=True)
class Anchor:
    """An entry of the log that was noted earlier, in another place."""

    number: int
    hash: str

    @classmethod
    def parse(cls, text: str) -> Anchor:
        """An anchor on the command line."""
        match = _ANCHOR.fullmatch(text)
        if match is None:
            raise typer.BadParameter("write NUMBER:HASH as an earlier verify printed it")
        return cls(int(match[1]), match[2])


@app.command("verify")
def verify_(
    data: Data = DATA,
    anchor: Annotated[
        Anchor | None,
        typer.Option(
            parser=Anchor.parse, metavar="NUMBER:HASH", help="An entry noted earlier, which must still be there."
        ),
    ] = None,
    output: Output = Format.TEXT,
) -> None:
    """Check every link of the chain. Ends with 1 if one is broken.

    Note the last entry that it prints in another place: with --anchor, a later check also proves that the log was
    not rewritten as a whole.
    """
    noted = None if anchor is None else (anchor.number, anchor.hash)

    async def work() -> Verification:
        async with open_records(data) as records:
            return await records.database.run(lambda connection: verify(connection, noted))

    found = run(work())
    last = f"{found.entries}:{found.head}"
    if output is Format.JSON:
        print_json({"ok": found.problem is None, "entries": found.entries, "last": last, "problem": found.problem})
        raise typer.Exit(0 if found.problem is None else EXIT_FAILED)
    if found.problem:
        fail(f"{found.problem}; {found.entries} entries before it hold")
    console.print(f"{found.entries} entries, every link holds; the last is {last}")


@app.command("list")
def list_(
    data: Data = DATA,
    principal: Annotated[str | None, typer.Option(metavar="PRINCIPAL", help="Only this principal's.")] = None,
    operation: Annotated[str | None, typer.Option(metavar="NAME", help="Only this operation, such as publish.")] = None,
    outcome: Annotated[str | None, typer.Option(metavar="NAME", help="allow, deny, blocked, held or failed.")] = None,
    request_id: Annotated[str | None, typer.Option(metavar="ID", help="Only this request's.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 50,
    output: Output = Format.TEXT,
) -> None:
    """List entries, newest first."""
    query = AuditQuery(principal, operation, outcome, request_id, limit=limit)

    async def work() -> list[Recorded]:
        async with open_records(data) as records:
            return await records.audit.query(query)

    items = [entry.as_dict() for entry in run(work())]
    if output is Format.JSON:
        print_json({"items": items})
        return
    rows = [
        (
            item["sequence"],
            item["at"],
            item["principal"],
            item["operation"],
            item["action"],
            item["scope"],
            item["outcome"],
            _why(item),
        )
        for item in items
    ]
    print_table(("#", "at", "principal", "operation", "action", "scope", "outcome", "why"), rows, "no entries")


def _why(item: dict[str, object]) -> str:
    lines, entities = item["lines"], item["entities"]
    parts = [*(lines if isinstance(lines, list) else []), *(entities if isinstance(entities, list) else [])]
    return ", ".join(map(str, parts)) or str(item["reason"] or "")
