"""What a submission may bring: sizes and depth, checked at every door alike."""

from __future__ import annotations

import json
from collections.abc import Mapping

from proxy.errors import FieldProblem
from proxy.inspection.draft import Draft
from proxy.settings import Limits
from store.memory import JSON


def draft_problems(draft: Draft, limits: Limits, prefix: str = "") -> list[FieldProblem]:
    """What is wrong with ``draft``; ``prefix`` says which of several it is, such as ``memories[3].``."""
    problems = []
    if not draft.content.strip():
        problems.append(FieldProblem(f"{prefix}content", "must not be empty"))
    size = len(draft.content.encode())
    if size > limits.content_max_bytes:
        problems.append(FieldProblem(f"{prefix}content", f"has {size} bytes; the limit is {limits.content_max_bytes}"))
    return problems + metadata_problems(draft.metadata, limits, prefix)


def metadata_problems(metadata: Mapping[str, JSON], limits: Limits, prefix: str = "") -> list[FieldProblem]:
    """What is wrong with client metadata."""
    field = f"{prefix}metadata"
    if _depth(dict(metadata), limits.metadata_max_depth + 1) > limits.metadata_max_depth:
        return [FieldProblem(field, f"is nested more than {limits.metadata_max_depth} deep")]
    size = len(json.dumps(dict(metadata), ensure_ascii=False).encode())
    if size > limits.metadata_max_bytes:
        return [FieldProblem(field, f"has {size} bytes; the limit is {limits.metadata_max_bytes}")]
    return []


def _depth(value: JSON, stop: int) -> int:
    """How deep ``value`` is nested, not looking further than ``stop``."""
    if not isinstance(value, dict | list) or stop == 0:
        return 0
    inside = value.values() if isinstance(value, dict) else value
    return 1 + max((_depth(item, stop - 1) for item in inside), default=0)
