"""Stock Casbin, and what the policy language means, each built without the code under test."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import casbin
from casbin.model import Model
from casbin.persist.adapters import FileAdapter

from proxy.authorise.engine import action_match, scope_match

POLICIES = Path(__file__).parents[3] / "policies"
MODEL = (POLICIES / "model.conf").read_bytes()
SHIPPED = (POLICIES / "policy.csv").read_bytes()


def stock_enforcer(folder: Path, policy: str | bytes) -> casbin.Enforcer:
    """A stock enforcer over files on disk, with the two registered functions."""
    path = folder / "policy.csv"
    path.write_bytes(policy if isinstance(policy, bytes) else policy.encode())
    enforcer = casbin.Enforcer(str(POLICIES / "model.conf"), str(path))
    enforcer.add_function("scope_match", scope_match)
    enforcer.add_function("action_match", action_match)
    return enforcer


def stock_rows(folder: Path, policy: bytes) -> tuple[list[list[str]], list[list[str]]]:
    """The p and g rows that stock Casbin reads in a file."""
    path = folder / "rows.csv"
    path.write_bytes(policy)
    model = Model()
    model.load_model(str(POLICIES / "model.conf"))
    FileAdapter(str(path)).load_policy(model)
    return model["p"]["p"].policy, model["g"]["g"].policy


def means(pattern: str, scope: dict[str, str], name: str) -> bool:
    """Whether a well-formed pattern means this scope: the definition, written down once more."""
    is_open = pattern.endswith("/**")
    parts = [part for part in pattern.removesuffix("/**").split("/") if part]
    wanted = dict(zip(parts[::2], parts[1::2], strict=True))
    if is_open and not wanted.keys() <= scope.keys():
        return False
    if not is_open and wanted.keys() != scope.keys():
        return False
    return all(scope[dimension] in _values(value, scope[dimension], name) for dimension, value in wanted.items())


def _values(value: str, any_value: str, name: str) -> set[str]:
    return {"*": {any_value}, "{self}": {name}}.get(value, {value})


def rule_lines(policy: str) -> Iterable[tuple[int, list[str]]]:
    """The numbered lines of a policy that has nothing but rules, as columns."""
    for number, line in enumerate(policy.splitlines(), start=1):
        yield number, [column.strip() for column in line.split(",")]
