"""``scopegate policy explain``: why something is allowed or denied, and what would allow it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from proxy.authorise.additions import Addition, WayIn, way_in
from proxy.authorise.decision import Action, Effect, Ruling
from proxy.authorise.mismatch import mismatch
from proxy.authorise.policyset import PolicySet
from proxy.authorise.rules import PolicyLine
from proxy.cli.options import POLICIES, Format, Output, Policies, parse_principal, parse_scope
from proxy.cli.output import console, print_json
from proxy.cli.policy.listing import counted, print_rows, refuse
from proxy.errors import PolicyError
from proxy.policy import read_policy_set
from proxy.principal import Principal
from store.scope import Scope

_ROLES_SHOWN = 5


def explain(
    principal: Annotated[
        Principal, typer.Argument(parser=parse_principal, metavar="PRINCIPAL", help="Who, such as agent:writer.")
    ],
    action: Annotated[Action, typer.Argument(help="What.", metavar="ACTION")],
    scope: Annotated[
        Scope, typer.Argument(parser=parse_scope, metavar="SCOPE", help="Where, such as org/acme/project/q3.")
    ],
    policies: Policies = POLICIES,
    output: Output = Format.TEXT,
) -> None:
    """Say which line decides, why the others do not match, and what the smallest addition is that would allow it.

    Reads the policy files and nothing else: the answer is the same whether or not the scope holds anything. A key's
    floor, and its being read-only, narrow it further.
    """
    answer = _answer(policies, principal, action, scope, output)
    if output is Format.JSON:
        print_json(_as_json(answer))
    else:
        _show(answer)


@dataclass(frozen=True, slots=True)
class _Considered:
    line: PolicyLine
    mismatch: str | None

    def outcome(self, ruling: Ruling) -> str:
        """What the line does to the question."""
        if self.mismatch:
            return f"does not match: {self.mismatch}"
        if self.line.place == ruling.line:
            return "decides"
        if self.line.effect is Effect.ALLOW and not ruling.allowed:
            return "matches; a deny wins"
        return "matches; an earlier line decides"


@dataclass(frozen=True, slots=True)
class _Answer:
    principal: Principal
    action: Action
    scope: str
    ruling: Ruling
    roles: tuple[str, ...]
    considered: tuple[_Considered, ...]
    others: int
    way_in: WayIn


def _answer(folder: Path, principal: Principal, action: Action, scope: Scope, output: Format) -> _Answer:
    try:
        policy = read_policy_set(folder)
    except PolicyError as error:
        refuse(error, as_json=output is Format.JSON)
    lines = _lines_about(policy, principal)
    considered = tuple(_Considered(line, mismatch(line, principal, action, scope)) for line in lines)
    return _Answer(
        principal,
        action,
        scope.path(policy.dimension_order),
        policy.decide(principal, action, scope),
        policy.roles(principal),
        considered,
        len(policy.rules.lines) - len(lines),
        way_in(policy, principal, action, scope),
    )


def _lines_about(policy: PolicySet, principal: Principal) -> Sequence[PolicyLine]:
    subjects = {str(principal), *policy.roles(principal)}
    return [line for line in policy.rules.lines if line.subject in subjects]


def _show(answer: _Answer) -> None:
    verdict = Text("allowed", "bold green") if answer.ruling.allowed else Text("denied", "bold red")
    console.print(verdict.append(f"  {answer.principal} to {answer.action} in {answer.scope}", "default"))
    console.print(f"because  {answer.ruling.reason}", markup=False)
    console.print(f"roles    {', '.join(answer.roles) or 'none'}\n", markup=False)
    _show_considered(answer)
    if not answer.ruling.allowed:
        _show_way_in(answer.way_in)


def _show_considered(answer: _Answer) -> None:
    rows = [(each.line.place, ", ".join(each.line.row), each.outcome(answer.ruling)) for each in answer.considered]
    styles = ["dim" if each.mismatch else "bold" if _decides(each, answer) else "" for each in answer.considered]
    print_rows(rows, styles=styles)
    console.print(f"{counted(answer.others, 'other line')} of the policy: about others", style="dim")


def _decides(considered: _Considered, answer: _Answer) -> bool:
    return considered.line.place == answer.ruling.line


def _show_way_in(way: WayIn) -> None:
    if way.denying:
        console.print("\nto allow it, what denies it must change:")
        for line in way.denying:
            console.print(f"  {line.place}  p, {', '.join(line.row)}", markup=False)
    if not way.additions:
        return
    choice = "one of these lines must be added" if len(way.additions) > 1 else "this line must be added"
    console.print(f"\nand {choice}:" if way.denying else f"\nto allow it, {choice}:")
    shown = way.additions[: _ROLES_SHOWN + 1]
    print_rows([(addition.line, _gives(addition)) for addition in shown], indent=2)
    hidden = len(way.additions) - _ROLES_SHOWN - 1
    if hidden > 0:
        console.print(f"  and {counted(hidden, 'more role')}: see --format json", style="dim")


def _gives(addition: Addition) -> str:
    if addition.through is None:
        return "only this"
    line = addition.through
    more = f", and {counted(addition.more, 'more line')}" if addition.more else ""
    return f"gives {line.place} ({line.row[1]}, {line.row[2]}){more}"


def _as_json(answer: _Answer) -> dict[str, object]:
    considered = [
        {
            "line": each.line.place,
            "text": f"p, {', '.join(each.line.row)}",
            "matches": each.mismatch is None,
            "decides": _decides(each, answer),
            "because": each.outcome(answer.ruling),
        }
        for each in answer.considered
    ]
    additions = [
        {"line": one.line, "through": one.through and one.through.place, "more": one.more}
        for one in answer.way_in.additions
    ]
    return {
        "allowed": answer.ruling.allowed,
        "principal": str(answer.principal),
        "action": answer.action,
        "scope": answer.scope,
        "line": answer.ruling.line,
        "reason": answer.ruling.reason,
        "roles": answer.roles,
        "considered": considered,
        "lines_about_others": answer.others,
        "must_change": [line.place for line in answer.way_in.denying],
        "additions": additions,
    }
