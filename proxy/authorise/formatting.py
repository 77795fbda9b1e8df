"""The canonical look of ``policy.csv``: what it says, and the order in which it says it, stay as they are.

Columns of neighbouring lines of one kind are aligned; the terms of a pattern stand in the order of ``gateway.yaml``,
then by name; actions stand in their own order. Comments and blank lines stay where they are. Lines are not sorted:
their order tells which line decides, and the comment above a line belongs to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from proxy.authorise.actions import ALL, SEPARATOR
from proxy.authorise.decision import Action
from proxy.authorise.rules import MAX_FILE_BYTES, PolicyLine, Rules, read_rules
from proxy.authorise.sourcetext import MAX_LINE_BYTES, encoded
from proxy.pattern import ANY, OPEN, SELF, ScopePattern
from store.scope import EMPTY_PATH


def formatted(text: str | bytes, source: str, dimension_order: Sequence[str] = ()) -> str:
    """The policy file in its canonical look; lines end with LF.

    Raises:
        PolicyError: the file holds a mistake, or would be larger than a gateway reads.
    """
    rules = read_rules(text, source)
    rows = _rows(rules, dimension_order)
    whole = encoded(text).decode().replace("\r\n", "\n").removesuffix("\n")
    lines = [line.rstrip(" ") for line in whole.split("\n")]
    result = "".join(f"{line}\n" for line in _laid_out(lines, rows, aligned=True))
    if len(result.encode()) > MAX_FILE_BYTES:
        result = "".join(f"{line}\n" for line in _laid_out(lines, rows, aligned=False))
    again = read_rules(result, source)
    if meaning(again) != meaning(rules):
        raise AssertionError("formatting would change what the policy says")
    return result


def meaning(rules: Rules) -> object:
    """What a policy says, line by line, however it is spelled."""
    lines = [(line.number, line.meaning, line.effect) for line in rules.lines]
    return lines, [(link.number, link.member, link.role) for link in rules.links]


def canonical_pattern(pattern: ScopePattern, dimension_order: Sequence[str] = ()) -> str:
    """The pattern with its terms in canonical order.

    >>> canonical_pattern(ScopePattern.parse("project/*/org/acme/**"), ("org", "project"))
    'org/acme/project/*/**'
    """
    values = {term.dimension: term.value for term in pattern.literals}
    values |= dict.fromkeys(pattern.wildcards, ANY) | dict.fromkeys(pattern.selves, SELF)
    rank = {dimension: position for position, dimension in enumerate(dimension_order)}
    ordered = sorted(values, key=lambda dimension: (rank.get(dimension, len(rank)), dimension))
    path = "/".join(f"{dimension}/{values[dimension]}" for dimension in ordered)
    if pattern.open:
        return f"{path}{OPEN}"
    return path or EMPTY_PATH


def _rows(rules: Rules, dimension_order: Sequence[str]) -> dict[int, list[str]]:
    """The canonical columns of each rule, by line number."""
    rows = {line.number: ["p", *_columns(line, dimension_order)] for line in rules.lines}
    return rows | {link.number: ["g", *link.row] for link in rules.links}


def _columns(line: PolicyLine, dimension_order: Sequence[str]) -> list[str]:
    subject, _, actions, effect = line.row
    # A star stays a star: it also means actions that are yet to come.
    listed = ALL if actions == ALL else SEPARATOR.join(action for action in Action if action in line.actions)
    return [subject, canonical_pattern(line.pattern, dimension_order), listed, effect]


def _laid_out(lines: Sequence[str], rows: dict[int, list[str]], *, aligned: bool) -> Iterator[str]:
    numbered = enumerate(lines, start=1)
    for kind, block in groupby(numbered, key=lambda line: rows[line[0]][0] if line[0] in rows else ""):
        if kind:
            yield from _block([rows[number] for number, _ in block], aligned=aligned)
        else:
            yield from (text for _, text in block)


def _block(rows: Sequence[Sequence[str]], *, aligned: bool) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_padded(row, widths) for row in rows]
    if not aligned or max(map(len, lines)) > MAX_LINE_BYTES:
        return [", ".join(row) for row in rows]
    return lines


def _padded(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [f"{cell},".ljust(width + 1) for cell, width in zip(row[:-1], widths, strict=False)]
    return " ".join([*cells, row[-1]])
