"""The workload in Polar, the language of oso."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.workload import Request, Workload
from proxy.authorise.actions import read_actions
from proxy.pattern import ScopePattern

_RULES = """
allowed(subject: String, name: String, action: String, place: Place) if
    has(subject, role) and line(role, name, action, place, "allow");
denied(subject: String, name: String, action: String, place: Place) if
    has(subject, role) and line(role, name, action, place, "deny");
decide(subject: String, name: String, action: String, place: Place) if
    allowed(subject, name, action, place) and not denied(subject, name, action, place);
has(subject, subject);
has(subject, role) if link(subject, between) and has(between, role);
link("", "");
allow_request("", "");  # without such a rule oso prints a warning
"""


@dataclass(frozen=True)
class Place:
    """A scope as Polar sees it: an empty text for a dimension that it does not name."""

    org: str
    project: str
    agent: str
    session: str
    size: int


def load(workload: Workload, _requests: Sequence[Request]) -> Callable[[Request], bool]:
    """A decision by oso.

    Raises:
        ImportError: oso is not installed.
    """
    from oso import Oso  # noqa: PLC0415 - optional

    oso = Oso()
    oso.register_class(Place)
    lines = [_line(*line, action.value) for line in workload.lines for action in read_actions(line[2])]
    links = [f'link("{member}", "{role}");' for member, role in workload.links]
    oso.load_str("\n".join([_RULES, *lines, *links]))

    def decide(request: Request) -> bool:
        principal, action, scope = request
        values = scope.as_dict()
        place = Place(*(values.get(dimension, "") for dimension in ("org", "project", "agent", "session")), len(values))
        found = oso.query_rule("decide", str(principal), principal.name, action.value, place)
        return next(found, None) is not None

    return decide


def _line(subject: str, text: str, _actions: str, effect: str, action: str) -> str:
    pattern = ScopePattern.parse(text)
    tests = [f'place.{term.dimension} = "{term.value}"' for term in sorted(pattern.literals)]
    tests += [f"place.{dimension} = name" for dimension in sorted(pattern.selves)]
    tests += [f'place.{dimension} != ""' for dimension in sorted(pattern.wildcards)]
    if not pattern.open:
        tests.append(f"place.size = {len(pattern.dimensions)}")
    name = "name" if pattern.selves else "_name"
    return f'line("{subject}", {name}, "{action}", place: Place, "{effect}") if {" and ".join(tests)};'
