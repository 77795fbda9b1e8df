"""``scopegate policy what``: everything that one principal may do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Annotated

import typer

from proxy.authorise.decision import Action
from proxy.authorise.regions import RegionLimitError
from proxy.authorise.spelling import legend, spelled
from proxy.cli.options import POLICIES, Format, Output, Policies, parse_principal
from proxy.cli.output import EXIT_POLICY, console, fail, print_json, print_table
from proxy.cli.policy.folder import PolicyText, read_folder
from proxy.principal import Principal


def what(
    principal: Annotated[
        Principal, typer.Argument(parser=parse_principal, metavar="PRINCIPAL", help="Such as agent:researcher.")
    ],
    policies: Policies = POLICIES,
    output: Output = Format.TEXT,
) -> None:
    """Show exactly where a principal may do what: all lines together, roles resolved and {self} written out.

    This is what the policy gives; a key's floor and its read-only flag narrow it further.
    """
    text = read_folder(policies)
    try:
        where = {action: _patterns(text, principal, action) for action in Action}
    except RegionLimitError as error:
        fail(f"{principal}: {error}", EXIT_POLICY)
    roles = text.policy.roles(principal)
    if output is Format.JSON:
        print_json({"principal": str(principal), "roles": roles, "may": where, "legend": _signs(where)})
        return
    console.print(" is ".join(filter(None, (str(principal), ", ".join(roles)))), style="bold", markup=False)
    rows = [(", ".join(actions), pattern) for pattern, actions in _by_pattern(where).items()]
    print_table(("may", "in"), rows, f"may do nothing{_unnamed(text, principal)}")
    for meaning in _signs(where):
        console.print(meaning, style="dim", markup=False)


def _patterns(text: PolicyText, principal: Principal, action: Action) -> tuple[str, ...]:
    return spelled(text.reach.region(principal, action), text.policy.dimension_order)


def _by_pattern(where: Mapping[Action, tuple[str, ...]]) -> dict[str, list[Action]]:
    found: dict[str, list[Action]] = defaultdict(list)
    for action, patterns in where.items():
        for pattern in patterns:
            found[pattern].append(action)
    return dict(sorted(found.items()))


def _signs(where: Mapping[Action, tuple[str, ...]]) -> list[str]:
    return legend(pattern for patterns in where.values() for pattern in patterns)


def _unnamed(text: PolicyText, principal: Principal) -> str:
    return "" if principal in text.reach.principals else ": the policy does not name it"
