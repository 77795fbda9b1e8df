"""``scopegate policy who``: everybody who may do something somewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from proxy.authorise.decision import Action, Effect
from proxy.authorise.reach import Reach
from proxy.cli.options import POLICIES, Format, Output, Policies, parse_scope
from proxy.cli.output import console, print_json, print_table
from proxy.cli.policy.folder import PolicyText, read_folder
from store.scope import Scope


@dataclass(frozen=True, slots=True)
class Holder:
    """A principal who may, by which line, and which subject that line names: itself or one of its roles."""

    principal: str
    line: str
    through: str


def who(
    action: Annotated[Action, typer.Argument(metavar="ACTION", help=f"One of {', '.join(Action)}.")],
    scope: Annotated[Scope, typer.Argument(parser=parse_scope, metavar="SCOPE", help="A scope, such as org/acme.")],
    policies: Policies = POLICIES,
    output: Output = Format.TEXT,
) -> None:
    """List every principal named in the policy who may do ACTION in SCOPE, with the line that allows it.

    A principal that the file does not name may do nothing, whatever it is called.
    """
    text = read_folder(policies)
    holders = list(_holders(text, action, scope))
    vacant = list(_vacant(text.reach, action, scope))
    path = scope.path(text.policy.dimension_order)
    if output is Format.JSON:
        items = [asdict(holder) for holder in holders]
        print_json({"action": action, "scope": path, "principals": items, "vacant_roles": vacant})
        return
    rows = [(holder.principal, holder.line, holder.through) for holder in holders]
    print_table(("principal", "line", "through"), rows, f"nobody may {action} in {path}")
    for role in vacant:
        console.print(f"{role} could as well, but nobody in the file has that role", markup=False)


def _holders(text: PolicyText, action: Action, scope: Scope) -> Iterator[Holder]:
    subject_at = {line.place: line.subject for line in text.rules.lines}
    for principal in text.reach.principals:
        ruling = text.policy.decide(principal, action, scope)
        if ruling.allowed and ruling.line:
            yield Holder(str(principal), ruling.line, subject_at[ruling.line])


def _vacant(reach: Reach, action: Action, scope: Scope) -> Iterator[str]:
    """Roles without members whose lines alone allow it; a member's own name could only be told from a member."""
    for role in reach.vacant_roles():
        matching = [
            line for line in reach.lines_of_role(role) if action in line.actions and line.pattern.matches(scope)
        ]
        if matching and all(line.effect is Effect.ALLOW for line in matching):
            yield role
