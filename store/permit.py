"""Permits: proof that a decision was taken. Only ``proxy.authorise`` creates one.

A store takes a permit where others take a filter, so that forgetting to authorise is a call one cannot spell.
``tests/test_layout.py`` fails when another module constructs one.
"""

from __future__ import annotations

from dataclasses import dataclass

from store.scope import Scope


@dataclass(frozen=True, slots=True)
class ReadPermit:
    """One principal may read exactly these scopes."""

    principal: str
    scopes: frozenset[Scope]
    policy_version: str


@dataclass(frozen=True, slots=True)
class WritePermit:
    """One principal may write into exactly this scope."""

    principal: str
    scope: Scope
    policy_version: str


@dataclass(frozen=True, slots=True)
class ForgetPermit:
    """One principal may forget memories of exactly this scope."""

    principal: str
    scope: Scope
    policy_version: str
