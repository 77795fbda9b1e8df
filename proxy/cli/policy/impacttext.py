"""The impact of a change as text for a terminal and as Markdown for a comment on a pull request."""

from __future__ import annotations

from collections.abc import Iterator

from proxy.impact.difference import Change, Group, Way
from proxy.impact.gatechange import GateChange
from proxy.impact.replay import Redecided, Replay
from proxy.impact.report import Impact
from proxy.impact.stored import StoredChange

_SIGNS = {Way.GAINS: "+", Way.LOSES: "-"}
_NAMES_SHOWN = 8
_REQUESTS_SHOWN = 20


def as_text(impact: Impact) -> str:
    """The whole impact, a section for each part that has something to say."""
    lines = [f"old  {_version(impact.old.name, impact.old.policies.version)}"]
    lines += [f"new  {_version(impact.new.name, impact.new.policies.version)}", "", summary(impact)]
    for title, section in _sections(impact):
        lines += ["", title, *section]
    if impact.legend:
        lines += ["", *impact.legend]
    return "\n".join(lines)


def as_markdown(impact: Impact) -> str:
    """The same as a comment: a headline, then each section in a block that keeps its columns."""
    mark = ":warning: " if impact.is_risky else ""
    lines = [f"### {mark}Policy impact: {summary(impact)}", ""]
    lines += [f"`{impact.old.name}` ({impact.old.policies.version}) to `{impact.new.name}` "]
    lines[-1] += f"({impact.new.policies.version})"
    for title, section in _sections(impact):
        # As a diff, the signs in column one colour the lines.
        lines += ["", f"**{title}**", "", "```diff", *section, "```"]
    if impact.legend:
        lines += ["", *(f"- {meaning.replace('*', chr(92) + '*')}" for meaning in impact.legend)]
    return "\n".join(lines)


def summary(impact: Impact) -> str:
    """One line: who gains, who loses, and whether the publish gate weakens."""
    if impact.is_empty:
        return "no difference in what anybody may do"
    parts = [_principals(impact.count(way), verb) for way, verb in ((Way.GAINS, "gain"), (Way.LOSES, "lose"))]
    if any(change.weaker for change in impact.gate) or any(note.risky for note in impact.notes):
        parts.append("the publish gate lets more through")
    return ", ".join(parts)


def _principals(count: int, verb: str) -> str:
    if count == 0:
        return f"nobody {verb}s"
    return f"{count} principal{'s' * (count != 1)} {verb}{'s' * (count == 1)}"


def _sections(impact: Impact) -> Iterator[tuple[str, list[str]]]:
    if impact.groups:
        yield "who may do what", [line for group in impact.groups for line in _group(group)]
    if impact.gate or impact.notes:
        gate = [_gate(change) for change in impact.gate]
        yield "publish gate and settings", gate + [f"{'!' if note.risky else ' '} {note.text}" for note in impact.notes]
    if impact.stored is not None:
        yield "stored memories that can be read", list(_stored(impact, impact.stored))
    if impact.replayed is not None:
        yield "recorded requests, decided again", list(_replayed(impact.replayed))


def _group(group: Group) -> Iterator[str]:
    yield f"  {_names(group.principals)}"
    for change in group.changes:
        yield from _change(change)


def _change(change: Change) -> Iterator[str]:
    sign, verbs = _SIGNS[change.way], ", ".join(change.actions)
    for pattern in change.patterns:
        yield f"{sign}   {verbs}  {pattern}"
    yield f"      {_because(change)}"
    if change.private and change.way is Way.GAINS:
        yield "!     reaches private scopes of others"


def _because(change: Change) -> str:
    allowed, denied = ", ".join(change.allowed_by), ", ".join(change.denied_by)
    if change.way is Way.GAINS:
        return f"allowed by {allowed}" + (f"; was denied by old {denied}" if denied else "")
    return f"was allowed by old {allowed}" + (f"; is denied by {denied}" if denied else "")


def _gate(change: GateChange) -> str:
    start, end = change.scores
    scores = (f", score {start:g} or more" if start else "") + (f", score below {end:g}" if end is not None else "")
    sign = "!" if change.weaker else " "
    entities, patterns = ", ".join(change.entities), ", ".join(change.patterns)
    return f"{sign} {entities} in {patterns}{scores}: {change.before} becomes {change.after}"


def _stored(impact: Impact, changes: tuple[StoredChange, ...]) -> Iterator[str]:
    if not changes:
        yield "  nobody gains or loses a stored memory"
        return
    for change in changes:
        yield _total(change)
        width = max(len(impact.path(count.scope)) for count in change.scopes)
        for count in change.scopes:
            found = f", {count.with_findings} with PII findings" if count.with_findings else ""
            yield f"      {impact.path(count.scope):<{width}}  {count.memories}{found}"
    yield "  findings: by the publish gate's detector and the old pii.yaml, in private scopes too"


def _total(change: StoredChange) -> str:
    count = change.memories
    each = "each " if len(change.principals) > 1 else ""
    inspected = "" if change.inspected == count else f" of the {change.inspected} inspected"
    return (
        f"{_SIGNS[change.way]} {_names(change.principals)}: {each}{_SIGNS[change.way]}{count}"
        f" memor{'y' if count == 1 else 'ies'}, {change.with_findings}{inspected} with PII findings"
    )


def _replayed(replay: Replay) -> Iterator[str]:
    yield f"  {replay.decided} decided again: {replay.now_allowed} would be allowed, {replay.now_denied} denied"
    were = (
        "entry was no policy decision and was" if replay.skipped == 1 else "entries were no policy decisions and were"
    )
    yield f"  {replay.skipped} {were} skipped"
    for request in replay.changed[:_REQUESTS_SHOWN]:
        yield _request(request)
    more = replay.now_allowed + replay.now_denied - min(len(replay.changed), _REQUESTS_SHOWN)
    if more:
        yield f"  and {more} more"


def _request(request: Redecided) -> str:
    asked = f"{request.principal} {request.operation}: {request.action} in {request.scope}"
    then, now = ", ".join(request.lines) or "no line", request.line or "no line"
    verbs = ("denied", "allowed") if request.allowed else ("allowed", "denied")
    sign = "+" if request.allowed else "-"
    return f"{sign} {request.request_id}  {asked}  {verbs[0]} by {then}, now {verbs[1]} by {now}"


def _names(principals: tuple[str, ...]) -> str:
    shown = ", ".join(principals[:_NAMES_SHOWN])
    more = len(principals) - _NAMES_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _version(name: str, version: str) -> str:
    return f"{name}  ({version})"
