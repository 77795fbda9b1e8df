"""The workload in Cedar."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from bench.workload import Request, Workload
from proxy.authorise.actions import read_actions
from proxy.pattern import ScopePattern


def load(workload: Workload, requests: Sequence[Request]) -> Callable[[Request], bool]:
    """A decision by cedarpy. Policies, and for each request its entities, are parsed beforehand: its best case.

    Raises:
        ImportError: cedarpy is not installed.
    """
    import cedarpy  # noqa: PLC0415 - optional

    policies = cedarpy.PolicySet.from_str("\n".join(_policy(*line) for line in workload.lines))
    members = _members(workload)
    prepared = {
        request: cedarpy.Entities.from_json_str(
            json.dumps([*_with_roles(members, str(request[0])), _resource(request)])
        )
        for request in requests
    }

    def decide(request: Request) -> bool:
        asked = {
            "principal": f'Subject::"{request[0]}"',
            "action": f'Action::"{request[1].value}"',
            "resource": f'Scope::"{request[2].path()}"',
            "context": {"size": len(request[2].terms)},
        }
        return bool(cedarpy.is_authorized(asked, policies, prepared[request]).allowed)

    return decide


def _resource(request: Request) -> dict[str, object]:
    scope = request[2]
    return {"uid": {"type": "Scope", "id": scope.path()}, "attrs": scope.as_dict(), "parents": []}


def _members(workload: Workload) -> dict[str, list[str]]:
    roles: dict[str, list[str]] = {}
    for member, role in workload.links:
        roles.setdefault(member, []).append(role)
    return roles


def _with_roles(members: dict[str, list[str]], principal: str) -> list[dict[str, object]]:
    """The entities of a principal and all its roles."""
    waiting, entities = [principal], {}
    while waiting:
        subject = waiting.pop()
        roles = members.get(subject, [])
        waiting += [role for role in roles if role not in entities]
        entities[subject] = {
            "uid": {"type": "Subject", "id": subject},
            "attrs": {"self": subject.partition(":")[2]},
            "parents": [{"type": "Subject", "id": role} for role in roles],
        }
    return list(entities.values())


def _policy(subject: str, text: str, actions: str, effect: str) -> str:
    pattern = ScopePattern.parse(text)
    named = ", ".join(f'Action::"{action.value}"' for action in read_actions(actions))
    tests = [f"resource has {dimension}" for dimension in sorted(pattern.dimensions)]
    tests += [f'resource.{term.dimension} == "{term.value}"' for term in sorted(pattern.literals)]
    tests += [f"resource.{dimension} == principal.self" for dimension in sorted(pattern.selves)]
    if not pattern.open:
        tests.append(f"context.size == {len(pattern.dimensions)}")
    verb = "permit" if effect == "allow" else "forbid"
    return f'{verb}(principal in Subject::"{subject}", action in [{named}], resource) when {{ {" && ".join(tests)} }};'
